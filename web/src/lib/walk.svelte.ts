// The walk to the left after a kill. The hub decides what is asked; this shows the next parent at
// once where it is known already, because the way to the base came with the first answer.
import { api } from "../api/client";
import type { Act, ActResult, Placed, Shown, Walk, WalkAnswer } from "../api/types";
import type { NewAct } from "./judge.svelte";

export type WalkState =
  | { name: "opening" }
  | { name: "asking"; walk: Walk; asked: Placed }
  | { name: "moving"; walk: Walk; asked: Placed | null }
  | { name: "refused"; walk: Walk; asked: Placed; reason: string }
  | { name: "over"; walk: Walk | null };

export class WalkFlow {
  state = $state.raw<WalkState>({ name: "opening" });
  /** Images rejected by all answers so far. */
  rejected = $state(0);
  /** Which of the images that may stand beside does so. */
  #turn = 0;

  constructor(
    readonly id: string,
    readonly killed: Shown,
    readonly act: (act: NewAct) => void,
  ) {}

  get walk(): Walk | null {
    return this.state.name === "opening" ? null : this.state.walk;
  }

  get asked(): Placed | null {
    return this.state.name === "opening" || this.state.name === "over" ? null : this.state.asked;
  }

  /** The image beside the one asked about; null while that is not known, and where there is none. */
  get beside(): NonNullable<Walk["beside"]> | null {
    const { state } = this;
    if (state.name !== "asking" && state.name !== "refused") return null;
    return state.walk.beside?.relation === "none" ? null : state.walk.beside;
  }

  /** An answer is under way: keys wait. */
  get busy(): boolean {
    return this.state.name === "moving" || this.state.name === "opening";
  }

  allows(answer: WalkAnswer): boolean {
    const { state } = this;
    return (state.name === "asking" || state.name === "refused") && (state.walk.answers[answer]?.allowed ?? false);
  }

  take(walk: Walk | null): void {
    this.#turn = 0;
    this.state = walk?.asked ? { name: "asking", walk, asked: walk.asked } : { name: "over", walk };
  }

  /** Sends an answer, and shows where it leads before the hub has said so; false if it is none. */
  answer(answer: WalkAnswer): boolean {
    const { walk, asked } = this;
    if (!this.allows(answer) || !walk || !asked) return false;
    const index = walk.strip.findIndex((place) => place.candidate.id === asked.candidate.id);
    const before = answer === "already_wrong" ? (walk.strip[index - 1] ?? null) : null;
    this.state = { name: "moving", walk, asked: before };
    this.act({ kind: "walk", walk: this.id, candidate: asked.candidate.id, answer });
    return true;
  }

  /** A vote between the parent and the image beside it; never implied by an answer. */
  vote(better: "parent" | "beside"): boolean {
    const { asked, beside } = this;
    if (!asked || !beside) return false;
    const [parent, other] = [asked.candidate.id, beside.candidate.id];
    const [winner, loser] = better === "parent" ? [parent, other] : [other, parent];
    this.act({ kind: "vote", winner, loser, left: parent });
    return true;
  }

  /** The image beside is no good either: rejects it as a part of this walk. */
  killBeside(): void {
    const { asked, beside } = this;
    if (!asked || !beside) return;
    this.act({ kind: "kill", candidate: beside.candidate.id, other: asked.candidate.id, left: asked.candidate.id, walk: this.id });
  }

  /** Puts another sibling beside the parent. */
  async other(): Promise<void> {
    const { state } = this;
    if (state.name !== "asking" || state.walk.others === 0) return;
    const walk = await api.walk(this.id, (this.#turn += 1)).catch(() => null);
    if (this.state === state && walk?.asked) this.state = { name: "asking", walk, asked: walk.asked };
  }

  /** The hub has answered an act of this walk. */
  answered(act: Act, result: ActResult): void {
    const { state } = this;
    if (state.name === "over") return;
    if (!result.ok && state.name !== "opening" && state.walk.asked) {
      this.state = { name: "refused", walk: state.walk, asked: state.walk.asked, reason: result.problem?.detail ?? "" };
      return;
    }
    if (act.kind === "walk") this.rejected += result.rejected ? result.rejected.branch + 1 : 0;
    this.take(result.ok ? result.walk : null);
  }
}
