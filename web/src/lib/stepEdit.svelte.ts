// A step of a pipeline that is being changed: another workflow, single values in it, and where a
// job's values go. Nothing is stored until it is saved as the next version.
import { api } from "../api/client";
import type { Inspection, PipelineDetail, StepDetail } from "../api/types";
import { wordsOfPipelines } from "../words-pipelines";
import { keyOf, readBound, roles, sameBound, targetsOf, unknown, writeBound, type Bound, type Target } from "./bindings";
import { readGiven } from "./files";

export type Plain = string | number | boolean;
export interface NewValue extends Target {
  value: Plain;
}
const words = wordsOfPipelines.bindings;

export class StepEdit {
  /** Of the workflow as stored. */
  #own = $state.raw<Inspection | null>(null);
  /** Of the workflow that takes its place, and the name of its file. */
  #other = $state.raw<{ name: string; inspection: Inspection } | null>(null);
  #bound = $state.raw<Bound | null>(null);
  values = $state.raw<readonly NewValue[]>([]);
  readonly inspection = $derived(this.#other?.inspection ?? this.#own);
  readonly stored: Bound;
  readonly bound = $derived.by((): Bound => this.#bound ?? (this.#other ? readBound(this.#other.inspection.proposal) : this.stored));
  readonly changed = $derived.by(() => this.#other !== null || this.#edited.length > 0 || !sameBound(this.bound, this.stored));
  /** Values that are not what the workflow has. */
  readonly #edited = $derived.by(() => this.values.filter((value) => this.#held(value) !== value.value));

  constructor(
    readonly pipeline: PipelineDetail,
    readonly step: StepDetail,
  ) {
    this.stored = readBound(step.bindings);
  }

  async load(): Promise<void> {
    this.#own = await api.inspect({ workflow: this.step.workflow });
  }

  /** Takes the workflow of a file in place of the step's own; raises what the hub refuses. */
  async replace(file: File): Promise<void> {
    const { name, ...given } = await readGiven(file);
    this.#other = { name, inspection: await api.inspect(given) };
    this.#bound = null;
    this.values = [];
  }

  bind(bound: Bound): void {
    this.#bound = bound;
  }

  reset(): void {
    this.#other = this.#bound = null;
    this.values = [];
  }

  /** What would be saved, a line a change. */
  get differences(): string[] {
    const { inspection, stored, bound } = this;
    if (!inspection || !this.changed) return [];
    const title = (target: Target) => words.input(target.node, unknown(inspection, target).node_title, target.input);
    const values = this.#edited.map((value) => words.changed(title(value), String(this.#held(value)), String(value.value)));
    if (this.#other) return [words.replaced(this.#other.name), ...values];
    const told = (of: Bound, role: (typeof roles)[number]) => targetsOf(of, role).map(title).join(" + ") || words.none;
    const named = (of: Bound) => Object.entries(of.variables).map(([name, target]) => `${name} (${title(target)})`).join(", ") || words.none;
    const moved = roles.filter((role) => told(stored, role) !== told(bound, role)).map((role) => words.changed(words.roles[role], told(stored, role), told(bound, role)));
    const variables = named(stored) === named(bound) ? [] : [words.changed(words.variables, named(stored), named(bound))];
    return [...values, ...moved, ...variables];
  }

  /** Makes the next version of the pipeline. */
  save(): Promise<PipelineDetail> {
    const bindings = writeBound(this.bound);
    if (!this.#other && this.#edited.length === 0) return api.rebind(this.pipeline.id, this.step.id, bindings);
    return api.rework(this.pipeline.id, this.step.id, { workflow: this.#graph(), bindings });
  }

  /** Makes a version of the pipeline in which the step is as it was before. */
  restore(pipeline_id: number, step_id: number): Promise<PipelineDetail> {
    return api.rework(pipeline_id, step_id, { workflow: this.step.workflow, bindings: this.step.bindings });
  }

  #held(target: Target): unknown {
    return this.inspection && unknown(this.inspection, target).value;
  }

  #graph(): Record<string, unknown> {
    const graph = JSON.parse(JSON.stringify(this.inspection?.graph ?? {})) as Record<string, { inputs: Record<string, unknown> }>;
    for (const { node, input, value } of this.#edited) {
      const at = graph[node];
      if (at) at.inputs[input] = value;
    }
    return graph;
  }
}

/** A typed text as a value of the kind that the input has now; null: it is none. */
export function typed(text: string, like: unknown): Plain | null {
  if (typeof like === "boolean") return text === "true";
  if (typeof like !== "number") return text;
  const number = Number(text);
  return text.trim() === "" || !Number.isFinite(number) ? null : number;
}

export const withValue = (values: readonly NewValue[], changed: NewValue): NewValue[] =>
  values.some((value) => keyOf(value) === keyOf(changed)) ? values.map((value) => (keyOf(value) === keyOf(changed) ? changed : value)) : [...values, changed];
