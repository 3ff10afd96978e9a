// What could begin now, and for how long it will keep the servers busy.
import { expect, test } from "vitest";
import type { Backend, RunSummary } from "../src/api/types";
import { readyJobs, secondsFor, secondsLeft } from "../src/lib/ready";

const run = (status: string, ...columns: [string, number][]) =>
  ({ status, columns: columns.map(([name, ready], at) => ({ name, ready, step_order: at + 1 })) }) as unknown as RunSummary;
const server = (last_hour: number) => ({ last_hour }) as Backend;

test("jobs are summed by step over the active runs, the furthest right first", () => {
  const runs = [run("active", ["Base", 8], ["Hands", 2]), run("active", ["Base", 1], ["Face", 0], ["Hands", 4]), run("paused", ["Base", 9])];
  expect(readyJobs(runs)).toEqual([
    { step: "Hands", jobs: 6 },
    { step: "Base", jobs: 9 },
  ]);
});

test("how long they take goes by the last hour of all servers, and is not guessed without one", () => {
  expect(secondsFor(10, [server(15), server(5)])).toBe(1800);
  expect(secondsFor(10, [server(0)])).toBeNull();
});

test("a running job takes as long as the last one there, and nothing is said once it is late", () => {
  const now = Date.parse("2026-11-21T10:00:10Z");
  expect(secondsLeft("2026-11-21T10:00:00Z", 30, now)).toBe(20);
  expect(secondsLeft("2026-11-21T10:00:00Z", 8, now)).toBeNull();
  expect(secondsLeft(null, 30, now)).toBeNull();
  expect(secondsLeft("2026-11-21T10:00:00Z", null, now)).toBeNull();
});
