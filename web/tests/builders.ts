// Values for tests, as small as they can be.
import type { ActResult, Card, DeckAnswer, Pair, Shown } from "../src/api/types";

export function shown(id: number): Shown {
  return { id, regions: [], picture: { hash: `hash${id}`, width: 768, height: 1024, thumbhash: "", media_type: "image/png" } };
}

export function pair(left: number, right: number, stepOrder = 4): Pair {
  const key = `${Math.min(left, right)}-${Math.max(left, right)}`;
  return { key, run_id: 1, step_id: stepOrder, step_name: "Upscale", step_order: stepOrder, left: shown(left), right: shown(right), parent_id: null, repeat: false };
}

export function answer(pairs: Pair[], rest: Partial<DeckAnswer> = {}): DeckAnswer {
  return { pairs, step: null, run: null, waiting: null, single: null, remaining: pairs.length, finish: null, ...rest };
}

export function card(id: number, parent: number | null, order: number, rest: Partial<Card> = {}): Card {
  const made = { run_id: 1, step_id: order, step_order: order, parent_id: parent, status: "active" as const, dead: false, advances: true };
  const counts = { elo: 1000, votes: 0, stars: null, children: 0, child_limit: 3, in_flight: 0, parked: false, seed: 1, created_at: "2026-01-01T00:00:00Z" };
  return { ...shown(id), ...made, ...counts, ...rest };
}

export function result(id: string, rest: Partial<ActResult> = {}): ActResult {
  return { id, ok: true, repeated: false, problem: null, kind: "vote", label: "", ratings: null, rejected: null, walk: null, undone: null, strained: false, ...rest };
}

/** Lets all promises that are ready go on. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
