// Acts on their way to the hub. Each is stored in this browser first, sent in order, and dropped
// only when the hub has answered for it; the hub takes the same id twice without harm.
import { createStore, del, entries, set, type UseStore } from "idb-keyval";
import { Refused, Unreachable } from "../api/client";
import type { Act, ActResult, Problem } from "../api/types";

export interface Waiting {
  /** Sorts by the order in which acts were done, also after a reload. */
  key: string;
  act: Act;
  label: string;
  at: number;
}
export type OutboxState =
  | { name: "idle" }
  | { name: "sending" }
  | { name: "retrying"; at: number; attempt: number }
  | { name: "signed out" };

export interface Post {
  send: (acts: Act[]) => Promise<{ results: ActResult[] }>;
  answered: (act: Act, result: ActResult) => void;
  /** An attempt failed; there will be another. */
  stuck: () => void;
  /** Milliseconds; the clock and the timer are handed in so that tests own them. */
  now: () => number;
  /** Once the effect of the act is on the screen. */
  soon: (run: () => void) => void;
  later: (run: () => void, milliseconds: number) => () => void;
}

/** Acts in one request. */
const BATCH = 20;
/** The longest wait between two attempts, in milliseconds. */
const LONGEST_WAIT = 60_000;

export class Outbox {
  waiting = $state.raw<readonly Waiting[]>([]);
  state = $state.raw<OutboxState>({ name: "idle" });
  #store: UseStore;
  #cancelTimer: (() => void) | null = null;
  #attempt = 0;
  #last = 0;
  #single = false;

  constructor(
    readonly post: Post,
    name = "shortlist",
  ) {
    this.#store = createStore(name, "outbox");
  }

  /** Takes up what an earlier visit left behind. */
  async open(): Promise<void> {
    const stored = await entries<string, Waiting>(this.#store).catch(() => []);
    const known = new Set(this.waiting.map((item) => item.key));
    const left = stored.map(([, item]) => item).filter((item) => !known.has(item.key));
    // What was done here meanwhile came later, whatever a clock that was set back says.
    this.waiting = [...left.sort((a, b) => (a.key < b.key ? -1 : 1)), ...this.waiting];
    this.flush();
  }

  async add(act: Act, label: string): Promise<void> {
    const item = { key: this.#key(act), act, label, at: this.post.now() };
    this.waiting = [...this.waiting, item];
    // A browser that refuses storage still votes; what it loses on closing it can't help.
    await set(item.key, item, this.#store).catch(() => undefined);
    this.post.soon(() => this.flush());
  }

  /** Sends now what waits, unless a request is under way. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    if (this.state.name === "sending" || this.waiting.length === 0) return;
    this.state = { name: "sending" };
    void this.#send();
  }

  drop(key: string): void {
    this.waiting = this.waiting.filter((item) => item.key !== key);
    void del(key, this.#store).catch(() => undefined);
  }

  async #send(): Promise<void> {
    const batch = this.waiting.slice(0, this.#single ? 1 : BATCH);
    try {
      const { results } = await this.post.send(batch.map((item) => item.act));
      if (results.length < batch.length) throw new Unreachable("an answer with too few results");
      batch.forEach((item, index) => this.#settle(item, results[index]));
      this.#attempt = 0;
      this.#single = batch.length === 1 && this.#single && this.waiting.length > 0;
      this.#done();
    } catch (fault) {
      this.#failed(batch, fault);
    }
  }

  #settle(item: Waiting, result: ActResult | undefined): void {
    if (!result) return;
    this.drop(item.key);
    this.post.answered(item.act, result);
  }

  #done(): void {
    this.state = { name: "idle" };
    this.flush();
  }

  #failed(batch: Waiting[], fault: unknown): void {
    if (fault instanceof Refused && fault.problem.status === 401) {
      this.state = { name: "signed out" };
      return;
    }
    if (fault instanceof Refused && fault.problem.status < 500 && fault.problem.status !== 429) {
      this.#refuse(batch, fault.problem);
      return;
    }
    const wait = Math.min(LONGEST_WAIT, 1000 * 2 ** this.#attempt);
    this.#attempt += 1;
    this.state = { name: "retrying", at: this.post.now() + wait, attempt: this.#attempt };
    this.#cancelTimer = this.post.later(() => this.flush(), wait);
    this.post.stuck();
  }

  /** The hub refused a whole request: send its acts one by one, and give up the one at fault. */
  #refuse(batch: Waiting[], problem: Problem): void {
    const [item] = batch;
    if (batch.length === 1 && item) {
      const nothing = { ratings: null, rejected: null, walk: null, undone: null, strained: false };
      this.#settle(item, { id: item.act.id, ok: false, repeated: false, problem, kind: item.act.kind, label: item.label, ...nothing });
    }
    this.#single = this.waiting.length > 0;
    this.#done();
  }

  #key(act: Act): string {
    const newest = this.waiting.at(-1);
    this.#last = Math.max(this.#last + 1, this.post.now(), newest ? Number(newest.key.split(" ")[0]) + 1 : 0);
    return `${String(this.#last).padStart(15, "0")} ${act.id}`;
  }
}
