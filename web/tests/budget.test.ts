import { expect, test } from "vitest";
import { budget } from "../budget";

test("a build over its budget fails and says by how much", () => {
  const plugin = budget({ entry: "index.html", vote: "Vote.svelte", voteKb: 0, allKb: 0 });
  const chunk = (fileName: string, facadeModuleId: string) => ({ type: "chunk", fileName, facadeModuleId, imports: [], code: "x".repeat(4000) });
  const generate = plugin.generateBundle as unknown as (this: unknown, options: unknown, bundle: unknown) => void;
  const failing = { error: (text: string) => { throw new Error(text); } };
  const bundle = { a: chunk("a", "/index.html"), b: chunk("b", "/Vote.svelte") };
  expect(() => generate.call(failing, {}, bundle)).toThrow(/Over the budget: .*Vote 0\.1 of 0 KB/);
});
