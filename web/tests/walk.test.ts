import { beforeEach, expect, test } from "vitest";
import type { Act, Walk, WalkAnswer } from "../src/api/types";
import type { NewAct } from "../src/lib/judge.svelte";
import { WalkFlow } from "../src/lib/walk.svelte";
import { result, shown } from "./builders";

const yes = { sentence: "", rejects: 1, jobs: 0, allowed: true };

function walk(asked: number | null): Walk {
  const strip = [1, 2, 3, 4].map((id) => ({ candidate: shown(id), step_name: `Step ${id}`, step_order: id, rejected: id === 4 }));
  const place = asked === null ? null : { candidate: shown(asked), step_name: `Step ${asked}`, step_order: asked };
  const answers = asked === null ? {} : { already_wrong: { ...yes, allowed: asked > 1 }, this_step: yes, still_fine: yes, dont_know: yes };
  return { id: "w", killed: shown(4), also_killed: null, strip, asked: place, beside: null, others: 0, answers, blamed_step: null, note: null } as Walk;
}

let flow: WalkFlow;
let sent: NewAct[];
const reply: Act = { id: "a", kind: "walk", walk: "w", candidate: 3, answer: "already_wrong" };
beforeEach(() => {
  sent = [];
  flow = new WalkFlow("w", shown(4), (act) => sent.push(act));
});

test("nothing can be answered before the hub has said what is asked", () => {
  expect(flow.answer("this_step")).toBe(false);
  expect(sent).toEqual([]);
});

test("already wrong before shows the image before it at once", () => {
  flow.take(walk(3));
  expect(flow.answer("already_wrong")).toBe(true);
  expect(sent).toEqual([{ kind: "walk", walk: "w", candidate: 3, answer: "already_wrong" }]);
  expect(flow.asked?.candidate.id).toBe(2);
  expect(flow.answer("already_wrong")).toBe(false);
  flow.answered(reply, result("a", { kind: "walk", walk: walk(2), rejected: { root_id: 3, branch: 2, jobs: 0 } }));
  expect(flow.asked?.candidate.id).toBe(2);
  expect(flow.rejected).toBe(3);
});

test.each<WalkAnswer>(["this_step", "still_fine", "dont_know"])("%s ends the walk", (answer) => {
  flow.take(walk(3));
  flow.answer(answer);
  flow.answered(reply, result("a", { kind: "walk", walk: walk(null) }));
  expect(flow.state.name).toBe("over");
});

test("at the base there is nothing before", () => {
  flow.take(walk(1));
  expect(flow.answer("already_wrong")).toBe(false);
  expect(flow.answer("this_step")).toBe(true);
});

test("an answer that the hub refuses stays on the screen with the reason", () => {
  flow.take(walk(3));
  flow.answer("already_wrong");
  const problem = { type: "", title: "", status: 409, detail: "It asks about another image now.", request_id: "" };
  flow.answered(reply, result("a", { kind: "walk", ok: false, problem }));
  expect(flow.state).toMatchObject({ name: "refused", reason: problem.detail });
  expect(flow.asked?.candidate.id).toBe(3);
});

test("a base image is killed without a walk", () => {
  flow.take(null);
  expect(flow.state.name).toBe("over");
});

test("the image beside can be voted on and killed without ending the walk", () => {
  const beside = { candidate: shown(9), relation: "sibling" as const };
  flow.take({ ...walk(3), beside });
  expect(flow.vote("beside")).toBe(true);
  flow.killBeside();
  expect(sent).toEqual([
    { kind: "vote", winner: 9, loser: 3, left: 3 },
    { kind: "kill", candidate: 9, other: 3, left: 3, walk: "w" },
  ]);
  flow.take({ ...walk(3), beside: { ...beside, relation: "none" } });
  expect(flow.vote("beside")).toBe(false);
});
