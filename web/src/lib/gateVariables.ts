// The variables of a run as rows of text, and back: what reads as a number or as true and false
// is one, as the workflows expect.

export interface Variable {
  name: string;
  value: string;
}

export const rowsOf = (parameters: Record<string, unknown>): Variable[] =>
  Object.entries(parameters).map(([name, value]) => ({ name, value: typeof value === "string" ? value : JSON.stringify(value) }));

export function parametersOf(rows: readonly Variable[]): Record<string, unknown> {
  const named = rows.map(({ name, value }) => [name.trim(), meant(value)] as const).filter(([name]) => name !== "");
  return Object.fromEntries(named);
}

function meant(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
