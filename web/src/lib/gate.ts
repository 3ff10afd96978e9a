// Who a gate lets through, computed in the frame in which the slider moves. The rule is the hub's
// own; images are always given in its ranking order, best first, and named by their place in it.
import type { Gate } from "../api/types";

export type Pin = "always" | "never" | null;

export interface GateImage {
  id: number;
  /** From 1, the best. */
  rank: number;
  base: number;
  elo: number;
  votes: number;
  /** Images made of it in the next step. */
  below: number;
  /** It is in the set that goes on now. */
  advances: boolean;
  pin: Pin;
  hash: string;
  width: number;
  height: number;
  thumbhash: string;
}

export function imagesOf(gate: Gate): GateImage[] {
  const all = gate.images;
  return all.id.map((id, i) => ({
    id,
    rank: i + 1,
    base: all.base_id[i] ?? 0,
    elo: all.elo[i] ?? 0,
    votes: all.votes[i] ?? 0,
    below: all.below[i] ?? 0,
    advances: all.advances[i] ?? false,
    pin: all.pin[i] ?? null,
    hash: all.hash[i] ?? "",
    width: all.width[i] ?? 1,
    height: all.height[i] ?? 1,
    thumbhash: all.thumbhash[i] ?? "",
  }));
}

/**
 * The places of the images let through: the pinned ones, then the best up to `k` in all, at most
 * `perBase` of one base image. More pins than `k` all go through.
 */
export function through(images: readonly Pick<GateImage, "base" | "pin">[], k: number, perBase: number | null): number[] {
  const chosen = new Uint8Array(images.length);
  const ofBase = new Map<number, number>();
  let count = 0;
  const take = (i: number, base: number) => {
    chosen[i] = 1;
    count += 1;
    ofBase.set(base, (ofBase.get(base) ?? 0) + 1);
  };
  images.forEach(({ base, pin }, i) => pin === "always" && take(i, base));
  for (let i = 0; i < images.length && count < k; i += 1) {
    const image = images[i];
    if (!image || image.pin !== null) continue;
    const full = perBase !== null && (ofBase.get(image.base) ?? 0) >= perBase;
    if (!full) take(i, image.base);
  }
  return images.flatMap((_, i) => (chosen[i] ? [i] : []));
}

export const nextPin = (pin: Pin): Pin => (pin === null ? "always" : pin === "always" ? "never" : null);

/** How sure a ranking is with so many votes each in the middle; 0 is close to a guess, 3 says nothing. */
export function doubt(votes: readonly number[]): 0 | 1 | 2 | 3 {
  const middle = median(votes);
  return middle < 3 ? 0 : middle < 5 ? 1 : middle < 12 ? 2 : 3;
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? upper) + upper) / 2;
}

/** The base image that most of the chosen come from, and how many of them. */
export function mainBase(images: readonly GateImage[], chosen: readonly number[]): { base: number; count: number; bases: number } {
  const counts = new Map<number, number>();
  let best = { base: 0, count: 0 };
  for (const i of chosen) {
    const base = images[i]?.base ?? 0;
    const count = (counts.get(base) ?? 0) + 1;
    counts.set(base, count);
    if (count > best.count) best = { base, count };
  }
  return { ...best, bases: counts.size };
}

/** What decided between the last image in and the first one out, where their ratings are the same. */
export function tieAtCut(images: readonly GateImage[], chosen: readonly number[]): "votes" | "age" | null {
  const inside = new Set(chosen);
  const last = chosen.findLast((i) => images[i]?.pin === null);
  const first = images.findIndex((image, i) => !inside.has(i) && image.pin === null);
  const [a, b] = [images[last ?? -1], images[first]];
  if (!a || !b || b.rank < a.rank || a.elo !== b.elo) return null;
  return a.votes === b.votes ? "age" : "votes";
}

/** The K within a few of `k` after which the ratings fall most; null where they do not fall. */
export function widestGap(images: readonly Pick<GateImage, "elo">[], k: number): number | null {
  const NEAR = 5;
  let best: number | null = null;
  let widest = 0;
  for (let cut = Math.max(1, k - NEAR); cut <= Math.min(images.length - 1, k + NEAR); cut += 1) {
    const gap = (images[cut - 1]?.elo ?? 0) - (images[cut]?.elo ?? 0);
    if (gap > widest) [best, widest] = [cut, gap];
  }
  return best;
}

export interface Change {
  enter: number[];
  leave: number[];
  /** Images made of those that would leave. */
  stranded: number;
}

/** What another decision would change about the set that goes on now. */
export function changeOf(images: readonly GateImage[], chosen: readonly number[]): Change {
  const inside = new Set(chosen);
  const enter = chosen.filter((i) => !images[i]?.advances);
  const leave = images.flatMap((image, i) => (image.advances && !inside.has(i) ? [i] : []));
  return { enter, leave, stranded: leave.reduce((sum, i) => sum + (images[i]?.below ?? 0), 0) };
}

export interface Cost {
  jobs: number;
  /** On all servers together; null before the first job of that step was measured. */
  seconds: number | null;
  bytes: number | null;
}

/** What the next step still has to make of the chosen. */
export function costOf(gate: Pick<Gate, "next_step" | "servers">, images: readonly GateImage[], chosen: readonly number[]): Cost {
  const step = gate.next_step;
  if (!step) return { jobs: 0, seconds: null, bytes: null };
  const jobs = chosen.reduce((sum, i) => sum + Math.max(0, step.max_children - (images[i]?.below ?? 0)), 0);
  const { seconds, bytes } = step.measured;
  return {
    jobs,
    seconds: seconds === null ? null : (jobs * seconds) / Math.max(1, gate.servers),
    bytes: bytes === null ? null : jobs * bytes,
  };
}
