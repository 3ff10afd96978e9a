// The walk to the left after a kill. The hub decides what is asked; this shows the next parent at
// once where it is known already, because the way to the base came with the first answer.
import type { ActResult, Placed, Shown, Walk, WalkAnswer } from "../api/types";

export type WalkState =
  | { name: "opening" }
  | { name: "asking"; walk: Walk; asked: Placed }
  | { name: "moving"; walk: Walk; asked: Placed | null }
  | { name: "refused"; walk: Walk; asked: Placed; reason: string }
  | { name: "over"; walk: Walk | null };

export class WalkFlow {
  state = $state.raw<WalkState>({ name: "opening" });
  /** Images rejected and jobs freed by all answers so far. */
  rejected = $state(0);

  constructor(
    readonly id: string,
    readonly killed: Shown,
  ) {}

  get walk(): Walk | null {
    return this.state.name === "opening" ? null : this.state.walk;
  }

  get asked(): Placed | null {
    return this.state.name === "opening" || this.state.name === "over" ? null : this.state.asked;
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
    this.state = walk?.asked ? { name: "asking", walk, asked: walk.asked } : { name: "over", walk };
  }

  /** Shows where the answer leads before the hub has said so; gives the candidate asked about. */
  answer(answer: WalkAnswer): number | null {
    if (!this.allows(answer)) return null;
    const { walk, asked } = this;
    if (!walk || !asked) return null;
    const index = walk.strip.findIndex((place) => place.candidate.id === asked.candidate.id);
    const before = answer === "already_wrong" ? (walk.strip[index - 1] ?? null) : null;
    this.state = { name: "moving", walk, asked: before };
    return asked.candidate.id;
  }

  answered(result: ActResult): void {
    const { state } = this;
    if (state.name === "opening" || state.name === "over") return;
    if (!result.ok) {
      const asked = state.walk.asked;
      if (asked) this.state = { name: "refused", walk: state.walk, asked, reason: result.problem?.detail ?? "" };
      return;
    }
    this.rejected += result.rejected ? result.rejected.branch + 1 : 0;
    this.take(result.walk);
  }
}
