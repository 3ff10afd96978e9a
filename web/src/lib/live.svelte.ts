// The event stream: one connection while the tab is seen, taken up again after a gap from the
// last number that arrived. What the events mean is for those who subscribe.
import { eventsUrl } from "../api/client";
import type { StreamEvent } from "../api/types";

/** What each kind of event tells, from the hub's own description of the stream. */
export type Told = { [E in StreamEvent as E["event"]]: E["data"] };
export type Kind = keyof Told;
type Listener<K extends Kind> = (data: Told[K]) => void;

const kinds: readonly Kind[] = [
  "candidate_made",
  "candidate_rejected",
  "candidate_restored",
  "rated",
  "kept",
  "job_changed",
  "run_changed",
  "gate_changed",
  "settled",
  "backend_changed",
  "resync",
  "progress",
];

export type LiveState = "connecting" | "live" | "catching up" | "offline" | "paused";

/** The part of EventSource that is used, so that tests can drive it. */
export interface Source {
  readyState: number;
  addEventListener: (kind: string, listener: (event: MessageEvent<string>) => void) => void;
  onopen: ((event: Event) => void) | null;
  onerror: ((event: Event) => void) | null;
  close: () => void;
}

/** The first and the longest wait before a new attempt, in milliseconds. */
const WAIT = { first: 1000, longest: 30_000 };

export class Live {
  state = $state<LiveState>("connecting");
  /** When the stream last said anything, in milliseconds since 1970. */
  heard = $state(0);
  #source: Source | null = null;
  #after: number | null = null;
  #attempt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #opened = new Set<() => void>();
  #listeners = new Map<Kind, Set<Listener<Kind>>>();

  constructor(readonly connect: (url: string) => Source = (url) => new EventSource(url)) {}

  /** Follows the stream from the event that a reading of the state was made after. */
  start(after: number): void {
    this.#after = Math.max(after, this.#after ?? 0);
    if (!this.#source) this.#open();
  }

  pause(): void {
    this.#close();
    this.state = "paused";
  }

  resume(): void {
    if (this.#after === null || this.#source) return;
    this.state = "catching up";
    this.#open();
  }

  on<K extends Kind>(kind: K, listener: Listener<K>): () => void {
    const set = this.#listeners.get(kind) ?? new Set();
    this.#listeners.set(kind, set.add(listener as Listener<Kind>));
    return () => set.delete(listener as Listener<Kind>);
  }

  /** Hears each time that the stream is there, also after a gap. */
  onOpen(listener: () => void): () => void {
    this.#opened.add(listener);
    return () => this.#opened.delete(listener);
  }

  #open(): void {
    clearTimeout(this.#timer);
    const source = this.connect(eventsUrl(this.#after ?? 0));
    this.#source = source;
    source.onopen = () => {
      this.state = "live";
      this.heard = Date.now();
      this.#attempt = 0;
      for (const listener of this.#opened) listener();
    };
    source.onerror = () => this.#lost();
    for (const kind of kinds) source.addEventListener(kind, (event) => this.#take(kind, event));
  }

  #take(kind: Kind, event: MessageEvent<string>): void {
    if (event.lastEventId) this.#after = Math.max(this.#after ?? 0, Number(event.lastEventId));
    this.heard = Date.now();
    const data = JSON.parse(event.data) as Told[Kind];
    for (const listener of this.#listeners.get(kind) ?? []) listener(data);
  }

  /** The browser gives up after an answer that is no stream, so the page tries by itself. */
  #lost(): void {
    this.#close();
    this.state = "offline";
    const wait = Math.min(WAIT.longest, WAIT.first * 2 ** this.#attempt);
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.#open(), wait);
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }
}

export const live = new Live();
