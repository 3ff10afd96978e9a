// A build step that prints the gzipped size of the scripts and fails above the budget.
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

interface Limits {
  entry: string;
  vote: string;
  voteKb: number;
  allKb: number;
}

interface Chunk {
  type: "chunk";
  fileName: string;
  code: string;
  imports: string[];
  facadeModuleId: string | null;
}

export function budget(limits: Limits): Plugin {
  return {
    name: "budget",
    apply: "build",
    generateBundle(_options, bundle) {
      const chunks = new Map<string, Chunk>();
      for (const item of Object.values(bundle)) {
        if (item.type === "chunk") chunks.set(item.fileName, item as Chunk);
      }
      const sizes = new Map([...chunks].map(([name, chunk]) => [name, gzipSync(chunk.code, { level: 9 }).length]));
      const needed = withImports(chunks, [limits.entry, limits.vote]);
      const vote = kilobytes([...needed].map((name) => sizes.get(name) ?? 0));
      const all = kilobytes([...sizes.values()]);
      const report = `scripts, gzipped: Vote ${vote} of ${limits.voteKb} KB, all screens ${all} of ${limits.allKb} KB`;
      if (vote > limits.voteKb || all > limits.allKb) this.error(`Over the budget: ${report}`);
      console.log(report);
    },
  };
}

function withImports(chunks: Map<string, Chunk>, entries: string[]): Set<string> {
  const wanted = [...chunks.values()].filter((chunk) => entries.some((entry) => chunk.facadeModuleId?.endsWith(entry)));
  if (wanted.length !== entries.length) throw new Error(`The build has no chunk for one of ${entries.join(", ")}`);
  const found = new Set<string>();
  const queue = wanted.map((chunk) => chunk.fileName);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    queue.push(...(chunks.get(name)?.imports ?? []));
  }
  return found;
}

function kilobytes(bytes: number[]): number {
  return Math.round(bytes.reduce((sum, size) => sum + size, 0) / 102.4) / 10;
}
