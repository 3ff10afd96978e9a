// The Vote screen's doings: what a key means for the pair on the stage. Every choice shows its
// effect at once and goes to the outbox; nothing here waits for an answer except the walk.
import { api, Unreachable } from "../api/client";
import type { Act, ActResult, Pair, Shown } from "../api/types";
import { words } from "../words";
import { Deck, DESK, PHONE, type Showing } from "./deck.svelte";
import { newId } from "./ids";
import type { Entry, Judge } from "./judge.svelte";
import { judgedPair, pairKey } from "./judge.svelte";
import { live } from "./live.svelte";
import { prefetch } from "./pictures";
import { afterPaint, every, isPhone, soon } from "./page.svelte";
import { settings } from "./settings.svelte";
import { Steady } from "./steady.svelte";
import { toasts } from "./toasts.svelte";
import { WalkFlow } from "./walk.svelte";

export type Side = "left" | "right";
export interface Choice {
  run: number | null;
  /** The step's order in its pipeline, not its id. */
  step: number | null;
  /** K where pairs are wanted that decide the best so many. */
  top: number | null;
}

/** A press sooner after the paint than this is a bouncing key, in milliseconds. */
const BOUNCE = 150;
/** How often an empty deck looks again by itself, in milliseconds. */
const LOOK = 5000;

export class Voting {
  readonly deck: Deck;
  readonly steady = new Steady();
  choice = $state.raw<Choice>({ run: null, step: null, top: null });
  walk = $state.raw<WalkFlow | null>(null);
  /** The button to light up, and for which act. */
  flash = $state<{ what: string; serial: number }>({ what: "", serial: 0 });
  count = $state(0);
  /** X was pressed with nothing pointed at: the next arrow says which one to kill. */
  asking = $state(false);
  /** On a small screen one picture is seen at a time, and both must have been. */
  flips = $state(false);
  front = $state<Side>("left");
  #seen = $state<readonly number[]>([]);
  lastKill = $state.raw<{ id: string; killed: Shown } | null>(null);

  constructor(readonly judge: Judge) {
    const desk = newId();
    this.deck = new Deck(
      {
        more: (count, exclude) => api.deck({ ...this.choice, count, exclude, parents: settings.parents, desk }),
        unsent: () => judge.unsentPairs(),
        prefetch,
        afterPaint,
        soon,
        now: () => performance.now(),
      },
      isPhone() ? PHONE : DESK,
    );
  }

  /** Begins to listen; the page shows the screen. Gives the way to stop. */
  open(choice: Choice): () => void {
    const changed = choice.run !== this.choice.run || choice.step !== this.choice.step || choice.top !== this.choice.top;
    this.choice = choice;
    if (changed) this.steady.close();
    if (changed || this.deck.queue.length === 0) this.deck.renew(0);
    const stops = [
      this.follow(),
      this.judge.onElsewhere((act) => this.#withdraw([judgedPair(act) ?? ""])),
      live.on("rated", ({ act, pairs }) => this.judge.isForeign(act) && this.#withdraw(pairs)),
      live.on("candidate_made", () => this.#made()),
      live.on("candidate_rejected", () => void this.sift(true)),
      live.on("candidate_restored", () => void this.sift()),
      live.on("settled", (line) => this.deck.settled(line)),
      live.on("resync", () => this.deck.renew(1)),
      every(LOOK, () => this.#made()),
    ];
    return () => stops.forEach((stop) => stop());
  }

  /** Begins to hear of walks and of what is undone, which other screens need as well. */
  follow(): () => void {
    const stops = [this.judge.onAnswer((act, result) => this.#answered(act, result)), this.judge.onTurn((entry, undone) => this.#turned(entry, undone))];
    return () => stops.forEach((stop) => stop());
  }

  /** Both pictures of the pair have been on the screen. */
  get seenBoth(): boolean {
    const serial = this.deck.current?.serial ?? -1;
    return !this.flips || this.#seen.includes(serial);
  }

  /** Another pair is on the stage: its first picture is seen first. */
  turnBack(): void {
    this.front = "left";
  }

  flip(): void {
    this.front = this.front === "left" ? "right" : "left";
    const serial = this.deck.current?.serial;
    if (serial !== undefined) this.#seen = [...this.#seen.slice(-20), serial];
  }

  choose(side: Side): void {
    if (this.asking) {
      this.kill(side);
      return;
    }
    const showing = this.#judged(side);
    if (!showing) return;
    const { left, right } = showing.pair;
    const [winner, loser] = side === "left" ? [left, right] : [right, left];
    const shown = { left: left.id, shown_ms: this.#shownFor(showing), ...relation(showing.pair), ...repeat(showing.pair) };
    if (settings.champion) this.deck.stay(showing.pair, side);
    this.judge.act({ kind: "vote", winner: winner.id, loser: loser.id, ...shown }, { pair: showing.pair, chosen: side });
    toasts.say(words.vote.chosen(side, this.count));
  }

  same(): void {
    const showing = this.#judged("same");
    if (!showing) return;
    const { left, right } = showing.pair;
    this.judge.act({ kind: "tie", a: left.id, b: right.id, left: left.id, shown_ms: this.#shownFor(showing), ...relation(showing.pair), ...repeat(showing.pair) }, { pair: showing.pair, chosen: "both" });
  }

  skip(): void {
    const showing = this.deck.current;
    if (!showing || this.walk) return;
    this.#advance("skip");
    this.judge.act({ kind: "skip", a: showing.pair.left.id, b: showing.pair.right.id, ...relation(showing.pair) }, { pair: showing.pair });
  }

  kill(side: Side): void {
    this.asking = false;
    const showing = this.#killable();
    if (!showing) return;
    const { pair } = showing;
    const [killed, other] = side === "left" ? [pair.left, pair.right] : [pair.right, pair.left];
    this.#flash(`kill.${side}`);
    const id = this.judge.act({ kind: "kill", candidate: killed.id, other: other.id, left: pair.left.id, ...relation(pair) }, { pair, chosen: side });
    this.#killed(id, pair, killed, new Set([killed.id]));
  }

  killBoth(): void {
    const showing = this.#killable();
    if (!showing) return;
    const { pair } = showing;
    if (pair.parent_id !== null) {
      // The parent's branch holds the child.
      this.kill(pair.left.id === pair.parent_id ? "left" : "right");
      return;
    }
    this.#flash("kill.both");
    const id = this.judge.act({ kind: "kill_both", a: pair.left.id, b: pair.right.id }, { pair, chosen: "both" });
    this.#killed(id, pair, pair.left, new Set([pair.left.id, pair.right.id]));
  }

  /** Only one image is left in its step, and it is no good. */
  killSingle(shown: Shown): void {
    this.judge.act({ kind: "kill", candidate: shown.id });
    this.deck.renew(0);
  }

  /** Leaves the walk; the kill and every answer are undone as one. */
  cancelWalk(): void {
    if (this.walk) this.judge.undoAct(this.walk.id);
  }

  /** Goes on with pairs of a step whose best are known. */
  stay(): void {
    this.steady.close();
    this.deck.again();
  }

  /** Goes back to voting; the kill stands and the walk can be had later. */
  leaveWalk(): void {
    const { walk } = this;
    if (!walk) return;
    this.walk = null;
    this.judge.tell(words.walk.left, walk.id);
  }

  async reopenWalk(): Promise<void> {
    if (this.lastKill) await this.openWalk(this.lastKill.id);
  }

  /** Opens the walk of a kill where it was left. */
  async openWalk(id: string): Promise<void> {
    if (this.walk) return;
    const unsent = this.judge.unsentKill(id);
    if (unsent) {
      // The hub does not know the kill yet; its answer to it asks the first question.
      if (this.#offline) toasts.hint(words.shell.noAnswer);
      else this.walk = this.#flow(id, unsent);
      return;
    }
    const walk = await api.walk(id).catch((fault) => (fault instanceof Unreachable ? undefined : null));
    if (this.walk) return;
    if (!walk?.asked) {
      toasts.hint(walk === undefined ? words.shell.noAnswer : words.walk.nothing);
      return;
    }
    this.walk = this.#flow(id, walk.killed);
    this.walk.take(walk);
  }

  /** The hub does not answer: an opening walk must not hold up the voting. */
  stuck(): void {
    if (this.walk?.state.name === "opening") this.leaveWalk();
  }

  /** Takes away the first pairs whose images died with a branch, and renews the others. */
  async sift(elsewhere = false): Promise<void> {
    const front = this.deck.queue.slice(0, 3).flatMap(({ pair }) => [pair.left.id, pair.right.id]);
    const gone = this.deck.remove(await this.judge.rejectedOf(front));
    if (gone && elsewhere && !this.walk) toasts.show(words.vote.rejectedElsewhere);
    this.deck.renew(3);
  }

  get #offline(): boolean {
    return this.judge.outbox.state.name === "retrying";
  }

  #ready(): Showing | null {
    const showing = this.deck.current;
    this.asking = false;
    if (!showing || this.walk || this.steady.at || showing.shownAt === null || !this.seenBoth) return null;
    return performance.now() - showing.shownAt < BOUNCE ? null : showing;
  }

  /** A picture that can't be shown can be killed all the same. */
  #killable(): Showing | null {
    const showing = this.deck.current;
    return showing && !this.walk && (showing.broken.left || showing.broken.right) ? showing : this.#ready();
  }

  #judged(what: string): Showing | null {
    const showing = this.#ready();
    if (showing) this.#advance(what);
    return showing;
  }

  #advance(what: string): void {
    const { current, finish } = this.deck;
    this.deck.advance();
    if (current) this.steady.judged(current.pair, finish);
    this.count += 1;
    this.#flash(what);
  }

  #flash(what: string): void {
    this.flash = { what, serial: this.flash.serial + 1 };
  }

  #shownFor(showing: Showing): number {
    return Math.min(Math.round(performance.now() - (showing.shownAt ?? 0)), 2 ** 31);
  }

  #killed(id: string, pair: Pair, killed: Shown, ids: ReadonlySet<number>): void {
    this.lastKill = { id, killed };
    const order = killed.id === pair.parent_id ? pair.step_order - 1 : pair.step_order;
    if (settings.walkNow && order !== 1 && !this.#offline) this.walk = this.#flow(id, killed);
    this.deck.remove(ids);
  }

  #answered(act: Act, result: ActResult): void {
    const { walk } = this;
    // This page's log does not tell a child against its parent, or a repeat, from other pairs; the hub does.
    const back = act.kind === "undo" ? result.undone?.pair : null;
    if (back && act.kind === "undo" && (!act.target || back.parent_id !== null || back.repeat)) this.deck.restore(back);
    if (!walk || walkOf(act) !== walk.id) {
      if (result.rejected) this.judge.tell(result.label, act.id);
      return;
    }
    walk.answered(act, result);
    if (walk.state.name === "over") void this.#over(walk, result);
  }

  #flow(id: string, killed: Shown): WalkFlow {
    return new WalkFlow(id, killed, (act) => this.judge.act(act));
  }

  async #over(walk: WalkFlow, result: ActResult): Promise<void> {
    await this.sift();
    if (this.walk !== walk) return;
    this.walk = null;
    this.judge.tell(walk.walk?.note ?? result.problem?.detail ?? result.label, walk.id);
  }

  #turned(entry: Entry, undone: boolean): void {
    if (this.walk?.id === entry.id) this.walk = null;
    if (!entry.pair) return;
    if (undone) {
      this.steady.close();
      this.deck.restore(entry.pair);
    } else if (this.deck.current?.pair.key === pairKey(entry.pair.left.id, entry.pair.right.id)) this.deck.advance();
  }

  /** Another tab or device has judged these pairs: they are not shown again here. */
  #withdraw(keys: readonly string[] = []): void {
    if (this.deck.withdraw(keys)) toasts.hint(words.vote.judgedElsewhere);
  }

  #made(): void {
    if (this.deck.queue.length <= 1) void this.deck.fill();
  }
}

/** A child against its parent is said to be that with each act. */
function relation(pair: Pair): { versus_parent?: true } {
  return pair.parent_id === null ? {} : { versus_parent: true };
}

/** That a pair was judged before is said with the answer. */
function repeat(pair: Pair): { repeat?: true } {
  return pair.repeat ? { repeat: true } : {};
}

/** The walk that an act belongs to: its own, if it is a kill that began one. */
function walkOf(act: Act): string {
  if (act.kind === "walk") return act.walk;
  return act.kind === "kill" ? (act.walk ?? act.id) : act.id;
}
