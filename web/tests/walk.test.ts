import { beforeEach, expect, test } from "vitest";
import type { Walk, WalkAnswer } from "../src/api/types";
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
beforeEach(() => {
  flow = new WalkFlow("w", shown(4));
});

test("nothing can be answered before the hub has said what is asked", () => {
  expect(flow.answer("this_step")).toBeNull();
});

test("already wrong before shows the image before it at once", () => {
  flow.take(walk(3));
  expect(flow.answer("already_wrong")).toBe(3);
  expect(flow.asked?.candidate.id).toBe(2);
  expect(flow.answer("already_wrong")).toBeNull();
  flow.answered(result("a", { kind: "walk", walk: walk(2), rejected: { root_id: 3, branch: 2, jobs: 0 } }));
  expect(flow.asked?.candidate.id).toBe(2);
  expect(flow.rejected).toBe(3);
});

test.each<WalkAnswer>(["this_step", "still_fine", "dont_know"])("%s ends the walk", (answer) => {
  flow.take(walk(3));
  flow.answer(answer);
  flow.answered(result("a", { kind: "walk", walk: walk(null) }));
  expect(flow.state.name).toBe("over");
});

test("at the base there is nothing before", () => {
  flow.take(walk(1));
  expect(flow.answer("already_wrong")).toBeNull();
  expect(flow.answer("this_step")).toBe(1);
});

test("an answer that the hub refuses stays on the screen with the reason", () => {
  flow.take(walk(3));
  flow.answer("already_wrong");
  const problem = { type: "", title: "", status: 409, detail: "It asks about another image now.", request_id: "" };
  flow.answered(result("a", { kind: "walk", ok: false, problem }));
  expect(flow.state).toMatchObject({ name: "refused", reason: problem.detail });
  expect(flow.asked?.candidate.id).toBe(3);
});

test("a base image is killed without a walk", () => {
  flow.take(null);
  expect(flow.state.name).toBe("over");
});
