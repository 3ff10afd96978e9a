// One run as its page shows it: read again, at most once a second, whenever the stream tells of it.
import { api, Refused } from "../api/client";
import type { JobSummary, Run, RunChange } from "../api/types";
import { words } from "../words";
import { live } from "./live.svelte";
import { throttled } from "./page.svelte";

const PACE = 1000;
const FAILURES = 10;

export class RunWatch {
  run = $state.raw<Run | null>(null);
  failed = $state.raw<readonly JobSummary[]>([]);
  problem = $state.raw<Error | null>(null);
  /** How often a gate of the run was told to be another: decided, reopened, or with other pins. */
  gates = $state(0);
  /** Why the last wish was not granted. */
  refusal = $state("");

  constructor(readonly id: number) {}

  open(): () => void {
    void this.load();
    const again = throttled(PACE, () => void this.load());
    const kinds = ["job_changed", "run_changed", "gate_changed", "candidate_made", "candidate_rejected", "candidate_restored"] as const;
    const stops = kinds.map((kind) =>
      live.on(kind, (told) => {
        if (told.run_id !== this.id) return;
        if (kind === "gate_changed") this.gates += 1;
        again();
      }),
    );
    stops.push(live.on("backend_changed", again), live.on("resync", again));
    return () => stops.forEach((stop) => stop());
  }

  async load(): Promise<void> {
    try {
      const [run, failed] = await Promise.all([api.run(this.id), api.failedJobs(this.id, FAILURES)]);
      this.run = run;
      this.failed = failed;
      this.problem = null;
    } catch (problem) {
      this.problem = problem as Error;
    }
  }

  change(change: RunChange): Promise<void> {
    return this.attempt(() => api.changeRun(this.id, change));
  }

  async attempt(wish: () => Promise<unknown>): Promise<void> {
    this.refusal = "";
    try {
      await wish();
    } catch (fault) {
      this.refusal = fault instanceof Refused ? fault.problem.detail : words.shell.noAnswer;
    }
    await this.load();
  }
}
