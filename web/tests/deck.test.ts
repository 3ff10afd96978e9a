import { beforeEach, expect, test } from "vitest";
import type { DeckAnswer } from "../src/api/types";
import { Deck, DESK, spread } from "../src/lib/deck.svelte";
import { answer, card, pair, settle } from "./builders";

let asked: { count: number; exclude: string }[];
let answers: (DeckAnswer | Error)[];
let fetched: string[];
let unsent: string[];
let deck: Deck;

beforeEach(() => {
  asked = [];
  answers = [];
  fetched = [];
  unsent = [];
  deck = new Deck(
    {
      more: async (count, exclude) => {
        asked.push({ count, exclude });
        const next = answers.shift() ?? answer([]);
        if (next instanceof Error) throw next;
        return next;
      },
      unsent: () => unsent,
      prefetch: (all) => (fetched = all),
      afterPaint: (run) => run(),
      soon: (run) => run(),
      now: () => 1,
    },
    DESK,
  );
});

const keys = () => deck.queue.map((showing) => showing.pair.key);

async function dealt(...pairs: [number, number][]): Promise<void> {
  answers.push(answer(pairs.map(([left, right]) => pair(left, right))));
  await deck.fill();
}

test("the next two pairs are laid out under the current one, and the last one stays at hand", async () => {
  await dealt([1, 2], [3, 4], [5, 6], [7, 8]);
  expect(deck.layers.map((layer) => [layer.showing.pair.key, layer.place])).toEqual([
    ["1-2", "current"],
    ["3-4", "under"],
    ["5-6", "under"],
  ]);
  const next = deck.layers[1]?.showing;
  deck.advance();
  expect(deck.layers[0]?.showing).toBe(next);
  expect(deck.layers.at(-1)).toMatchObject({ place: "previous" });
});

test("more is asked for when five are left, without those at hand or on their way", async () => {
  await dealt([1, 2], [3, 4], [5, 6], [7, 8], [9, 10], [11, 12]);
  expect(asked).toHaveLength(1);
  unsent = ["1-2"];
  deck.advance();
  await settle();
  expect(asked[1]).toEqual({ count: 8, exclude: "1-2,3-4,5-6,7-8,9-10,11-12" });
});

test("a pair that the hub deals again although its vote is on the way is not shown again", async () => {
  unsent = ["1-2"];
  await dealt([1, 2], [3, 4]);
  expect(keys()).toEqual(["3-4"]);
});

test("a hub that has no more is not asked without end", async () => {
  await dealt([1, 2], [3, 4]);
  await settle();
  expect(asked).toHaveLength(2);
});

test("undo puts the pair back on top with its sides, as the very pictures that were there", async () => {
  await dealt([2, 1], [3, 4]);
  const first = deck.current;
  deck.advance();
  deck.restore(pair(2, 1));
  expect(deck.current).toBe(first);
  expect(keys()).toEqual(["1-2", "3-4"]);
});

test("a killed image takes all its pairs with it", async () => {
  await dealt([1, 2], [1, 3], [4, 5]);
  expect(deck.remove(new Set([1]))).toBe(true);
  expect(keys()).toEqual(["4-5"]);
});

test("a pair judged in another tab is taken away alone", async () => {
  await dealt([1, 2], [1, 3], [4, 5]);
  expect(deck.withdraw(["1-3"])).toBe(false);
  expect(deck.withdraw(["1-2", "3-4"])).toBe(true);
  expect(keys()).toEqual(["4-5"]);
});

test("an answer that was asked for before a change of the tree is thrown away", async () => {
  await dealt([1, 2], [3, 4]);
  answers.push(answer([pair(5, 6)]), answer([pair(7, 8)]));
  const slow = deck.fill();
  deck.renew(1);
  await slow;
  await settle();
  expect(keys()).toEqual(["1-2", "7-8"]);
});

test("when nothing is left it says what there is instead", async () => {
  answers.push(answer([], { waiting: { sentence: "Soon", made: 1, planned: 3 } }));
  await deck.fill();
  expect(deck.state.name).toBe("waiting");
  answers.push(answer([], { single: card(1, null, 1) }));
  await deck.fill();
  expect(deck.state.name).toBe("single");
  answers.push(new Error("away"));
  await deck.fill();
  expect(deck.state.name).toBe("failed");
  await dealt([1, 2]);
  expect(deck.state.name).toBe("pairs");
});

test("a pair counts as seen only when both its pictures are painted", async () => {
  await dealt([1, 2]);
  const showing = deck.current;
  if (!showing) throw new Error("no pair");
  deck.pictureReady(showing, "left");
  expect(showing.shownAt).toBeNull();
  deck.pictureReady(showing, "right");
  expect(showing.shownAt).toBe(1);
});

test("pictures beyond those laid out are fetched ahead, each once", async () => {
  await dealt([1, 2], [3, 4], [5, 6], [7, 8], [9, 10]);
  expect(fetched).toEqual(["hash7", "hash8", "hash9", "hash10"]);
});

test("no picture comes twice in a row where that can be helped", () => {
  const ordered = spread([pair(1, 2), pair(2, 3), pair(4, 5)], pair(1, 9));
  expect(ordered.map((each) => each.key)).toEqual(["2-3", "4-5", "1-2"]);
});

test("the winner stays on its side and meets an image of the next pair", async () => {
  await dealt([1, 2], [3, 4], [5, 6]);
  const judged = pair(1, 2);
  deck.advance();
  deck.stay(judged, "right");
  expect(deck.current?.pair).toMatchObject({ key: "2-4", left: { id: 4 }, right: { id: 2 } });
  expect(keys()).toEqual(["2-4", "5-6"]);
});

test("the winner never meets the image it just beat", async () => {
  await dealt([1, 2], [3, 2]);
  deck.advance();
  deck.stay(pair(1, 2), "left");
  expect(deck.current?.pair).toMatchObject({ key: "1-3", left: { id: 1 }, right: { id: 3 } });
});

test("the winner gives way where another step begins or a parent stands beside its child", async () => {
  answers.push(answer([pair(1, 2), pair(3, 4, 3), { ...pair(5, 6), parent_id: 5 }]));
  await deck.fill();
  deck.advance();
  deck.stay(pair(1, 2), "left");
  expect(deck.current?.pair.key).toBe("3-4");
  deck.advance();
  deck.stay(pair(1, 2), "left");
  expect(deck.current?.pair.key).toBe("5-6");
});
