import { expect, test } from "vitest";
import { Stint } from "../src/lib/stint";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** An act each `every` from `from` until `until`; when a break was said to be due, and how. */
function judge(stint: Stint, from: number, until: number, every = 3 * SECOND) {
  const told: { at: number; minutes: number; acts: number }[] = [];
  for (let now = from; now < until; now += every) {
    const due = stint.act(now);
    if (due) told.push({ at: now, ...due });
  }
  return told;
}

test("after 25 minutes without a pause a break is due, and again after 15", () => {
  expect(judge(new Stint(), 0, 60 * MINUTE)).toEqual([
    { at: 25 * MINUTE, minutes: 25, acts: 501 },
    { at: 40 * MINUTE, minutes: 40, acts: 801 },
    { at: 55 * MINUTE, minutes: 55, acts: 1101 },
  ]);
});

test("a pause of two minutes begins anew", () => {
  const stint = new Stint();
  expect(judge(stint, 0, 24 * MINUTE)).toEqual([]);
  expect(judge(stint, 26 * MINUTE, 50 * MINUTE)).toEqual([]);
  expect(judge(stint, 50 * MINUTE, 52 * MINUTE)).toEqual([{ at: 51 * MINUTE, minutes: 25, acts: 501 }]);
});

test("slow and thoughtful judging is no pause", () => {
  expect(judge(new Stint(), 0, 26 * MINUTE, 100 * SECOND)).toHaveLength(1);
});

test("unlike answers to the same question make a break due at once, but not twice in 15 minutes", () => {
  const stint = new Stint();
  judge(stint, 0, 5 * MINUTE);
  expect(stint.strained(5 * MINUTE)).toEqual({ minutes: 5, acts: 100 });
  expect(stint.strained(9 * MINUTE)).toBeNull();
  expect(stint.strained(20 * MINUTE)).not.toBeNull();
});
