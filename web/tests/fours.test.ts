import { beforeEach, expect, test, vi } from "vitest";
import { api } from "../src/api/client";
import type { Act, ActResult, FoursAnswer } from "../src/api/types";
import { Fours, quarters } from "../src/lib/fours.svelte";
import { Judge } from "../src/lib/judge.svelte";
import { card, result, settle, shown } from "./builders";

let asked: string[];
let answers: number[][][];
let sent: Act[];
let judge: Judge;
let fours: Fours;

const dealt = (...groups: number[][]): FoursAnswer => {
  return { groups: groups.map((ids) => ids.map(shown)), step: null, run: { id: 1, name: "Pier" }, remaining: 4 * groups.length } as FoursAnswer;
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
  Object.assign(globalThis, { requestAnimationFrame: (run: () => void) => run(), Image: class { decode = () => Promise.resolve() } });
  asked = [];
  sent = [];
  answers = [];
  vi.spyOn(api, "acts").mockResolvedValue([]);
  vi.spyOn(api, "candidate").mockImplementation(async (id) => card(id, null, 1) as never);
  vi.spyOn(api, "fours").mockImplementation(async ({ exclude }) => {
    asked.push(exclude);
    return dealt(...(answers.shift() ?? []));
  });
  judge = new Judge({
    send: async (acts) => {
      sent.push(...acts);
      return { results: acts.map((act) => result(act.id, { kind: act.kind, ...told(act) })) };
    },
    stuck: () => undefined,
    now: () => Date.now(),
    soon: (run) => run(),
    later: () => () => undefined,
  });
  fours = new Fours(judge);
});

let told: (act: Act) => Partial<ActResult> = () => ({});
const shownNow = () => fours.current?.images.map((image) => image.id);

/** All four are painted, and long enough ago for a key to be meant. */
function seen(): void {
  const group = fours.current;
  for (const image of group?.images ?? []) fours.ready(group!, image);
  vi.advanceTimersByTime(200);
}

test("naming the worst shows the next four, and undo the same again", async () => {
  answers = [[[1, 2, 3, 4], [5, 6, 7, 8]]];
  fours.open({ run: null, step: null });
  await settle();
  fours.worst(1);
  expect(shownNow()).toEqual([1, 2, 3, 4]); // not painted yet
  seen();
  fours.worst(1);
  expect(shownNow()).toEqual([5, 6, 7, 8]);
  await settle();
  expect(sent[0]).toMatchObject({ kind: "worst", worst: 2, images: [1, 2, 3, 4] });
  judge.undo();
  expect(shownNow()).toEqual([1, 2, 3, 4]);
  judge.redo();
  expect(shownNow()).toEqual([5, 6, 7, 8]);
});

test("an undo of what an earlier visit did brings its four back", async () => {
  answers = [[[1, 2, 3, 4], [5, 6, 7, 8]]];
  fours.open({ run: null, step: null });
  await settle();
  told = (act) => (act.kind === "undo" ? { undone: { act_id: "before", kind: "worst", label: "", pair: null, four: [9, 5, 10, 11].map(shown) } } : {});
  judge.undo();
  await settle();
  told = () => ({});
  expect(fours.queue.map((group) => group.images.map((image) => image.id))).toEqual([
    [9, 5, 10, 11],
    [1, 2, 3, 4],
  ]);
});

test("what is at hand or on its way is not asked for again, and no image stands in two groups", async () => {
  answers = [[[1, 2, 3, 4]], [[3, 5, 6, 7], [8, 9, 10, 11]]];
  fours.open({ run: null, step: null });
  await settle();
  fours.skip();
  await settle();
  expect(asked.at(-1)).toBe("1,2,3,4");
  expect(fours.queue.length).toBe(2);
});

test("a kill leaves the three others to come again", async () => {
  answers = [[[1, 2, 3, 4], [5, 6, 7, 8]]];
  fours.open({ run: null, step: null });
  await settle();
  seen();
  fours.kill(0);
  await settle();
  expect(sent[0]).toMatchObject({ kind: "kill", candidate: 1 });
  expect(shownNow()).toEqual([5, 6, 7, 8]);
  expect(asked.at(-1)).not.toContain("2");
});

test("four tall pictures stand in a row on a wide stage and in two rows on a tall one", () => {
  const tall = { width: 2, height: 3 };
  const tops = (width: number, height: number) => new Set(quarters({ width, height }, tall, 40).map((box) => box.y)).size;
  expect(tops(1400, 700)).toBe(1);
  expect(tops(390, 700)).toBe(2);
});

test("the buttons of each picture stand right below it, and all four in the middle", () => {
  const [first] = quarters({ width: 1400, height: 700 }, { width: 100, height: 100 }, 40);
  // In a row each is 344 wide (gaps of 8) and as high; with its strip 384 of the 700 are used.
  expect(first).toEqual({ x: 0, y: 158, width: 344, height: 344 });
});
