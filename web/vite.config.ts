import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import { budget } from "./budget.ts";

const hub = "http://127.0.0.1:8787";

const CORE = /ui.(Thumb|Empty)\.svelte|triage.(Stage|Frame|Layer|Pane|ZoomBar)\.svelte/;

export default defineConfig(({ mode }) => ({
  // Relative, so that the page also works under a sub-path of a reverse proxy.
  base: "./",
  plugins: [svelte(), budget({ entry: "index.html", vote: "src/screens/triage/Vote.svelte", voteKb: 60, allKb: 200 })],
  build: {
    outDir: "../src/shortlist/web",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // One file for what every screen needs, with all that it needs: five small ones compress a twentieth worse.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "core", test: CORE }] } } },
  },
  server: { proxy: { "/api": { target: hub, changeOrigin: true } } },
  // Without it Vitest takes Svelte's server build, in which nothing is reactive.
  resolve: mode === "test" ? { conditions: ["browser"] } : {},
  test: { include: ["tests/**/*.test.ts"], environment: "node", isolate: false, setupFiles: ["tests/setup.ts"] },
}));
