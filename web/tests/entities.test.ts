import { beforeEach, expect, test } from "vitest";
import { Lane, visibleRows } from "../src/lib/board.svelte";
import { Entities } from "../src/lib/entities.svelte";
import { card } from "./builders";

let all: Entities;
beforeEach(() => {
  all = new Entities();
  for (const [id, parent, order, elo] of [
    [1, null, 1, 1000],
    [2, null, 1, 1100],
    [3, 1, 2, 1000],
    [4, 1, 2, 1040],
    [5, 4, 3, 1000],
  ] as const) {
    all.add(card(id, parent, order, { elo }));
  }
});

test("a family is known in both directions", () => {
  expect(all.ancestors(5)).toEqual([1, 4]);
  expect(all.descendants(1).sort()).toEqual([3, 4, 5]);
  expect(all.siblings(3)).toEqual([4, 3]);
  expect(all.siblings(1)).toEqual([2, 1]);
  expect(all.bestChild(1)).toBe(4);
});

test("an image below a rejected one is not live, and is again when that is taken back", () => {
  all.patch(1, { rejected: true });
  expect([3, 4, 5].map((id) => all.isLive(id))).toEqual([false, false, false]);
  all.patch(1, { rejected: false });
  expect(all.isLive(5)).toBe(true);
});

test("an image told of twice is there once", () => {
  all.add(card(5, 4, 3));
  expect(all.childrenOf(4)).toEqual([5]);
});

test("the ranking is by rating, then votes, then age", () => {
  all.add(card(6, 1, 2, { elo: 1000, votes: 3 }));
  all.add(card(7, 1, 2, { elo: 1000, votes: 0 }));
  expect([3, 4, 6, 7].sort((a, b) => all.compare(a, b))).toEqual([4, 6, 3, 7]);
});

test("a column that is pointed at keeps its order and counts what has changed", () => {
  const step = { id: 2, name: "Face", order: 2, max_children: null, gate: "auto" as const, default_top_k: null, tried_at: null };
  const lane = new Lane(step, all);
  lane.sort();
  lane.hold(true);
  all.patch(3, { elo: 1200 });
  lane.changed(3);
  lane.changed(3);
  all.add(card(8, 1, 2));
  lane.arrived();
  expect(lane.ids).toEqual([4, 3]);
  expect([lane.moved, lane.fresh]).toEqual([1, 1]);
  lane.sort();
  expect(lane.ids).toEqual([3, 4, 8]);
  expect([lane.moved, lane.fresh]).toEqual([0, 0]);
});

test("only the rows in sight and a few more are drawn", () => {
  expect(visibleRows(0, 500, 100, 1000)).toEqual({ from: 0, to: 7 });
  expect(visibleRows(50_000, 500, 100, 1000)).toEqual({ from: 498, to: 507 });
  expect(visibleRows(0, 500, 100, 3)).toEqual({ from: 0, to: 3 });
});
