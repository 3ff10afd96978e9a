import { describe, expect, test } from "vitest";
import { changeOf, costOf, doubt, imagesOf, mainBase, median, nextPin, through, tieAtCut, widestGap, type GateImage, type Pin } from "../src/lib/gate";

/** Images in ranking order; `bases` gives the base image of each. */
function ranked(elo: readonly number[], more: { bases?: readonly number[]; pins?: Record<number, Pin>; votes?: readonly number[] } = {}): GateImage[] {
  const n = elo.length;
  const all = <T>(value: T) => Array.from({ length: n }, () => value);
  return imagesOf({
    images: {
      id: elo.map((_, i) => i + 10),
      base_id: [...(more.bases ?? elo.map((_, i) => i))],
      elo: [...elo],
      votes: [...(more.votes ?? all(6))],
      below: all(0),
      advances: all(false),
      pin: elo.map((_, i) => more.pins?.[i] ?? null),
      hash: all("h"),
      width: all(3),
      height: all(4),
      thumbhash: all(""),
    },
  } as Parameters<typeof imagesOf>[0]);
}

const nine = [1250, 1180, 1150, 1120, 1080, 1050, 1020, 980, 950];

describe("who goes through", () => {
  test("the best three of nine, whoever their parents are", () => {
    expect(through(ranked(nine), 3, null)).toEqual([0, 1, 2]);
  });
  test("a K above the number alive lets all through", () => {
    expect(through(ranked(nine), 99, null)).toHaveLength(9);
  });
  test("pins count among the K, and never means never", () => {
    const images = ranked(nine, { pins: { 0: "never", 8: "always" } });
    expect(through(images, 3, null)).toEqual([1, 2, 8]);
  });
  test("more pins than K all go through", () => {
    const images = ranked(nine, { pins: { 5: "always", 6: "always", 7: "always" } });
    expect(through(images, 1, null)).toEqual([5, 6, 7]);
  });
  test("a cap per base image passes over its further images", () => {
    const images = ranked(nine, { bases: [1, 1, 1, 2, 2, 2, 3, 3, 3] });
    expect(through(images, 3, 1)).toEqual([0, 3, 6]);
    expect(through(images, 9, 2)).toEqual([0, 1, 3, 4, 6, 7]);
  });
  test("pinned images use up the cap of their base image", () => {
    const images = ranked(nine, { bases: [1, 1, 1, 2, 2, 2, 3, 3, 3], pins: { 2: "always" } });
    expect(through(images, 2, 1)).toEqual([2, 3]);
  });
  test("of no images none", () => {
    expect(through([], 3, null)).toEqual([]);
  });
});

test("a pin goes round: by rank, always, never", () => {
  expect([nextPin(null), nextPin("always"), nextPin("never")]).toEqual(["always", "never", null]);
});

test("the doubt follows the votes in the middle", () => {
  expect([2, 3, 4, 5, 11, 12].map((votes) => doubt([votes, votes, votes]))).toEqual([0, 1, 1, 2, 2, 3]);
  expect(median([1, 9, 4, 3])).toBe(3.5);
});

describe("a tie at the cut", () => {
  test("is decided by votes, then by age", () => {
    expect(tieAtCut(ranked([1100, 1000, 1000], { votes: [5, 6, 4] }), [0, 1])).toBe("votes");
    expect(tieAtCut(ranked([1100, 1000, 1000]), [0, 1])).toBe("age");
  });
  test("is none where ratings differ or all go through", () => {
    expect(tieAtCut(ranked(nine), [0, 1])).toBeNull();
    expect(tieAtCut(ranked([1000, 1000]), [0, 1])).toBeNull();
  });
});

test("the widest gap is looked for nearby", () => {
  expect(widestGap(ranked([1200, 1190, 1050, 1040, 1030, 1020, 1010, 1000, 990, 400]), 3)).toBe(2);
  expect(widestGap(ranked([1000, 1000, 1000]), 2)).toBeNull();
});

test("most of the chosen come from one base image", () => {
  const images = ranked(nine, { bases: [7, 7, 8, 7, 9, 9, 9, 9, 9] });
  expect(mainBase(images, [0, 1, 2, 3])).toEqual({ base: 7, count: 3, bases: 2 });
});

test("another decision says who enters, who leaves and what was made of those", () => {
  const images = ranked(nine).map((image, i) => ({ ...image, advances: i < 3, below: i < 3 ? 2 : 0 }));
  expect(changeOf(images, [0, 1, 4])).toEqual({ enter: [4], leave: [2], stranded: 2 });
});

test("the cost counts what is still to be made, on all servers together", () => {
  const images = ranked(nine).map((image, i) => ({ ...image, below: i === 0 ? 3 : 0 }));
  const step = { id: 3, name: "Upscale", max_children: 3, measured: { seconds: 10, bytes: 1000 } };
  expect(costOf({ next_step: step, servers: 2 }, images, [0, 1, 2])).toEqual({ jobs: 6, seconds: 30, bytes: 6000 });
  expect(costOf({ next_step: null, servers: 2 }, images, [0])).toEqual({ jobs: 0, seconds: null, bytes: null });
});
