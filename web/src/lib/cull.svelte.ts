// Culling: images come one by one or a page at a time, and every key shows its effect at once.
// What is done goes to the outbox like a vote; undo brings the image back to the front.
import { api } from "../api/client";
import type { Act, ActResult, CullAnswer, Shown } from "../api/types";
import { KEPT, type Entry, type Judge } from "./judge.svelte";
import { live } from "./live.svelte";
import { every } from "./page.svelte";
import { prefetch } from "./pictures";
import { toasts } from "./toasts.svelte";
import { cull as words } from "../words-cull";

export type PageSize = 1 | 6 | 12;
export interface CullChoice {
  run: number | null;
  /** The step's order in its pipeline, not its id. */
  step: number | null;
}
export type CullState = { name: "loading" } | { name: "ready" } | { name: "done" } | { name: "failed"; problem: Error };

/** Images asked for at a time; two of the largest pages. */
const BATCH = 24;
/** Fewer at hand than this, and more are fetched. */
const LOW = 14;
/** Pictures decoded ahead of their showing. */
const DECODED = 2;
/** How often an empty screen looks again by itself, in milliseconds. */
const LOOK = 5000;

export class Cull {
  queue = $state.raw<readonly Shown[]>([]);
  state = $state.raw<CullState>({ name: "loading" });
  column = $state.raw<{ run: number; runName: string; step: number; stepName: string } | null>(null);
  /** Images of the column behind those at hand. */
  beyond = $state(0);
  kept = $state(0);
  size = $state<PageSize>(1);
  /** Images of the page that are marked as broken. */
  marked = $state.raw<ReadonlySet<number>>(new Set());
  lastReject = $state.raw<{ id: string; image: Shown } | null>(null);
  #choice: CullChoice = { run: null, step: null };
  #done = new Map<string, Shown>();
  /** Images judged here; an answer that was under way may still bring them. */
  #judged = new Set<number>();
  #busy = false;
  #asked = 0;

  constructor(readonly judge: Judge) {}

  /** Begins to listen; the page shows the screen. Gives the way to stop. */
  open(choice: CullChoice): () => void {
    this.#choice = choice;
    this.#renew();
    const stops = [
      this.judge.onAnswer((act, result) => this.#answered(act, result)),
      this.judge.onTurn((entry, undone) => this.#turned(entry, undone)),
      live.on("candidate_made", () => this.#look()),
      live.on("kept", ({ candidate, stars }) => stars !== null && this.#gone(candidate)),
      live.on("candidate_rejected", ({ root_id }) => this.#gone(root_id)),
      live.on("resync", () => this.#renew()),
      every(LOOK, () => this.#look()),
    ];
    return () => stops.forEach((stop) => stop());
  }

  get current(): Shown | null {
    return this.queue[0] ?? null;
  }

  get page(): readonly Shown[] {
    return this.queue.slice(0, this.size);
  }

  get left(): number {
    return this.queue.length + this.beyond;
  }

  keep(stars = 0): void {
    const image = this.#take();
    if (image) this.#keep(image, stars);
  }

  reject(): void {
    const image = this.#take();
    if (image) this.#reject(image);
  }

  /** Puts the image behind the others at hand. */
  skip(): void {
    const image = this.#take();
    if (image) this.queue = [...this.queue, image];
  }

  resize(size: PageSize): void {
    this.size = size;
    this.marked = new Set();
    this.#ahead();
  }

  /** Marks the image at this place of the page as broken, or takes the mark off. */
  mark(place: number): void {
    const image = this.page[place];
    if (!image) return;
    const marked = new Set(this.marked);
    if (!marked.delete(image.id)) marked.add(image.id);
    this.marked = marked;
  }

  /** Rejects what is marked and keeps the rest of the page; gives the acts. */
  sweep(): { rejected: number; kept: number; undo: () => void } | null {
    const { page, marked } = this;
    if (page.length === 0) return null;
    this.queue = this.queue.slice(page.length);
    this.marked = new Set();
    const kept = page.filter((image) => !marked.has(image.id)).map((image) => this.#keep(image, 0));
    const rejected = page.filter((image) => marked.has(image.id)).map((image) => this.#reject(image));
    this.#ahead();
    const undo = () => [...rejected].reverse().concat([...kept].reverse()).forEach((id) => this.judge.undoAct(id));
    return { rejected: rejected.length, kept: kept.length, undo };
  }

  retry(): void {
    this.#renew();
  }

  #keep(image: Shown, stars: number): string {
    const id = this.judge.act({ kind: "keep", candidate: image.id, stars }, { shown: image });
    this.#settle(id, image);
    this.kept += 1;
    return id;
  }

  #reject(image: Shown): string {
    const id = this.judge.act({ kind: "kill", candidate: image.id }, { shown: image });
    this.#settle(id, image);
    this.lastReject = { id, image };
    return id;
  }

  #settle(id: string, image: Shown): void {
    this.#done.set(id, image);
    for (const [oldest] of this.#done) if (this.#done.size > KEPT) this.#done.delete(oldest);
    this.#judged.add(image.id);
  }

  #take(): Shown | null {
    const image = this.current;
    if (!image) return null;
    this.queue = this.queue.slice(1);
    this.#ahead();
    return image;
  }

  #turned(entry: Entry, undone: boolean): void {
    const image = this.#done.get(entry.id);
    if (!image) return;
    const others = this.queue.filter((each) => each.id !== image.id);
    this.queue = undone ? [image, ...others] : others;
    if (undone) this.#judged.delete(image.id);
    else this.#judged.add(image.id);
    if (entry.kind === "keep") this.kept += undone ? -1 : 1;
    if (undone) this.state = { name: "ready" };
    this.#ahead();
  }

  #answered(act: Act, result: ActResult): void {
    const turned = result.undone?.kind === "keep" || result.undone?.kind === "kill";
    // What was done on another screen or before a reload is not known here: ask for it.
    if (turned && result.undone && !this.#done.has(result.undone.act_id)) this.#renew();
    if (act.kind === "walk" && result.rejected) this.#renew();
    if (!result.ok && (act.kind === "keep" || act.kind === "kill") && this.#done.delete(act.id)) toasts.show(result.problem?.detail ?? words.elsewhere);
  }

  /** It was judged on another device: it leaves the queue, except where its undo is on its way. */
  #gone(candidate: number): void {
    if (this.judge.outbox.waiting.length > 0 || !this.queue.some((image) => image.id === candidate)) return;
    this.queue = this.queue.filter((image) => image.id !== candidate);
    this.#ahead();
  }

  #look(): void {
    if (this.queue.length < LOW) void this.#fill();
  }

  /** Forgets what is at hand and asks anew. */
  #renew(): void {
    this.#asked += 1;
    this.#judged.clear();
    this.#busy = false;
    this.queue = [];
    this.column = null;
    this.state = { name: "loading" };
    void this.#fill();
  }

  #ahead(): void {
    this.#prepare();
    if (this.queue.length < LOW && (this.beyond > 0 || this.queue.length === 0)) void this.#fill();
  }

  async #fill(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    const asked = this.#asked;
    try {
      let answer = await this.#ask();
      // The column ran out: the next one comes when the last of its images is judged.
      if (answer.images.length === 0 && this.queue.length === 0 && this.column && asked === this.#asked) {
        this.column = null;
        answer = await this.#ask();
      }
      if (asked === this.#asked) this.#receive(answer);
    } catch (fault) {
      if (asked === this.#asked && this.queue.length === 0) this.state = { name: "failed", problem: fault as Error };
    } finally {
      if (asked === this.#asked) this.#busy = false;
    }
  }

  #ask(): Promise<CullAnswer> {
    const unsent = this.judge.outbox.waiting.flatMap(({ act }) => (act.kind === "keep" || act.kind === "kill" ? [act.candidate] : []));
    const exclude = [...new Set([...this.queue.map((image) => image.id), ...unsent])].slice(0, 200).join(",");
    const place = this.column ? { run: this.column.run, step: this.column.step } : this.#choice;
    return api.cull({ ...place, count: BATCH, exclude });
  }

  #receive(answer: CullAnswer): void {
    const { run, step } = answer;
    if (run && step) {
      this.column = { run: run.id, runName: run.name, step: step.order, stepName: step.name };
      this.kept = answer.kept;
    }
    const known = new Set([...this.queue.map((image) => image.id), ...this.#judged]);
    this.beyond = Math.max(0, answer.remaining - answer.images.length);
    this.queue = [...this.queue, ...answer.images.filter((image) => !known.has(image.id))];
    this.state = { name: this.queue.length > 0 ? "ready" : "done" };
    this.#prepare();
  }

  #prepare(): void {
    const hashes = this.queue.slice(0, Math.max(this.size * 2, 6)).map((image) => image.picture.hash);
    prefetch(hashes, hashes.slice(0, this.size + DECODED));
  }
}
