// Decisions made here a moment ago, before the hub makes jobs of them: the time for second thoughts.
import { api } from "../api/client";
import { clock, later } from "./page.svelte";
import { judge } from "./session.svelte";

/** How long a decision waits until it takes effect. */
export const HOLD_SECONDS = 10;

export interface Held {
  act: string;
  run: number;
  step: number;
  label: string;
  /** Milliseconds since 1970. */
  until: number;
}

class Holding {
  list = $state.raw<readonly Held[]>([]);

  constructor() {
    judge.onTurn((entry, undone) => {
      if (undone) this.#drop((held) => held.act === entry.id);
    });
  }

  add(held: Omit<Held, "until">): void {
    const until = clock.read() + HOLD_SECONDS * 1000;
    this.list = [...this.list.filter((each) => each.run !== held.run || each.step !== held.step), { ...held, until }];
    later(() => this.#drop((each) => each.act === held.act), HOLD_SECONDS * 1000);
  }

  of(run: number, step: number): Held | null {
    return this.list.find((held) => held.run === run && held.step === step) ?? null;
  }

  /** Sets all decisions of its run in force. */
  async start(held: Held): Promise<void> {
    await api.startRun(held.run);
    this.#drop((each) => each.run === held.run);
  }

  undo(held: Held): void {
    this.#drop((each) => each.act === held.act);
    judge.undoAct(held.act);
  }

  #drop(gone: (held: Held) => boolean): void {
    this.list = this.list.filter((held) => !gone(held));
  }
}

export const holding = new Holding();
