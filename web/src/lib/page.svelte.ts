// The browser's own timers and facts, in one place: everything else is told what it needs.

/** Longer than the slowest paint that is still within the budget, in milliseconds. */
const PAUSE = 60;

/** Calls back when what has just been changed is on the screen: after the second frame from now. */
export function afterPaint(run: () => void): void {
  // A hidden tab paints nothing and would wait for ever.
  if (document.hidden) setTimeout(run);
  else requestAnimationFrame(() => requestAnimationFrame(() => run()));
}

/** Calls back a moment after the paint, so that loads and requests never share its frames. */
export function soon(run: () => void): void {
  afterPaint(() => setTimeout(run, PAUSE));
}

export function every(milliseconds: number, run: () => void): () => void {
  const timer = setInterval(() => {
    if (!document.hidden) run();
  }, milliseconds);
  return () => clearInterval(timer);
}

export function later(run: () => void, milliseconds: number): () => void {
  const timer = setTimeout(run, milliseconds);
  return () => clearTimeout(timer);
}

/** The same, counted from the next frame: on a slow machine too it never comes before that. */
export function afterFrame(run: () => void, milliseconds: number): () => void {
  let stop = () => {};
  const frame = requestAnimationFrame(() => (stop = later(run, milliseconds)));
  return () => {
    cancelAnimationFrame(frame);
    stop();
  };
}

/** Once nobody has asked for this many milliseconds. */
export function rested(milliseconds: number, run: () => void): () => void {
  let stop = () => {};
  return () => {
    stop();
    stop = later(run, milliseconds);
  };
}

/** At most one call in this many milliseconds, the last one never lost. */
export function throttled(milliseconds: number, run: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = -Infinity;
  return () => {
    if (timer !== undefined) return;
    const wait = Math.max(0, last + milliseconds - performance.now());
    timer = setTimeout(() => {
      timer = undefined;
      last = performance.now();
      run();
    }, wait);
  };
}

export const isPhone = (): boolean => matchMedia("(max-width: 719px), (max-height: 499px)").matches;

/** Runs when the tab is hidden or seen again; true is seen. */
export function onSeen(run: (visible: boolean) => void): () => void {
  const heard = () => run(!document.hidden);
  document.addEventListener("visibilitychange", heard);
  return () => document.removeEventListener("visibilitychange", heard);
}

export function onOnline(run: () => void): () => void {
  addEventListener("online", run);
  return () => removeEventListener("online", run);
}

/** A clock that is off by less than this is right, in milliseconds: the hub tells whole seconds. */
const RIGHT = 5000;

class Clock {
  /** The hub's time of day, renewed every second for words like "18 s ago". */
  now = $state(Date.now());
  /** What this device's clock lacks. */
  #lacks = 0;
  #watchers = 0;
  #stop: (() => void) | null = null;

  /** The hub's time of day, in milliseconds since 1970. */
  read(): number {
    return Date.now() + this.#lacks;
  }

  /** Learns from an answer of the hub what time it is there. */
  heard(date: string): void {
    const lacks = Date.parse(date) - Date.now();
    if (Math.abs(lacks - this.#lacks) < RIGHT) return;
    this.#lacks = Math.abs(lacks) < RIGHT ? 0 : lacks;
    this.now = this.read();
  }

  /** Ticks while at least one part of the page shows an age. */
  watch(): () => void {
    this.#watchers += 1;
    this.#stop ??= every(1000, () => (this.now = this.read()));
    return () => {
      this.#watchers -= 1;
      if (this.#watchers > 0) return;
      this.#stop?.();
      this.#stop = null;
    };
  }
}

export const clock = new Clock();

class Screen {
  /** Small screens lay out differently; follows turning and resizing. */
  narrow = $state(matchMedia("(max-width: 719px)").matches);

  constructor() {
    matchMedia("(max-width: 719px)").addEventListener("change", (event) => (this.narrow = event.matches));
  }
}

export const screenSize = new Screen();

export async function toggleFullscreen(): Promise<void> {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await document.documentElement.requestFullscreen();
}
