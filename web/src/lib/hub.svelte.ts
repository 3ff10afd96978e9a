// What the page knows of the hub as a whole: its status, whether it answers, which version it
// speaks. Parts that show numbers ask for a fresh reading; the stream says when one is due.
import { api, listen, Refused } from "../api/client";
import type { RunSummary, Status } from "../api/types";
import { live } from "./live.svelte";
import { clock, every, throttled } from "./page.svelte";

/** How often the numbers are read again while things change, in milliseconds. */
const PACE = 1500;
/** How often they are read when nothing is heard: also while the stream is away. */
const IDLE = 30_000;

export class Hub {
  status = $state.raw<Status | null>(null);
  /** When `status` was read, in milliseconds since 1970. */
  read = $state(0);
  problem = $state.raw<Error | null>(null);
  signedOut = $state(false);
  /** The hub was replaced by another version since this page was loaded. */
  outdated = $state(false);
  /** Reads the numbers soon. */
  readonly again = throttled(PACE, () => void this.refresh());
  #version: string | null = null;
  #busy = false;

  open(): () => void {
    listen({
      answered: (version, date) => this.#heard(version, date),
      signedOut: () => (this.signedOut = true),
    });
    const again = this.again;
    const stops = [
      live.onOpen(again),
      live.on("candidate_rejected", again),
      live.on("candidate_restored", again),
      live.on("run_changed", again),
      live.on("gate_changed", again),
      live.on("backend_changed", again),
      live.on("job_changed", again),
      live.on("candidate_made", again),
      live.on("resync", again),
      every(IDLE, again),
    ];
    void this.refresh();
    return () => stops.forEach((stop) => stop());
  }

  async refresh(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      this.status = await api.status();
      this.read = Date.now();
      this.problem = null;
      this.signedOut = false;
      live.start(this.status.last_event);
    } catch (fault) {
      if (!(fault instanceof Refused && fault.problem.status === 401)) this.problem = fault as Error;
    } finally {
      this.#busy = false;
    }
  }

  async signIn(token: string): Promise<void> {
    await api.signIn(token);
    this.signedOut = false;
    await this.refresh();
  }

  run(id: number | null): RunSummary | null {
    return this.status?.runs.find((run) => run.id === id) ?? null;
  }

  /** The run to show where none is named: the first that is at work. */
  get likelyRun(): RunSummary | null {
    const runs = this.status?.runs ?? [];
    return runs.find((run) => run.status === "active") ?? runs[0] ?? null;
  }

  #heard(version: string, date: string | null): void {
    if (date) clock.heard(date);
    if (this.#version !== null && version !== this.#version) this.outdated = true;
    this.#version ??= version;
  }
}

export const hub = new Hub();
