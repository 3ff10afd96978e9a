// What fingers and the mouse do on a stage, as a few meanings: tap, drag, press and hold, pinch,
// tap with two fingers. Everything here also has a key and a button.
import type { Point } from "./layout";

export interface Meanings {
  tap: (pane: number) => void;
  drag: (pane: number, move: Point, alone: boolean) => void;
  hold: (pane: number, at: Point, held: boolean) => void;
  pinch: (pane: number, at: Point, factor: number, move: Point) => void;
  twoTap: () => void;
  point: (pane: number, at: Point) => void;
}

interface Finger {
  pane: number;
  start: Point;
  last: Point;
  /** Moved, held or joined by a second finger, so it will not be a tap. */
  spent: boolean;
}

/** A tap may move this far, in pixels. */
const SLACK = 6;
/** A finger held this long looks closer, in milliseconds. */
const HOLD = 250;

export class Gestures {
  #fingers = new Map<number, Finger>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #holding: Finger | null = null;
  #twoSince = 0;

  constructor(readonly meanings: Meanings) {}

  down(event: PointerEvent, pane: number, at: Point): void {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    const finger = { pane, start: at, last: at, spent: false };
    this.#fingers.set(event.pointerId, finger);
    this.meanings.point(pane, at);
    if (this.#fingers.size === 2) this.#second(event.timeStamp);
    else if (event.pointerType !== "mouse") this.#timer = setTimeout(() => this.#hold(finger), HOLD);
  }

  move(event: PointerEvent, pane: number, at: Point): void {
    const finger = this.#fingers.get(event.pointerId);
    if (!finger) {
      this.meanings.point(pane, at);
      return;
    }
    const move = { x: at.x - finger.last.x, y: at.y - finger.last.y };
    const far = Math.hypot(at.x - finger.start.x, at.y - finger.start.y) > SLACK;
    if (!far && !finger.spent) return;
    if (this.#fingers.size === 2) this.#pinch(event.pointerId, at);
    else this.#drag(finger, move, event.shiftKey);
    finger.last = at;
  }

  up(event: PointerEvent): void {
    const finger = this.#fingers.get(event.pointerId);
    if (!finger) return;
    clearTimeout(this.#timer);
    this.#fingers.delete(event.pointerId);
    if (this.#holding === finger) this.#letGo();
    else if (this.#twoSince > 0) this.#twoUp(event.timeStamp);
    else if (!finger.spent) this.meanings.tap(finger.pane);
  }

  cancel(event: PointerEvent): void {
    const finger = this.#fingers.get(event.pointerId);
    if (finger) finger.spent = true;
    this.#twoSince = 0;
    this.up(event);
  }

  #second(at: number): void {
    clearTimeout(this.#timer);
    this.#letGo();
    this.#twoSince = at;
  }

  #twoUp(at: number): void {
    if (this.#fingers.size > 0) return;
    const quick = at - this.#twoSince < HOLD;
    this.#twoSince = 0;
    if (quick) this.meanings.twoTap();
  }

  #hold(finger: Finger): void {
    finger.spent = true;
    this.#holding = finger;
    this.meanings.hold(finger.pane, finger.last, true);
  }

  #letGo(): void {
    if (!this.#holding) return;
    this.meanings.hold(this.#holding.pane, this.#holding.last, false);
    this.#holding = null;
  }

  #drag(finger: Finger, move: Point, alone: boolean): void {
    clearTimeout(this.#timer);
    finger.spent = true;
    this.meanings.drag(finger.pane, move, alone);
  }

  #pinch(moving: number, at: Point): void {
    const [other] = [...this.#fingers].filter(([id]) => id !== moving).map(([, finger]) => finger);
    const finger = this.#fingers.get(moving);
    if (!other || !finger) return;
    const before = Math.hypot(finger.last.x - other.last.x, finger.last.y - other.last.y);
    const after = Math.hypot(at.x - other.last.x, at.y - other.last.y);
    const middle = { x: (at.x + other.last.x) / 2, y: (at.y + other.last.y) / 2 };
    const move = { x: (at.x - finger.last.x) / 2, y: (at.y - finger.last.y) / 2 };
    finger.spent = other.spent = true;
    this.#twoSince = Math.min(this.#twoSince, 1);
    this.meanings.pinch(finger.pane, middle, before > 0 ? after / before : 1, move);
  }
}
