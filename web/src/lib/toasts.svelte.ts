// Short messages with an Undo, and what screen readers hear. A message waits while it is
// pointed at or focused, and while nobody sees the tab.

export interface Toast {
  serial: number;
  text: string;
  undo: (() => void) | null;
  /** The act that it tells of; it goes when the act is undone. */
  act: string | null;
}

/** How long a message stays, in milliseconds. */
const STAY = 10_000;
/** How long a word on a key stays. */
const HINT = 2500;
const MOST = 3;

export class Toasts {
  list = $state.raw<readonly Toast[]>([]);
  /** For the polite and the assertive live region. */
  polite = $state("");
  assertive = $state("");
  hinted = $state("");
  #hintTimer: ReturnType<typeof setTimeout> | undefined;
  #serial = 0;
  #timers = new Map<number, ReturnType<typeof setTimeout>>();

  show(text: string, undo: (() => void) | null = null, act: string | null = null): number {
    this.#serial += 1;
    const toast = { serial: this.#serial, text, undo, act };
    this.list = [...this.list.slice(1 - MOST), toast];
    this.say(text);
    this.go(toast.serial);
    return toast.serial;
  }

  /** A word on what a key just did; takes the place of the one before. */
  hint(text: string): void {
    clearTimeout(this.#hintTimer);
    this.hinted = text;
    this.say(text);
    this.#hintTimer = setTimeout(() => (this.hinted = ""), HINT);
  }

  close(serial: number): void {
    this.hold(serial);
    this.list = this.list.filter((toast) => toast.serial !== serial);
  }

  drop(act: string): void {
    for (const toast of this.list) if (toast.act === act) this.close(toast.serial);
  }

  hold(serial: number): void {
    clearTimeout(this.#timers.get(serial));
    this.#timers.delete(serial);
  }

  go(serial: number): void {
    this.hold(serial);
    if (document.hidden) return;
    this.#timers.set(
      serial,
      setTimeout(() => this.close(serial), STAY),
    );
  }

  /** The tab was hidden or is seen again. */
  seen(visible: boolean): void {
    for (const { serial } of this.list) {
      if (visible) this.go(serial);
      else this.hold(serial);
    }
  }

  say(text: string): void {
    this.polite = text;
  }

  alarm(text: string): void {
    this.assertive = text;
  }
}

export const toasts = new Toasts();
