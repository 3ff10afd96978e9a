// All images of one run by id, with their family, kept true by the event stream. Looking up one
// image depends on that image alone, so a change redraws one card and not ten thousand.
import { SvelteMap } from "svelte/reactivity";
import type { CandidateTable, Card, Step } from "../api/types";

export interface Row {
  id: number;
  parent: number | null;
  order: number;
  rejected: boolean;
  advances: boolean;
  elo: number;
  votes: number;
  /** A person kept it, with so many stars; null: not. */
  stars: number | null;
  hash: string;
  width: number;
  height: number;
  thumbhash: string;
}

export class Entities {
  readonly rows = new SvelteMap<number, Row>();
  steps = $state.raw<readonly Step[]>([]);
  #children = new Map<number, number[]>();

  load(table: CandidateTable): void {
    this.rows.clear();
    this.#children.clear();
    this.steps = table.steps;
    const c = table.columns;
    c.id.forEach((id, i) => {
      this.#put({
        id,
        parent: c.parent_id[i] ?? null,
        order: c.step_order[i] ?? 0,
        rejected: c.status[i] === "rejected",
        advances: c.advances[i] ?? false,
        elo: c.elo[i] ?? 0,
        votes: c.votes[i] ?? 0,
        stars: c.stars[i] ?? null,
        hash: c.hash[i] ?? "",
        width: c.width[i] ?? 1,
        height: c.height[i] ?? 1,
        thumbhash: c.thumbhash[i] ?? "",
      });
    });
  }

  add(card: Card): void {
    const { picture } = card;
    this.#put({
      id: card.id,
      parent: card.parent_id,
      order: card.step_order,
      rejected: card.status === "rejected",
      advances: card.advances,
      elo: card.elo,
      votes: card.votes,
      stars: card.stars,
      hash: picture.hash,
      width: picture.width,
      height: picture.height,
      thumbhash: picture.thumbhash,
    });
  }

  patch(id: number, change: Partial<Row>): void {
    const row = this.rows.get(id);
    if (row) this.rows.set(id, { ...row, ...change });
  }

  childrenOf(id: number): readonly number[] {
    return this.#children.get(id) ?? [];
  }

  /** From the base image to the parent. */
  ancestors(id: number): number[] {
    const found: number[] = [];
    for (let at = this.rows.get(id)?.parent ?? null; at !== null; at = this.rows.get(at)?.parent ?? null) found.unshift(at);
    return found;
  }

  descendants(id: number): number[] {
    const found: number[] = [];
    const open = [...this.childrenOf(id)];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      found.push(at);
      open.push(...this.childrenOf(at));
    }
    return found;
  }

  /** Neither rejected nor made from something rejected. */
  isLive(id: number): boolean {
    return ![...this.ancestors(id), id].some((each) => this.rows.get(each)?.rejected ?? true);
  }

  siblings(id: number): number[] {
    const row = this.rows.get(id);
    if (!row) return [];
    const all = row.parent === null ? this.inStep(row.order) : [...this.childrenOf(row.parent)];
    return all.filter((each) => this.rows.get(each)?.order === row.order).sort((a, b) => this.compare(a, b));
  }

  inStep(order: number): number[] {
    return [...this.rows.values()].filter((row) => row.order === order).map((row) => row.id);
  }

  bestChild(id: number): number | null {
    const [best] = this.childrenOf(id).filter((child) => this.isLive(child)).sort((a, b) => this.compare(a, b));
    return best ?? this.childrenOf(id)[0] ?? null;
  }

  /** The ranking of the contract: rating, then votes, then the older one. */
  compare(a: number, b: number): number {
    const [left, right] = [this.rows.get(a), this.rows.get(b)];
    if (!left || !right) return a - b;
    return right.elo - left.elo || right.votes - left.votes || a - b;
  }

  #put(row: Row): void {
    const known = this.rows.has(row.id);
    this.rows.set(row.id, row);
    if (known || row.parent === null) return;
    const family = this.#children.get(row.parent);
    if (family) family.push(row.id);
    else this.#children.set(row.parent, [row.id]);
  }
}
