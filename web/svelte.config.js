// Runes everywhere; the plugin's defaults otherwise.
export default { compilerOptions: { runes: true } };
