// How long someone has judged without a pause worth the name, and when it is kind to say so.

const MINUTE = 60_000;
/** So long without a pause, a break is due. */
const LONG = 25 * MINUTE;
/** What counts as a pause. */
const PAUSE = 2 * MINUTE;
/** It is said once in so long. */
const AGAIN = 15 * MINUTE;

/** What has been done since the last pause. */
export interface Rest {
  minutes: number;
  acts: number;
}

export class Stint {
  #began = 0;
  #last = -Infinity;
  #told = -Infinity;
  #acts = 0;

  /** Notes an act at `now`, in milliseconds; what has been done, when a break is due. */
  act(now: number): Rest | null {
    if (now - this.#last >= PAUSE) [this.#began, this.#acts] = [now, 0];
    this.#last = now;
    this.#acts += 1;
    return now - this.#began < LONG ? null : this.strained(now);
  }

  /** The answers of late were unlike earlier ones to the same question: a break is due at once. */
  strained(now: number): Rest | null {
    if (now - this.#told < AGAIN) return null;
    this.#told = now;
    return { minutes: Math.round((now - this.#began) / MINUTE), acts: this.#acts };
  }
}
