import { beforeEach, expect, test, vi } from "vitest";
import { api } from "../src/api/client";
import type { Act, ActResult, Card, PastAct } from "../src/api/types";
import { Judge, type Entry } from "../src/lib/judge.svelte";
import { card, pair, result, settle, shown } from "./builders";

let sent: Act[];
let judge: Judge;
let turns: [string, boolean][];
let answers: (act: Act) => Partial<ActResult>;

beforeEach(() => {
  sent = [];
  turns = [];
  answers = () => ({});
  vi.spyOn(api, "acts").mockResolvedValue([]);
  judge = new Judge({
    send: async (acts) => {
      sent.push(...acts);
      return { results: acts.map((act) => result(act.id, { kind: act.kind, label: "done", ...answers(act) })) };
    },
    stuck: () => undefined,
    now: () => Date.now(),
    soon: (run) => run(),
    later: () => () => undefined,
  });
  judge.onTurn((entry: Entry, undone) => turns.push([entry.id, undone]));
});

const vote = (left: number, right: number) => judge.act({ kind: "vote", winner: left, loser: right, left }, { pair: pair(left, right), chosen: "left" });
const states = () => judge.entries.map((entry) => entry.state);

test("undo goes back one act at a time, redo forward again, and a new act ends redo", async () => {
  const first = vote(1, 2);
  const second = vote(3, 4);
  judge.undo();
  judge.undo();
  expect(states()).toEqual(["undone", "undone"]);
  judge.redo();
  expect(states()).toEqual(["undone", "waiting"]);
  vote(5, 6);
  judge.redo();
  await settle();
  expect(turns).toEqual([
    [second, true],
    [first, true],
    [first, false],
  ]);
  expect(sent.filter((act) => act.kind === "undo").map((act) => act.target)).toEqual([second, first]);
});

test("the other tabs are told of each act at once, and when the hub has it", async () => {
  const heard: (Act | null)[] = [];
  const here = new Judge({ send: async (acts) => ({ results: acts.map((act) => result(act.id)) }), stuck: () => undefined, now: () => 1, soon: (run) => run(), later: () => () => undefined }, (act) => heard.push(act));
  here.act({ kind: "skip", a: 1, b: 2 }, { pair: pair(1, 2) });
  expect(heard.map((act) => act?.kind)).toEqual(["skip"]);
  await settle();
  expect(heard.at(-1)).toBeNull();
  const elsewhere = vi.fn();
  judge.onElsewhere(elsewhere);
  judge.hear(heard[0] ?? null);
  expect(elsewhere).toHaveBeenCalledWith(heard[0]);
});

test("the answer to an act that was undone meanwhile does not bring it back", async () => {
  vote(1, 2);
  judge.undo();
  await settle();
  expect(states()).toEqual(["undone"]);
});

test("a refused act says why, and undo passes it by", async () => {
  const kept = vote(1, 2);
  await settle();
  answers = (act) => (act.kind === "vote" ? { ok: false, problem: { type: "", title: "", status: 409, detail: "image was rejected", request_id: "" } } : {});
  vote(3, 4);
  await settle();
  expect(judge.entries[0]).toMatchObject({ state: "refused", note: "image was rejected" });
  judge.undo();
  expect(turns).toEqual([[kept, true]]);
});

test("acts of another visit or device can be undone, with the pair they were about", async () => {
  const past: PastAct = { id: "old", kind: "vote", label: "Voted", at: "", undone: false, undoable: true, left: shown(7), right: shown(8), chosen: "right" };
  vi.spyOn(api, "acts").mockResolvedValue([past]);
  await judge.load();
  judge.undo();
  expect(turns).toEqual([["old", true]]);
  expect(judge.entries[0]?.pair?.key).toBe("7-8");
});

test("an image's rejection is taken back by undoing the act that rejected it", async () => {
  const kill = judge.act({ kind: "kill", candidate: 9 });
  vote(1, 2);
  await settle();
  expect(await judge.restore(9)).toBe(true);
  await settle();
  expect(sent.at(-1)).toMatchObject({ kind: "undo", target: kill });
  expect(await judge.restore(10)).toBe(false);
});

test("pairs whose acts are on their way are known, so that they are not dealt again", async () => {
  vote(2, 1);
  judge.act({ kind: "tie", a: 4, b: 3, left: 4 }, { pair: pair(4, 3), chosen: "both" });
  expect(judge.unsentPairs()).toEqual(["1-2", "3-4"]);
  await settle();
  expect(judge.unsentPairs()).toEqual([]);
});

test("an answer about rejected images that an undo has overtaken counts for nothing", async () => {
  const kill = judge.act({ kind: "kill", candidate: 9 });
  await settle();
  const rejected: Card = { ...card(9, null, 1), status: "rejected" };
  let answer: (cards: Card[]) => void = () => undefined;
  vi.spyOn(api, "cards").mockImplementation(() => new Promise((resolve) => (answer = resolve)));
  const before = judge.rejectedOf([9]);
  answer([rejected]);
  expect(await before).toEqual(new Set([9]));
  const overtaken = judge.rejectedOf([9]);
  judge.undoAct(kill);
  const behind = judge.rejectedOf([9]);
  await settle();
  answer([rejected]);
  expect(await overtaken).toEqual(new Set());
  expect(await behind).toEqual(new Set());
});
