import { expect, test } from "vitest";
import type { FinishLine } from "../src/api/types";
import { Steady } from "../src/lib/steady.svelte";
import { pair } from "./builders";

const line = (steady: boolean, rest: Partial<FinishLine> = {}): FinishLine => ({ run_id: 1, step_id: 4, top: 3, settled: steady ? 0.95 : 0.5, votes: null, steady, ...rest });

test("a steady step is told once, and again when it was unsteady meanwhile", () => {
  const steady = new Steady();
  steady.judged(pair(1, 2), line(false, { top: 5 }));
  expect(steady.at).toBeNull();
  steady.judged(pair(1, 2), line(true, { top: 5 }));
  expect(steady.at).toEqual({ run: 1, step: 4, order: 4, name: "Upscale", top: 5 });
  steady.close();
  steady.judged(pair(3, 4), line(true, { top: 5 }));
  expect(steady.at).toBeNull();
  steady.judged(pair(3, 4), line(false, { top: 5 }));
  steady.judged(pair(3, 4), line(true, { top: 5 }));
  expect(steady.at?.top).toBe(5);
});

test("the line of another step says nothing of the pair that was judged", () => {
  const steady = new Steady();
  steady.judged(pair(1, 2), line(true, { step_id: 3 }));
  steady.judged(pair(1, 2), line(true, { run_id: 2 }));
  steady.judged(pair(1, 2), null);
  expect(steady.at).toBeNull();
});
