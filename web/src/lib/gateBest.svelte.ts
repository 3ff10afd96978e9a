// The best images of each step of a run, from the run's table; read again at a pace that its size
// allows, because a run of ten thousand images is a table of a megabyte.
import { api } from "../api/client";
import type { CandidateTable } from "../api/types";
import { live } from "./live.svelte";
import { throttled } from "./page.svelte";

export interface Best {
  id: number;
  rank: number;
  elo: number;
  votes: number;
  advances: boolean;
  hash: string;
  thumbhash: string;
}

/** Milliseconds between two readings: at least so many, and more for a long table. */
const PACE = { least: 3000, perImage: 2 };

export class BestWatch {
  /** By the order of the step. */
  steps = $state.raw<ReadonlyMap<number, readonly Best[]>>(new Map());
  #size = 0;

  constructor(
    readonly run: number,
    readonly most: number,
  ) {}

  open(): () => void {
    void this.load();
    let wanted = false;
    const often = throttled(PACE.least, () => {
      if (wanted) return;
      wanted = true;
      setTimeout(() => {
        wanted = false;
        void this.load();
      }, this.#size * PACE.perImage);
    });
    const kinds = ["candidate_made", "candidate_rejected", "candidate_restored", "rated", "gate_changed"] as const;
    const stops = kinds.map((kind) =>
      live.on(kind, (told) => {
        if (told.run_id === this.run) often();
      }),
    );
    stops.push(live.on("resync", often));
    return () => stops.forEach((stop) => stop());
  }

  async load(): Promise<void> {
    const table = await api.candidates(this.run).catch(() => null);
    if (!table) return;
    this.#size = table.columns.id.length;
    this.steps = bestOf(table, this.most);
  }
}

/** The best live images of each step: rating, then votes, then the older one. */
export function bestOf(table: Pick<CandidateTable, "columns">, most: number): Map<number, Best[]> {
  const c = table.columns;
  const at = (list: readonly number[], i: number) => list[i] ?? 0;
  const before = (a: number, b: number) => at(c.elo, b) - at(c.elo, a) || at(c.votes, b) - at(c.votes, a) || at(c.id, a) - at(c.id, b);
  const found = new Map<number, number[]>();
  c.id.forEach((_, i) => {
    if (c.status[i] === "rejected" || c.dead[i]) return;
    const order = at(c.step_order, i);
    const list = found.get(order) ?? [];
    const place = list.findIndex((each) => before(i, each) < 0);
    if (place === -1 && list.length >= most) return;
    list.splice(place === -1 ? list.length : place, 0, i);
    if (list.length > most) list.pop();
    found.set(order, list);
  });
  const best = (i: number, rank: number): Best => ({
    id: at(c.id, i),
    rank: rank + 1,
    elo: at(c.elo, i),
    votes: at(c.votes, i),
    advances: c.advances[i] ?? false,
    hash: c.hash[i] ?? "",
    thumbhash: c.thumbhash[i] ?? "",
  });
  return new Map([...found].map(([order, list]) => [order, list.map(best)]));
}
