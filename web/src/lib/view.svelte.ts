// One view for all panes of a stage: how far in, and where, as fractions of the picture, so that
// pictures of different sizes stay on the same spot.
import type { Region } from "../api/types";
import { fit, place, zoomAt, zoomTo, type Box, type Hug, type Point, type Sight, type Size } from "./layout";

export interface Pane {
  picture: Size;
  box: Box;
  hug: Hug;
  regions: readonly Region[];
  /** Pixels at its left edge that another pane covers. */
  covered?: number;
}
/** How the two pictures of a pair are compared. */
export type Mode = "beside" | "flicker" | "split";
const modes: readonly Mode[] = ["beside", "flicker", "split"];

const WHOLE: Sight = { zoom: 1, cx: 0.5, cy: 0.5 };
/** One press of + or one notch of the wheel. */
const STEP = 1.25;
/** Beyond this many screen pixels for one of the picture nothing more is seen. */
const DEEPEST = 8;

export class View {
  sight = $state.raw<Sight>(WHOLE);
  /** Keeps scale and place from pair to pair. */
  locked = $state(false);
  mode = $state<Mode>("beside");
  /** Where the line of the split view is, as a fraction of the stage. */
  line = $state(0.5);
  /** Space is held. */
  looking = $state(false);
  /** The originals are wanted from the first zoom on. */
  zoomed = $derived(this.sight.zoom > 1);
  /** One pane moved by itself, in fractions of the picture; until the pair ends. */
  aside = $state.raw<{ pane: number; x: number; y: number } | null>(null);
  /** The last spot that was pointed at. */
  pointed: { pane: number; at: Point } | null = null;
  /** The pane that the mouse is on just now. */
  over: number | null = null;
  #panes: readonly Pane[] = [];
  #before: Sight = WHOLE;
  #region = -1;

  constructor(readonly density: () => number = () => globalThis.devicePixelRatio || 1) {}

  set(panes: readonly Pane[]): void {
    this.#panes = panes;
  }

  /** The topmost pane at a point of the stage, and the point inside it. */
  paneAt(at: Point): { pane: number; at: Point } {
    const inside = ({ box, covered = 0 }: Pane) => at.x >= box.x + covered && at.y >= box.y && at.x < box.x + box.width && at.y < box.y + box.height;
    const pane = Math.max(0, this.#panes.findLastIndex(inside));
    const box = this.#panes[pane]?.box;
    return { pane, at: { x: at.x - (box?.x ?? 0), y: at.y - (box?.y ?? 0) } };
  }

  /** Whether a point of a pane lies on its picture and not on the ground around it. */
  onPicture(pane: number, at: Point): boolean {
    const found = this.#panes[pane];
    if (!found) return false;
    const box = place(found.picture, found.box, found.hug, this.sightOf(pane));
    return at.x >= box.x && at.y >= box.y && at.x < box.x + box.width && at.y < box.y + box.height;
  }

  sightOf(pane: number): Sight {
    const { aside, sight } = this;
    return aside?.pane === pane ? { ...sight, cx: sight.cx + aside.x, cy: sight.cy + aside.y } : sight;
  }

  nextMode(): void {
    this.mode = modes[(modes.indexOf(this.mode) + 1) % modes.length] ?? "beside";
  }

  point(pane: number, at: Point): void {
    this.pointed = { pane, at };
  }

  /** Space: full size while it is held, back to what was before when it is let go. */
  look(held: boolean): void {
    if (held === this.looking) return;
    this.looking = held;
    if (!held) {
      this.sight = this.#before;
      return;
    }
    this.#before = this.sight;
    const target = this.#target();
    if (target) this.sight = zoomAt(target.picture, target.box, target.hug, this.sight, this.#at(target), this.#hundred(target));
  }

  /** Keeps what is seen now for the next pairs; without a zoom, full size at the pointer. */
  toggleLock(): void {
    this.locked = !this.locked;
    if (this.locked && this.looking) this.#before = this.sight;
    else if (this.locked && !this.zoomed) this.zoomBy(0);
    if (!this.locked) this.fit();
  }

  wheel(pane: number, at: Point, delta: number): void {
    this.point(pane, at);
    this.#zoom(this.sight.zoom * Math.exp(-delta * 0.0016));
  }

  /** Steps in (1) or out (-1); 0 goes to full size. */
  zoomBy(steps: number): void {
    const target = this.#target();
    if (!target) return;
    this.#zoom(steps === 0 ? this.#hundred(target) : this.sight.zoom * STEP ** steps);
  }

  pinch(pane: number, at: Point, factor: number): void {
    this.point(pane, at);
    this.#zoom(this.sight.zoom * factor);
  }

  drag(pane: number, move: Point, alone: boolean): void {
    const target = this.#panes[pane];
    if (!target || !this.zoomed) return;
    const fitted = fit(target.picture, target.box);
    const x = -move.x / (fitted.width * this.sight.zoom);
    const y = -move.y / (fitted.height * this.sight.zoom);
    if (alone) {
      const aside = this.aside?.pane === pane ? this.aside : { x: 0, y: 0 };
      this.aside = { pane, x: aside.x + x, y: aside.y + y };
      return;
    }
    this.sight = { ...this.sight, cx: within(this.sight.cx + x), cy: within(this.sight.cy + y) };
  }

  fit(): void {
    this.sight = WHOLE;
    this.aside = null;
    this.#region = -1;
  }

  /** Goes to the next or the previous region that the step changed; false if none is known. */
  region(direction: 1 | -1): boolean {
    const [owner, regions] = this.#regions();
    if (!owner || regions.length === 0) return false;
    this.#region = (this.#region + direction + regions.length + (this.#region < 0 && direction < 0 ? 1 : 0)) % regions.length;
    const region = regions[this.#region];
    if (region) this.sight = zoomTo(owner.picture, owner.box, region);
    return true;
  }

  /** Another pair is on the stage. */
  next(): void {
    this.aside = null;
    this.#region = -1;
    if (this.locked) return;
    if (this.looking) this.#before = WHOLE;
    else this.sight = WHOLE;
  }

  /** Screen pixels for one pixel of the picture. */
  get scale(): number {
    const { sight } = this;
    const target = this.#target();
    return target ? (place(target.picture, target.box, target.hug, sight).width * this.density()) / target.picture.width : 1;
  }

  #target(): Pane | undefined {
    return this.#panes[this.pointed?.pane ?? 0] ?? this.#panes[0];
  }

  /** Where the pointer was, or the middle of the picture. */
  #at(target: Pane): Point {
    if (this.pointed && this.#panes[this.pointed.pane] === target) return this.pointed.at;
    const box = place(target.picture, target.box, target.hug, this.sight);
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  }

  /** One pixel of the picture on one of the screen; twice the fit where it is shown so already. */
  #hundred({ picture, box }: Pane): number {
    return Math.max(2, picture.width / (fit(picture, box).width * this.density()));
  }

  #zoom(wanted: number): void {
    const target = this.#target();
    if (!target) return;
    const deepest = (this.#hundred(target) * DEEPEST) / 2;
    const zoom = Math.min(Math.max(1, wanted), Math.max(deepest, 8));
    this.sight = zoom === 1 ? WHOLE : zoomAt(target.picture, target.box, target.hug, this.sight, this.#at(target), zoom);
  }

  #regions(): [Pane | undefined, readonly Region[]] {
    const first = this.#target();
    const owner = first && first.regions.length > 0 ? first : this.#panes.find((pane) => pane.regions.length > 0);
    return [owner, owner?.regions ?? []];
  }
}

const within = (fraction: number) => Math.min(1, Math.max(0, fraction));
