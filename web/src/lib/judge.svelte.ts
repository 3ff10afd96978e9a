// What this person has done: the acts on their way, the history strip, undo and redo. It lives
// as long as the page, so that undo also works on another screen than the one of the act.
import { api } from "../api/client";
import type { Act, ActKind, ActResult, Pair, PastAct, Shown } from "../api/types";
import { words } from "../words";
import { newId } from "./ids";
import { Outbox, type Post } from "./outbox.svelte";
import { settings } from "./settings.svelte";
import { Stint } from "./stint";
import { toasts } from "./toasts.svelte";

export interface Entry {
  id: string;
  kind: ActKind;
  label: string;
  /** What was done, in a word or two. */
  word: string;
  left: Shown | null;
  right: Shown | null;
  chosen: "left" | "right" | "both" | "none";
  /** The pair to bring back; null for acts that were not done on a pair. */
  pair: Pair | null;
  /** The images that it rejected by themselves. */
  killed: readonly number[];
  state: "waiting" | "stored" | "refused" | "undone";
  /** Why it was refused. */
  note: string;
}
type Unsent<A = Act> = A extends Act ? Omit<A, "id"> : never;
export type NewAct = Unsent;

/** Acts that a screen can bring back without asking the hub. */
export const KEPT = 40;
const undoable: readonly ActKind[] = ["vote", "tie", "worst", "skip", "kill", "kill_both", "keep"];

export class Judge {
  entries = $state.raw<readonly Entry[]>([]);
  readonly outbox: Outbox;
  #redoable: string[] = [];
  #stint = new Stint();
  #undos = 0;
  #answered = new Set<(act: Act, result: ActResult) => void>();
  #turned = new Set<(entry: Entry, undone: boolean) => void>();
  #elsewhere = new Set<(act: Act) => void>();

  /** `told` is called with each act, and with null when the hub's log has changed. */
  constructor(
    post: Omit<Post, "answered">,
    readonly told: (act: Act | null) => void = () => undefined,
  ) {
    this.outbox = new Outbox({ ...post, answered: (act, result) => this.#settle(act, result) });
  }

  async open(): Promise<void> {
    await this.outbox.open();
    await this.load();
  }

  /** Reads the log of the hub, so that undo reaches over a reload and to another device. */
  async load(): Promise<void> {
    const past = await api.acts(20).catch(() => null);
    if (past === null) return;
    const known = new Set(past.map((act) => act.id));
    const here = this.entries.filter((entry) => !known.has(entry.id) && entry.state !== "stored");
    const before = new Map(this.entries.map((entry) => [entry.id, entry]));
    this.entries = [...here, ...past.filter((act) => act.kind !== "undo" && act.kind !== "redo" && act.kind !== "walk").map((act) => fromLog(act, before.get(act.id)))];
  }

  /** Hears what the hub answered to each act. */
  onAnswer(listener: (act: Act, result: ActResult) => void): () => void {
    this.#answered.add(listener);
    return () => this.#answered.delete(listener);
  }

  /** Hears at once which act was undone or done again here. */
  onTurn(listener: (entry: Entry, undone: boolean) => void): () => void {
    this.#turned.add(listener);
    return () => this.#turned.delete(listener);
  }

  /** Hears at once of an act in another tab. */
  onElsewhere(listener: (act: Act) => void): () => void {
    this.#elsewhere.add(listener);
    return () => this.#elsewhere.delete(listener);
  }

  /** What another tab's `told` was called with. */
  hear(act: Act | null): void {
    if (act) for (const listener of this.#elsewhere) listener(act);
    else void this.load();
  }

  /** Stores an act; gives its id. */
  act(act: NewAct, on: { pair?: Pair; chosen?: Entry["chosen"]; shown?: Shown } = {}): string {
    const whole = { ...act, id: newId() } as Act;
    const label = words.history[act.kind];
    // What is done inside a walk is undone with it.
    const alone = undoable.includes(act.kind) && !(act.kind === "kill" && act.walk);
    if (alone) {
      const pair = on.pair ?? null;
      const shown = { left: pair?.left ?? on.shown ?? null, right: pair?.right ?? null, chosen: on.chosen ?? "none" };
      this.#redoable = [];
      const due = this.#stint.act(performance.now());
      if (due) this.#suggest(words.vote.rest(due.minutes, due.acts));
      this.#put({ id: whole.id, kind: act.kind, label, word: label, ...shown, pair, killed: killedBy(whole), state: "waiting", note: "" });
    }
    else if (act.kind === "undo") this.#undos += 1;
    this.told(whole);
    void this.outbox.add(whole, label);
    return whole.id;
  }

  /** Tells of an act, with its undo. */
  tell(text: string, act: string): void {
    toasts.show(text, () => this.undoAct(act), act);
  }

  undo(): void {
    const entry = this.entries.find((each) => each.state === "waiting" || each.state === "stored");
    this.undoAct(entry?.id);
  }

  undoAct(id: string | undefined): void {
    const entry = this.entries.find((each) => each.id === id);
    if (entry) {
      toasts.drop(entry.id);
      this.#change(entry.id, { state: "undone" });
      this.#redoable.push(entry.id);
      for (const listener of this.#turned) listener(entry, true);
    }
    this.act({ kind: "undo", ...(id ? { target: id } : {}) });
  }

  redo(): void {
    const id = this.#redoable.pop();
    const entry = this.entries.find((each) => each.id === id);
    if (entry) {
      this.#change(entry.id, { state: "waiting" });
      for (const listener of this.#turned) listener(entry, false);
    }
    this.act({ kind: "redo" });
  }

  /** Takes back this person's own rejection of an image; false if none is known. */
  async restore(candidate: number): Promise<boolean> {
    const find = () => this.entries.find((entry) => entry.killed.includes(candidate) && (entry.state === "stored" || entry.state === "waiting"));
    if (!find()) await this.load();
    const entry = find();
    if (entry) this.undoAct(entry.id);
    return entry !== undefined;
  }

  /** Keys of the pairs that the hub does not know to be judged. */
  unsentPairs(): string[] {
    return this.outbox.waiting.flatMap(({ act }) => judgedPair(act) ?? []);
  }

  /** An act that the stream tells of was done on another device, as far as is known here. */
  isForeign(act: string | null | undefined): boolean {
    return Boolean(act) && !this.entries.some((entry) => entry.id === act);
  }

  /** The image that a kill still on its way to the hub rejects; null for what the hub knows. */
  unsentKill(id: string): Shown | null {
    const entry = this.outbox.waiting.some(({ act }) => act.id === id) && this.entries.find((each) => each.id === id);
    return (entry && [entry.left, entry.right].find((image) => image && entry.killed.includes(image.id))) || null;
  }

  /**
   * Which of these images are rejected, with or without their branch; none while the hub is away, and
   * none where an undo is on its way or sets out: the answer may tell of what was just taken back.
   */
  async rejectedOf(ids: readonly number[]): Promise<Set<number>> {
    const undos = this.#undos;
    if (ids.length === 0 || this.outbox.waiting.some(({ act }) => act.kind === "undo")) return new Set();
    const cards = await api.cards([...new Set(ids)]).catch(() => []);
    return new Set(undos === this.#undos ? cards.flatMap((card) => (card.dead || card.status === "rejected" ? [card.id] : [])) : []);
  }

  #settle(act: Act, result: ActResult): void {
    if (act.kind === "redo" || act.kind === "undo") this.#turnSettled(act, result);
    else this.#change(act.id, result.ok ? { state: "stored", label: result.label } : refusal(result));
    if (result.strained && this.#stint.strained(performance.now())) this.#suggest(words.vote.unlike);
    for (const listener of this.#answered) listener(act, result);
    this.told(null);
  }

  #suggest(pause: string): void {
    if (settings.breaks) toasts.hint(pause);
  }

  #turnSettled(act: Act, result: ActResult): void {
    if (!result.ok) {
      toasts.show(words.history.refused(result.problem?.detail ?? ""));
      void this.load();
      return;
    }
    toasts.say(result.label);
    const id = result.undone?.act_id;
    if (act.kind === "undo" && !act.target && id) this.#change(id, { state: "undone" });
    if (act.kind === "redo" && id) this.#change(id, { state: "stored" });
  }

  /** An act that was undone meanwhile stays undone in the strip, whatever its own answer was. */
  #change(id: string, change: Partial<Entry>): void {
    this.entries = this.entries.map((entry) => {
      if (entry.id !== id) return entry;
      const settled = entry.state === "undone" && change.state === "stored" ? { ...change, state: "undone" as const } : change;
      return { ...entry, ...settled };
    });
  }

  #put(entry: Entry): void {
    this.entries = [entry, ...this.entries].slice(0, KEPT);
  }
}

export const pairKey = (a: number, b: number): string => `${Math.min(a, b)}-${Math.max(a, b)}`;

/** The key of the pair that an act decides or puts off; null for other acts. */
export function judgedPair(act: Act): string | null {
  if (act.kind === "vote") return pairKey(act.winner, act.loser);
  return act.kind === "tie" || act.kind === "skip" || act.kind === "kill_both" ? pairKey(act.a, act.b) : null;
}

function refusal(result: ActResult): Partial<Entry> {
  return { state: "refused", note: result.problem?.detail ?? "" };
}

function killedBy(act: Act): number[] {
  if (act.kind === "kill_both") return [act.a, act.b];
  return act.kind === "kill" ? [act.candidate] : [];
}

/** An act of the log; what this page knows of it and the log does not is kept. */
function fromLog(act: PastAct, here: Entry | undefined): Entry {
  const { left, right } = act;
  const state = act.undone ? "undone" : "stored";
  // The step and the run are not in the log; the pair is shown without them.
  const pair = here?.pair ?? (left && right ? { key: pairKey(left.id, right.id), run_id: 0, step_id: 0, step_name: "", step_order: 0, left, right, parent_id: null, repeat: false } : null);
  const killed = act.kind.startsWith("kill") ? [left, right].filter((_, side) => act.chosen === "both" || act.chosen === (side === 0 ? "left" : "right")) : [];
  const ids = killed.flatMap((shown) => (shown ? [shown.id] : []));
  const word = act.kind in words.history ? words.history[act.kind as Act["kind"]] : act.label;
  return { id: act.id, kind: act.kind, label: act.label, word, left, right, chosen: act.chosen, pair, killed: here?.killed ?? ids, state, note: "" };
}
