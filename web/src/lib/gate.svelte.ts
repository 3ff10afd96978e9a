// One gate while a person decides: what they saw when they looked, the K they try, and what has
// changed since. Nothing that is shown moves by itself; what is new waits until it is asked for.
import { api, Refused } from "../api/client";
import type { Gate, GateAct, GateOdds, RunChange } from "../api/types";
import { wordsOfGates as words } from "../words-gates";
import { changeOf, costOf, doubt, imagesOf, mainBase, nextPin, through, tieAtCut, widestGap, type GateImage, type Pin } from "./gate";
import { HOLD_SECONDS, holding } from "./gateHold.svelte";
import { newId } from "./ids";
import { live } from "./live.svelte";
import { rested, throttled } from "./page.svelte";
import { judge } from "./session.svelte";
import { toasts } from "./toasts.svelte";

/** Where neither the gate nor its pipeline says how many go on. */
const DEFAULT_K = 3;
/** How often a gate that others work on is read again, in milliseconds. */
const PACE = 1000;
/** K rests so many milliseconds before its chances are asked for: while it moves nobody could read
 * them, and the hub needs long for them. */
const ODDS_REST = 150;

type Unsent<A = GateAct> = A extends GateAct ? Omit<A, "id"> : never;

export class GateWatch {
  /** As it is shown. */
  gate = $state.raw<Gate | null>(null);
  images = $state.raw<readonly GateImage[]>([]);
  /** As the hub last told, where that differs from what is shown. */
  newer = $state.raw<Gate | null>(null);
  /** How surely the best K are known, for the K that is tried. */
  odds = $state.raw<GateOdds | null>(null);
  problem = $state.raw<Error | null>(null);
  refusal = $state("");
  busy = $state(false);
  k = $state(DEFAULT_K);
  perBase = $state<number | null>(null);
  #again: () => void;
  #weighing = false;
  #weighAgain = rested(ODDS_REST, () => void this.#weigh());
  /** Counts what was sent, so that a reading from before it is not taken for news. */
  #sent = 0;
  /** An act that was sent and not answered goes out again under its own id. */
  #unanswered: { wish: string; id: string } | null = null;

  max = $derived(Math.max(1, this.images.length));
  chosen = $derived(through(this.images, this.k, this.perBase));
  cost = $derived(this.gate ? costOf(this.gate, this.images, this.chosen) : null);
  base = $derived(mainBase(this.images, this.chosen));
  tie = $derived(tieAtCut(this.images, this.chosen));
  gap = $derived(widestGap(this.images, this.gate?.top_k ?? this.gate?.default_top_k ?? DEFAULT_K));
  doubt = $derived(doubt(this.images.map((image) => image.votes)));
  fewVotes = $derived(this.images.filter((image) => image.votes < (this.gate?.few_votes ?? 0)).length);
  /** Approving again: what would change about the present set. */
  change = $derived(this.gate?.approved_at && this.images.some((image) => image.advances) ? changeOf(this.images, this.chosen) : null);
  /** Somebody else decided since this person looked. */
  decided = $derived(this.newer && this.gate && this.newer.decisions !== this.gate.decisions ? this.newer : null);
  news = $derived(this.newer && !this.decided ? newsOf(this.images, this.newer) : "");

  constructor(
    readonly run: number,
    readonly step: number,
    readonly firstK: number | null,
  ) {
    this.#again = throttled(PACE, () => void this.look());
  }

  open(): () => void {
    void this.load();
    const kinds = ["gate_changed", "candidate_made", "candidate_rejected", "candidate_restored", "rated", "run_changed"] as const;
    const stops = kinds.map((kind) =>
      live.on(kind, (told) => {
        if (told.run_id === this.run) this.#again();
      }),
    );
    stops.push(live.on("resync", this.#again));
    stops.push(live.on("settled", (told) => told.run_id === this.run && told.step_id === this.step && told.top === this.k && this.#weighAgain()));
    return () => stops.forEach((stop) => stop());
  }

  async load(): Promise<void> {
    try {
      const gate = await api.gate(this.run, this.step);
      const first = this.gate === null;
      this.show(gate);
      if (first) {
        this.perBase = gate.per_base;
        this.setK(this.firstK ?? gate.top_k ?? gate.default_top_k ?? DEFAULT_K);
      }
      this.problem = null;
    } catch (problem) {
      this.problem = problem as Error;
    }
  }

  /** Reads the gate again without moving anything that is shown. */
  async look(): Promise<void> {
    if (!this.gate) return;
    const before = this.#sent;
    const gate = await api.gate(this.run, this.step).catch(() => null);
    if (!gate) return;
    if (this.#sent !== before) {
      this.#again();
      return;
    }
    if (sameImages(this.images, gate) && gate.decisions === this.gate.decisions) this.show(gate);
    else this.newer = gate;
  }

  show(gate: Gate): void {
    this.gate = gate;
    this.images = imagesOf(gate);
    this.newer = null;
    this.setK(this.k);
  }

  setK(k: number): void {
    if (Number.isFinite(k)) this.k = Math.min(this.max, Math.max(1, Math.round(k)));
    this.#weighAgain();
  }

  async pin(at: number): Promise<void> {
    const image = this.images[at];
    if (!image) return;
    const pin = nextPin(image.pin);
    this.#mark(image.id, pin);
    toasts.say(words.pinned(image.rank, pin));
    const done = await this.#send({ kind: "pin", candidate: image.id, pin });
    if (!done) this.#mark(image.id, image.pin);
  }

  /** Whether the hub took it. */
  async approve(): Promise<boolean> {
    const { gate } = this;
    if (!gate) return false;
    const done = await this.#send({
      kind: "approve",
      run_id: this.run,
      step_id: this.step,
      top_k: this.k,
      per_base: this.perBase,
      seen: gate.decisions,
      hold_seconds: HOLD_SECONDS,
    });
    if (done) holding.add({ act: done.id, run: this.run, step: this.step, label: done.label });
    return done !== null;
  }

  async confirm(): Promise<boolean> {
    return (await this.#send({ kind: "confirm", run_id: this.run, step_id: this.step, seen: this.gate?.decisions ?? null })) !== null;
  }

  async reopen(): Promise<boolean> {
    return (await this.#send({ kind: "reopen", run_id: this.run, step_id: this.step, seen: this.gate?.decisions ?? null })) !== null;
  }

  async changeRun(change: RunChange): Promise<boolean> {
    return this.#try(() => api.changeRun(this.run, change));
  }

  async #send(wish: Unsent): Promise<{ id: string; label: string } | null> {
    const said = JSON.stringify(wish);
    const id = this.#unanswered?.wish === said ? this.#unanswered.id : newId();
    this.#unanswered = { wish: said, id };
    let label: string | null = null;
    await this.#try(async () => {
      const done = await decide({ ...wish, id } as GateAct);
      this.#unanswered = null;
      if (done.ok) label = done.label;
      else this.refusal = done.label;
    });
    if (label === null) void this.look();
    return label === null ? null : { id, label };
  }

  async #try(wish: () => Promise<unknown>): Promise<boolean> {
    this.refusal = "";
    this.busy = true;
    this.#sent += 1;
    try {
      await wish();
      return true;
    } catch (fault) {
      this.refusal = fault instanceof Refused ? fault.problem.detail : words.offline;
      return false;
    } finally {
      this.busy = false;
      this.#sent += 1;
    }
  }

  /** One question at a time: the hub takes long over a large step, and the slider is quick. */
  async #weigh(): Promise<void> {
    if (this.#weighing) return;
    this.#weighing = true;
    const { k } = this;
    const odds = await api.odds(this.run, this.step, k).catch(() => null);
    this.#weighing = false;
    if (k === this.k) this.odds = odds;
    else this.#weighAgain();
  }

  #mark(id: number, pin: Pin): void {
    this.images = this.images.map((image) => (image.id === id ? { ...image, pin } : image));
  }
}

/** Sends a decision and reads the log anew, so that undo knows of it. */
export async function decide(act: GateAct): Promise<{ ok: boolean; label: string }> {
  const { results } = await api.send([act]);
  const [result] = results;
  if (!result) throw new Error("no result");
  if (result.ok) void judge.load();
  return { ok: result.ok, label: result.problem?.detail ?? result.label };
}

function sameImages(shown: readonly GateImage[], gate: Gate): boolean {
  const { id, elo, votes } = gate.images;
  return shown.length === id.length && shown.every((image, i) => image.id === id[i] && image.elo === elo[i] && image.votes === votes[i]);
}

function newsOf(shown: readonly GateImage[], newer: Gate): string {
  const before = new Set(shown.map((image) => image.id));
  const now = new Set(newer.images.id);
  const came = newer.images.id.filter((id) => !before.has(id)).length;
  const went = shown.filter((image) => !now.has(image.id)).length;
  return words.news(came, went);
}
