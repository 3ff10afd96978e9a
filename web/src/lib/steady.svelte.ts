// What stands in place of the next pair when the best of a step are surely known: once, until votes
// make them unsure again.
import type { FinishLine, Pair } from "../api/types";
import { remember, remembered } from "./storage";

/** A step whose best are known, as the person knows it. */
export interface Settled {
  run: number;
  step: number;
  order: number;
  name: string;
  top: number;
}

/** Steps of which it is remembered that they were told. */
const KEPT = 50;

export class Steady {
  at = $state.raw<Settled | null>(null);
  #told: readonly string[] = remembered("steady", []);

  /** A pair was judged while its step's line stood at `line`. */
  judged({ run_id, step_id, step_order, step_name }: Pair, line: FinishLine | null): void {
    if (line?.run_id !== run_id || line.step_id !== step_id) return;
    const key = [run_id, step_id, line.top].join(" ");
    const { steady = false } = line;
    if (steady === this.#told.includes(key)) return;
    if (steady) this.at = { run: run_id, step: step_id, order: step_order, name: step_name, top: line.top };
    const others = this.#told.filter((each) => each !== key);
    this.#told = steady ? [...others, key].slice(-KEPT) : others;
    remember("steady", this.#told);
  }

  close(): void {
    this.at = null;
  }
}
