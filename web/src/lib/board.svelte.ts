// The board of one run: its columns in an order that holds still under the pointer, and the
// lineage that is lit.
import { untrack } from "svelte";
import { api } from "../api/client";
import type { Run, Step } from "../api/types";
import { Entities } from "./entities.svelte";
import { live, type Told } from "./live.svelte";
import { throttled } from "./page.svelte";

/** How soon a column that nobody looks into is sorted anew, in milliseconds. */
const SETTLE = 800;

/** One step: an order made at a moment, and what has happened since. */
export class Lane {
  ids = $state.raw<readonly number[]>([]);
  gone = $state.raw<readonly number[]>([]);
  moved = $state(0);
  fresh = $state(0);
  /** Pointed at, focused or scrolled: nothing may move. */
  held = $state(false);
  #moved = new Set<number>();
  readonly settle: () => void;

  constructor(
    readonly step: Step,
    readonly entities: Entities,
  ) {
    this.settle = throttled(SETTLE, () => {
      if (!this.held) this.sort();
    });
  }

  sort(): void {
    const all = this.entities.inStep(this.step.order).sort((a, b) => this.entities.compare(a, b));
    this.ids = all.filter((id) => this.entities.isLive(id));
    this.gone = all.filter((id) => !this.entities.isLive(id));
    this.#moved.clear();
    this.moved = 0;
    this.fresh = 0;
  }

  changed(id: number): void {
    this.#moved.add(id);
    this.moved = this.#moved.size;
    this.settle();
  }

  arrived(): void {
    this.fresh += 1;
    this.settle();
  }

  hold(on: boolean): void {
    this.held = on;
    if (!on && this.moved + this.fresh > 0) this.settle();
  }
}

export type BoardState = { name: "loading" } | { name: "ready" } | { name: "failed"; problem: Error };

export class Board {
  readonly entities = new Entities();
  state = $state.raw<BoardState>({ name: "loading" });
  lanes = $state.raw<readonly Lane[]>([]);
  run = $state.raw<Run | null>(null);
  /** The image that the keys act on. */
  focused = $state<number | null>(null);
  pointed = $state<number | null>(null);
  /** Its lineage stays lit when the pointer leaves. */
  isolated = $state<number | null>(null);
  /** Jobs under way by parent. */
  busy = $derived.by(() => this.#busy());
  lit = $derived.by(() => this.#lineage(this.isolated ?? this.pointed ?? this.focused));
  #refreshRun: () => void;

  constructor(readonly runId: number) {
    this.#refreshRun = throttled(1500, () => void this.#loadRun());
  }

  open(): () => void {
    void this.load();
    const mine = <T extends { run_id: number | null }>(act: (data: T) => void) => (data: T) => {
      if (data.run_id === this.runId) act(data);
    };
    const stops = [
      live.on("candidate_made", mine((data) => this.#made(data))),
      live.on("rated", mine((data) => this.#rated(data))),
      live.on("kept", mine(({ candidate, stars }) => this.entities.patch(candidate, { stars }))),
      live.on("candidate_rejected", mine((data) => this.#turned(data.root_id, true))),
      live.on("candidate_restored", mine((data) => this.#turned(data.root_id, false))),
      live.on("job_changed", mine(this.#refreshRun)),
      live.on("run_changed", mine(this.#refreshRun)),
      live.on("gate_changed", mine(() => void this.load())),
      live.on("resync", () => void this.load()),
    ];
    return () => stops.forEach((stop) => stop());
  }

  async load(): Promise<void> {
    try {
      const [table] = await Promise.all([api.candidates(this.runId), this.#loadRun()]);
      this.entities.load(table);
      this.lanes = table.steps.map((step) => new Lane(step, this.entities));
      for (const lane of this.lanes) lane.sort();
      this.state = { name: "ready" };
    } catch (problem) {
      this.state = { name: "failed", problem: problem as Error };
    }
  }

  name(id: number): string {
    const order = this.entities.rows.get(id)?.order;
    return `${this.lanes.find((lane) => lane.step.order === order)?.step.name ?? ""}-${id}`;
  }

  sortAll(): void {
    for (const lane of this.lanes) lane.sort();
  }

  /** The image that a key leads to from the focused one. */
  neighbour(where: "parent" | "child" | "next" | "previous" | "first" | "last"): number | null {
    const from = this.focused;
    const row = from === null ? undefined : this.entities.rows.get(from);
    if (from === null || !row) return this.lanes.find((lane) => lane.ids.length > 0)?.ids[0] ?? null;
    if (where === "parent") return row.parent ?? this.#across(row.order, -1);
    if (where === "child") return this.entities.bestChild(from) ?? this.#across(row.order, 1);
    const ids = this.#lane(row.order)?.ids ?? [];
    const index = ids.indexOf(from);
    const target = { next: index + 1, previous: index - 1, first: 0, last: ids.length - 1 }[where];
    return ids[target] ?? null;
  }

  #across(order: number, by: number): number | null {
    return this.#lane(order + by)?.ids[0] ?? null;
  }

  #lane(order: number): Lane | undefined {
    return this.lanes.find((lane) => lane.step.order === order);
  }

  async #loadRun(): Promise<void> {
    this.run = await api.run(this.runId);
  }

  #made({ candidate }: Told["candidate_made"]): void {
    const known = this.entities.rows.has(candidate.id);
    this.entities.add(candidate);
    if (!known) this.#lane(candidate.step_order)?.arrived();
    this.#refreshRun();
  }

  #rated({ ratings }: Told["rated"]): void {
    for (const [key, { elo, votes }] of Object.entries(ratings)) {
      const id = Number(key);
      const before = this.entities.rows.get(id);
      if (!before) continue;
      this.entities.patch(id, { elo, votes });
      if (before.elo !== elo) this.#lane(before.order)?.changed(id);
    }
  }

  #turned(root: number, rejected: boolean): void {
    this.entities.patch(root, { rejected });
    for (const id of [root, ...this.entities.descendants(root)]) {
      // The same values in a new row: cards below look up whether they are live.
      this.entities.patch(id, {});
      const order = this.entities.rows.get(id)?.order;
      if (order !== undefined) this.#lane(order)?.changed(id);
    }
    this.#refreshRun();
  }

  #busy(): Map<number, number> {
    const busy = new Map<number, number>();
    for (const job of this.run?.jobs_in_flight ?? []) {
      if (job.parent_id !== null) busy.set(job.parent_id, (busy.get(job.parent_id) ?? 0) + 1);
    }
    return busy;
  }

  #lineage(id: number | null): ReadonlyMap<number, "self" | "up" | "down"> | null {
    if (id === null || this.state.name !== "ready") return null;
    return untrack(() => {
      const lit = new Map<number, "self" | "up" | "down">([[id, "self"]]);
      for (const each of this.entities.ancestors(id)) lit.set(each, "up");
      for (const each of this.entities.descendants(id)) lit.set(each, "down");
      return lit;
    });
  }
}

/** The rows of a grid that are to be drawn, when all have the same height. */
export function visibleRows(scrollTop: number, height: number, rowHeight: number, rows: number): { from: number; to: number } {
  const OVERSCAN = 2;
  const from = Math.max(0, Math.floor(scrollTop / rowHeight) - OVERSCAN);
  const to = Math.min(rows, Math.ceil((scrollTop + height) / rowHeight) + OVERSCAN);
  return { from: Math.min(from, rows), to };
}
