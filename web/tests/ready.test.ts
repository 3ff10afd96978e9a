// What could begin now, and for how long it will keep the servers busy.
import { expect, test } from "vitest";
import type { Backend, RunSummary } from "../src/api/types";
import { readyJobs, secondsFor, secondsLeft } from "../src/lib/ready";

const run = (status: string, ...columns: [string, number][]) =>
  ({ status, columns: columns.map(([name, ready], at) => ({ name, ready, step_id: at + 1, step_order: at + 1 })) }) as unknown as RunSummary;
const server = (times: Record<number, number>, health = "ok") =>
  ({ enabled: true, health, steps: Object.entries(times).map(([id, usual_seconds]) => ({ step_id: Number(id), usual_seconds })) }) as unknown as Backend;

test("jobs are summed by step over the active runs, the furthest right first", () => {
  const runs = [run("active", ["Base", 8], ["Hands", 2]), run("active", ["Base", 1], ["Face", 0], ["Hands", 4]), run("paused", ["Base", 9])];
  expect(readyJobs(runs)).toEqual([
    { step: "Hands", jobs: 6 },
    { step: "Base", jobs: 9 },
  ]);
});

test("how long they take goes by the last jobs of their steps on the servers at work", () => {
  const runs = [run("active", ["Base", 4], ["Hands", 1])];
  const fast = server({ 1: 10, 2: 30 });
  expect(secondsFor(runs, [fast])).toBe(70);
  expect(secondsFor(runs, [fast, server({ 1: 20 })])).toBe((4 * 15 + 30) / 2);
  expect(secondsFor(runs, [fast, server({ 1: 20 }, "lost")])).toBe(70);
});

test("how long they take is not guessed", () => {
  expect(secondsFor([run("active", ["Base", 4], ["Hands", 1])], [server({ 1: 10 })])).toBeNull();
  expect(secondsFor([run("active", ["Base", 4])], [])).toBeNull();
});

test("a running job takes as long as the last one there, and nothing is said once it is late", () => {
  const now = Date.parse("2026-11-21T10:00:10Z");
  expect(secondsLeft("2026-11-21T10:00:00Z", 30, now)).toBe(20);
  expect(secondsLeft("2026-11-21T10:00:00Z", 8, now)).toBeNull();
  expect(secondsLeft(null, 30, now)).toBeNull();
  expect(secondsLeft("2026-11-21T10:00:00Z", null, now)).toBeNull();
});
