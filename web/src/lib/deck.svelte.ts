// The pairs ahead. The pair being judged lies on top of the next ones, which are already in the
// page at full size, so that a vote only uncovers what is painted. Nothing here waits for the hub.
import type { DeckAnswer, FinishLine, Pair, Shown } from "../api/types";

/** One showing of a pair; the same pair shown again later is another showing. */
export class Showing {
  ready = $state({ left: false, right: false });
  broken = $state({ left: false, right: false });
  /** When both pictures were painted, in milliseconds of the page's own clock. */
  shownAt = $state<number | null>(null);

  constructor(
    readonly serial: number,
    readonly pair: Pair,
  ) {}

  get painted(): boolean {
    return this.ready.left && this.ready.right;
  }
}

export type DeckState =
  | { name: "loading" }
  | { name: "pairs" }
  | { name: "waiting"; answer: DeckAnswer }
  | { name: "single"; answer: DeckAnswer }
  | { name: "done"; answer: DeckAnswer }
  | { name: "failed"; problem: Error };

/**
 * How far ahead: pairs known, and when more are asked for; pairs fetched, decoded, and laid out
 * under the current one.
 */
export interface Depth {
  known: number;
  low: number;
  fetched: number;
  decoded: number;
  under: number;
}
export const DESK: Depth = { known: 8, low: 5, fetched: 8, decoded: 3, under: 2 };
export const PHONE: Depth = { known: 30, low: 22, fetched: 24, decoded: 2, under: 1 };

export interface Feed {
  more: (count: number, exclude: string) => Promise<DeckAnswer>;
  /** Keys of pairs that are judged here and not yet known to the hub. */
  unsent: () => string[];
  prefetch: (fetched: string[], decoded: string[]) => void;
  /** Calls back when what was changed in the page has been painted. */
  afterPaint: (run: () => void) => void;
  /** The same, a moment later: for what must not slow the paint down. */
  soon: (run: () => void) => void;
  now: () => number;
}

export class Deck {
  queue = $state.raw<readonly Showing[]>([]);
  /** The pair judged last stays in the page, so that undo is as quick as a vote. */
  previous = $state.raw<Showing | null>(null);
  state = $state.raw<DeckState>({ name: "loading" });
  /** Pairs that still count, as the hub last said. */
  remaining = $state<number | null>(null);
  /** How surely the best of this step are known, and about how many votes are to go. */
  finish = $state.raw<FinishLine | null>(null);
  layers = $derived.by(() => this.#layers());
  #laidOut = $state(0);
  #serial = 0;
  #asking = false;
  #generation = 0;
  #again = false;

  constructor(
    readonly feed: Feed,
    readonly depth: Depth,
  ) {
    this.#laidOut = depth.under + 1;
  }

  get current(): Showing | null {
    return this.queue[0] ?? null;
  }

  /** Uncovers the next pair; true if there was one to put away. */
  advance(): boolean {
    const [current, ...rest] = this.queue;
    if (!current) return false;
    this.previous = current;
    // A further pair is laid out once this one is on the screen.
    this.#laidOut = Math.max(1, this.#laidOut - 1);
    this.#set(rest);
    if (this.remaining !== null && this.remaining > 0) this.remaining -= 1;
    this.feed.soon(() => void this.fill());
    return true;
  }

  /** The winner of the pair just judged stays on its side and meets an image of the next pair. */
  stay(judged: Pair, side: "left" | "right"): void {
    const [next, ...rest] = this.queue;
    const pair = next && challenge(judged, side, next.pair);
    if (pair && !this.feed.unsent().includes(pair.key)) this.#set([this.#showing(pair), ...rest]);
  }

  /** Puts a pair back on top, with the very sides it had. */
  restore(pair: Pair): void {
    const back = this.previous?.pair.key === pair.key && this.previous.pair.left.id === pair.left.id ? this.previous : this.#showing(pair);
    this.previous = null;
    this.#set([back, ...this.queue.filter((showing) => showing.pair.key !== pair.key)]);
  }

  /** Takes away all pairs with one of these candidates; true if the current pair went. */
  remove(ids: ReadonlySet<number>): boolean {
    return this.#keep(({ pair }) => !ids.has(pair.left.id) && !ids.has(pair.right.id));
  }

  /** Takes away these pairs; true if the current one was among them. */
  withdraw(keys: readonly string[]): boolean {
    return this.#keep(({ pair }) => !keys.includes(pair.key));
  }

  #keep(wanted: (showing: Showing) => boolean): boolean {
    const current = this.current;
    const kept = this.queue.filter(wanted);
    if (kept.length === this.queue.length) return false;
    this.#set(kept);
    void this.fill();
    return current !== this.current;
  }

  /** Keeps the first pairs, drops the others and asks anew: the tree or the choice of step has changed. */
  renew(keep: number): void {
    this.#generation += 1;
    this.#set(this.queue.slice(0, keep));
    if (keep === 0) {
      this.previous = null;
      this.state = { name: "loading" };
    }
    void this.fill();
  }

  /** Asks for more when few are left. */
  async fill(): Promise<void> {
    if (this.queue.length > this.depth.low) return;
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#asking = true;
    const generation = this.#generation;
    try {
      const answer = await this.feed.more(this.depth.known, this.#exclude());
      // A column may have given all it has, and another one more.
      if (generation === this.#generation) this.#again = this.#take(answer) > 0 || this.#again;
    } catch (fault) {
      if (this.queue.length === 0) this.state = { name: "failed", problem: fault instanceof Error ? fault : new Error(String(fault)) };
    } finally {
      this.#asking = false;
    }
    if (generation !== this.#generation || this.#again) {
      this.#again = false;
      void this.fill();
    }
  }

  /** The finish line of a step moved. */
  settled(line: FinishLine): void {
    const pair = this.current?.pair;
    if (pair?.run_id === line.run_id && pair.step_id === line.step_id && (this.finish?.top ?? line.top) === line.top) this.finish = line;
  }

  /** The pair on top is shown anew: it was covered for a while. */
  again(): void {
    if (this.current) this.current.shownAt = null;
    this.#stamp();
  }

  pictureReady(showing: Showing, side: "left" | "right"): void {
    showing.ready[side] = true;
    showing.broken[side] = false;
    this.#stamp();
  }

  pictureBroken(showing: Showing, side: "left" | "right"): void {
    showing.broken[side] = true;
  }

  /** Takes up new pairs; gives how many. */
  #take(answer: DeckAnswer): number {
    this.remaining = answer.remaining;
    this.finish = answer.finish;
    const known = new Set([...this.queue.map((showing) => showing.pair.key), ...this.feed.unsent()]);
    const fresh = answer.pairs.filter((pair) => !known.has(pair.key));
    const room = this.depth.known - this.queue.length;
    const last = this.queue.at(-1)?.pair ?? null;
    const added = spread(fresh.slice(0, Math.max(room, 0)), last).map((pair) => this.#showing(pair));
    this.#set([...this.queue, ...added]);
    if (this.queue.length === 0) this.state = emptied(answer);
    return added.length;
  }

  #set(queue: readonly Showing[]): void {
    const before = this.current;
    this.queue = queue;
    if (queue.length > 0) this.state = { name: "pairs" };
    else if (this.state.name === "pairs") this.state = { name: "loading" };
    if (this.current && this.current !== before) {
      this.current.shownAt = null;
      this.#stamp();
    }
    this.feed.afterPaint(() => (this.#laidOut = this.depth.under + 1));
    // Loads that are for later must not compete with what is being uncovered.
    this.feed.soon(() => this.#look());
  }

  #stamp(): void {
    const showing = this.current;
    if (!showing?.painted || showing.shownAt !== null) return;
    this.feed.afterPaint(() => {
      if (showing === this.current && showing.shownAt === null) showing.shownAt = this.feed.now();
    });
  }

  #look(): void {
    const hashes = (showings: readonly Showing[]) => showings.flatMap(({ pair }) => [pair.left.picture.hash, pair.right.picture.hash]);
    const laidOut = this.depth.under + 1;
    this.feed.prefetch(hashes(this.queue.slice(laidOut, this.depth.fetched)), hashes(this.queue.slice(laidOut, this.depth.decoded + 1)));
  }

  #layers(): { showing: Showing; place: "current" | "under" | "previous" }[] {
    const laidOut = this.queue.slice(0, this.#laidOut).map((showing, index) => {
      return { showing, place: index === 0 ? ("current" as const) : ("under" as const) };
    });
    const previous = this.previous;
    if (!previous || laidOut.some(({ showing }) => showing === previous)) return laidOut;
    return [...laidOut, { showing: previous, place: "previous" as const }];
  }

  #showing(pair: Pair): Showing {
    this.#serial += 1;
    return new Showing(this.#serial, pair);
  }

  /** In the order of showing, so that the hub does not begin with a picture just shown. */
  #exclude(): string {
    return [...new Set([...this.feed.unsent(), ...this.queue.map((showing) => showing.pair.key)])].join(",");
  }
}

function emptied(answer: DeckAnswer): DeckState {
  if (answer.single) return { name: "single", answer };
  return answer.waiting ? { name: "waiting", answer } : { name: "done", answer };
}

/** The same pairs, so ordered that no picture comes twice in a row where that can be helped. */
export function spread(pairs: readonly Pair[], last: Pair | null): Pair[] {
  const left = [...pairs];
  const ordered: Pair[] = [];
  let before = last;
  while (left.length > 0) {
    const apart = left.findIndex((pair) => !before || !shares(pair, before));
    const [next] = left.splice(Math.max(apart, 0), 1);
    if (!next) break;
    ordered.push(next);
    before = next;
  }
  return ordered;
}

/** The winner of one pair against an image of another; null where the two are of different steps. */
function challenge(judged: Pair, side: "left" | "right", next: Pair): Pair | null {
  const across = judged.parent_id !== null || next.parent_id !== null;
  if (across || judged.run_id !== next.run_id || judged.step_id !== next.step_id) return null;
  const champion = judged[side];
  const seen = [judged.left.id, judged.right.id];
  const challenger = [next.right, next.left].find((image) => !seen.includes(image.id));
  if (!challenger) return null;
  const ids = [champion.id, challenger.id].sort((a, b) => a - b);
  const sides = side === "left" ? { left: champion, right: challenger } : { left: challenger, right: champion };
  return { ...next, ...sides, key: ids.join("-"), repeat: false };
}

function shares(pair: Pair, other: Pair): boolean {
  const ids = (each: Pair): Shown["id"][] => [each.left.id, each.right.id];
  return ids(pair).some((id) => ids(other).includes(id));
}
