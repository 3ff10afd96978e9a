// A test run as its panel shows it: started, looked at until it is over, cancelled.
import { api, hubUrl, Refused } from "../api/client";
import type { PipelineDetail, StepDetail, Trial, TrialToStart } from "../api/types";
import { words } from "../words";
import { base64 } from "./files";
import type { Hub } from "./hub.svelte";
import { later } from "./page.svelte";

/** How often a test run is looked at, in milliseconds. */
const PACE = 400;
const MOST_SAMPLES = 6;

export interface Sample {
  id: number;
  hash: string;
  thumbhash: string;
}

/** Addresses of the newest pictures that test runs made, by pipeline and step. */
const newest = new Map<string, string>();
const placeOf = (pipeline: number, order: number): string => `${pipeline} ${order}`;

/** Reads what the last test run of the step before made, in base64; null where there was none. */
export function madeBefore(pipeline: number, step: StepDetail): (() => Promise<string | null>) | null {
  const url = newest.get(placeOf(pipeline, step.order - 1));
  if (url === undefined) return null;
  return async () => {
    const answer = await fetch(url).catch(() => null);
    return answer?.ok ? base64(new Uint8Array(await answer.arrayBuffer())) : null;
  };
}

export class TrialWatch {
  trial = $state.raw<Trial | null>(null);
  refusal = $state("");
  busy = $state(false);
  #stop: (() => void) | null = null;

  constructor(
    readonly pipeline: number,
    readonly step: StepDetail,
  ) {}

  get over(): boolean {
    return this.trial !== null && this.trial.state !== "waiting" && this.trial.state !== "running";
  }

  async start(wish: TrialToStart): Promise<void> {
    this.busy = true;
    this.refusal = "";
    await this.#told(() => api.tryStep(this.pipeline, this.step.id, wish));
    this.#follow();
  }

  async cancel(): Promise<void> {
    const id = this.trial?.id;
    if (id) await this.#told(() => api.cancelTrial(id));
  }

  close(): void {
    this.#stop?.();
  }

  #follow(): void {
    this.busy = this.refusal === "" && !this.over;
    const id = this.trial?.id;
    if (!this.busy || !id) return;
    this.#stop = later(() => void this.#told(() => api.trial(id)).then(() => this.#follow()), PACE);
  }

  async #told(ask: () => Promise<Trial>): Promise<void> {
    try {
      this.trial = await ask();
      const picture = this.trial.after[0];
      if (picture) newest.set(placeOf(this.pipeline, this.step.order), hubUrl(picture));
    } catch (fault) {
      this.refusal = fault instanceof Refused ? fault.problem.detail : words.shell.noAnswer;
    }
  }
}

/** The newest images that this step would work on, from the latest run of its pipeline. */
export async function samplesFor(hub: Hub, pipeline: PipelineDetail, step: StepDetail): Promise<Sample[]> {
  const runs = hub.status?.runs.filter((run) => run.pipeline.name === pipeline.name) ?? [];
  const run = [...runs].sort((a, b) => b.id - a.id)[0] ?? hub.likelyRun;
  if (!run) return [];
  const { columns } = await api.candidates(run.id);
  const fits = (at: number) => columns.step_order[at] === step.order - 1 && columns.status[at] === "active" && !columns.dead[at];
  const places = columns.id.map((_, at) => at).filter(fits);
  return places
    .slice(-MOST_SAMPLES)
    .reverse()
    .map((at) => ({ id: columns.id[at] ?? 0, hash: columns.hash[at] ?? "", thumbhash: columns.thumbhash[at] ?? "" }));
}
