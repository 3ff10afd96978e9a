// A pipeline that is being made or changed: its steps as they were read, and what could not be.
// It outlives the screen, so that a look elsewhere loses nothing.
import { api, Refused } from "../api/client";
import type { GateKind, Inspection, PipelineDetail } from "../api/types";
import { wordsOfPipelines } from "../words-pipelines";
import { readBound, writeBound, type Bound } from "./bindings";
import { byName, nameOfStep, readGiven, TooLarge, type GivenFile } from "./files";

export interface DraftStep {
  key: number;
  name: string;
  inspection: Inspection;
  bound: Bound;
  gate: GateKind;
  /** Images made of each image of the step before; the hub keeps it with that step. */
  each: number | null;
  topK: number | null;
  /** The saved step whose workflow this is: what it costs is known. */
  like: number | null;
}
/** A file that could not be read, why, and node by node what to do. */
export interface Unread {
  key: number;
  name: string;
  why: string;
  items: readonly string[];
}

export class PipelineDraft {
  name = $state("");
  description = $state("");
  steps = $state.raw<readonly DraftStep[]>([]);
  unread = $state.raw<readonly Unread[]>([]);
  /** The name of the file that is being read. */
  reading = $state("");
  /** The key of the step that is being dragged to another place. */
  dragged = $state<number | null>(null);
  /** What it is a change of. */
  of = $state.raw<PipelineDetail | null>(null);
  #serial = 0;

  get empty(): boolean {
    return this.steps.length === 0 && this.unread.length === 0 && this.name === "";
  }

  clear(): void {
    this.name = this.description = "";
    this.steps = [];
    this.unread = [];
    this.of = null;
  }

  /** Reads files one after the other; the names of those that became steps. */
  async take(files: Iterable<File>): Promise<string[]> {
    const taken: string[] = [];
    for (const file of byName(files)) {
      const step = await this.#tried(file.name, async () => this.#read(await readGiven(file)));
      if (step) taken.push(step.name);
    }
    return taken;
  }

  async takeText(text: string): Promise<string[]> {
    const step = await this.#tried(wordsOfPipelines.drop.pasted, () => this.#read({ name: wordsOfPipelines.drop.pasted, workflow: text }));
    return step ? [step.name] : [];
  }

  /** Reads a workflow that is saved in a server's editor. */
  async takeSaved(server: number, saved: string): Promise<string[]> {
    const name = saved.split("/").at(-1) ?? saved;
    const step = await this.#tried(name, () => this.#read({ name, saved, backend_id: server }));
    return step ? [step.name] : [];
  }

  /** Begins with the steps of a pipeline that exists. */
  async open(pipeline: PipelineDetail): Promise<void> {
    this.clear();
    const steps = await Promise.all(pipeline.steps.map(async (step, at) => ({ step, each: pipeline.steps[at - 1]?.max_children ?? null, inspection: await api.inspect({ workflow: step.workflow }) })));
    this.name = pipeline.name;
    this.description = pipeline.description;
    this.of = pipeline;
    this.steps = steps.map(({ step, each, inspection }) => ({
      key: (this.#serial += 1),
      name: step.name,
      inspection,
      bound: readBound(step.bindings),
      gate: step.gate,
      each,
      topK: step.default_top_k,
      like: step.id,
    }));
  }

  change(key: number, change: Partial<DraftStep>): void {
    this.steps = this.steps.map((step) => (step.key === key ? { ...step, ...change } : step));
  }

  remove(key: number): void {
    this.steps = this.steps.filter((step) => step.key !== key);
  }

  /** Moves a step by so many places. */
  move(key: number, by: number): void {
    const from = this.steps.findIndex((step) => step.key === key);
    const step = this.steps[from];
    if (!step || from + by < 0 || from + by >= this.steps.length) return;
    const rest = this.steps.filter((each) => each.key !== key);
    this.steps = [...rest.slice(0, from + by), step, ...rest.slice(from + by)];
  }

  dismiss(key: number): void {
    this.unread = this.unread.filter((file) => file.key !== key);
  }

  /** How many images each image of a step is a parent of, as the step after it says. */
  childrenOf(at: number): number | null {
    return this.steps[at + 1]?.each ?? null;
  }

  save(): Promise<PipelineDetail> {
    return api.createPipeline({
      name: this.name.trim(),
      description: this.description,
      steps: this.steps.map((step, at) => ({
        name: step.name.trim(),
        workflow: step.inspection.graph,
        bindings: writeBound(step.bound),
        gate: step.gate,
        max_children: this.childrenOf(at),
        default_top_k: step.topK,
      })),
    });
  }

  async #read(given: GivenFile): Promise<DraftStep> {
    const { name, ...file } = given;
    const inspection = await api.inspect(file);
    const step: DraftStep = { key: (this.#serial += 1), name: nameOfStep(name), inspection, bound: readBound(inspection.proposal), gate: "auto", each: null, topK: null, like: null };
    this.steps = [...this.steps, step];
    return step;
  }

  async #tried(name: string, read: () => Promise<DraftStep>): Promise<DraftStep | null> {
    this.reading = name;
    try {
      return await read();
    } catch (fault) {
      this.unread = [...this.unread, { key: (this.#serial += 1), name, ...told(fault) }];
      return null;
    } finally {
      this.reading = "";
    }
  }
}

function told(fault: unknown): { why: string; items: readonly string[] } {
  if (fault instanceof TooLarge) return { why: wordsOfPipelines.drop.tooLarge, items: [] };
  if (!(fault instanceof Refused)) return { why: wordsOfPipelines.drop.noAnswer, items: [] };
  const { items } = fault.problem as { items?: unknown };
  return { why: fault.problem.detail, items: Array.isArray(items) ? items.map(String) : [] };
}

export const draft = new PipelineDraft();
