// Where the values of a step go: what was found and what a person chose, as rows of a table.
import type { BindingChoice, FoundBinding, Inspection, Role, Sure } from "../api/types";

export const roles: readonly Role[] = ["image", "seed", "positive", "negative", "output", "width", "height", "denoise", "batch"];

/** Roles without which a step is seldom what its maker meant. */
const needed: readonly Role[] = ["image", "seed", "positive", "output"];

export interface Target {
  node: string;
  input: string;
  top?: number;
}
/** As the hub stores it: an output node, targets by role, and variables by name. */
export interface Bound {
  output: string;
  targets: Partial<Record<Role, readonly Target[]>>;
  variables: Readonly<Record<string, Target>>;
}
export interface Row {
  role: Role;
  targets: readonly Target[];
  why: string;
  sure: Sure;
  /** A person chose otherwise than was found. */
  chosen: boolean;
  optional: boolean;
}
export interface Options {
  found: readonly BindingChoice[];
  others: readonly BindingChoice[];
}

const isTarget = (value: unknown): value is Target => typeof value === "object" && value !== null && "node" in value && "input" in value;
const record = (value: unknown): Record<string, unknown> => (typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {});

export function readBound(stored: Record<string, unknown>): Bound {
  const targets: Bound["targets"] = {};
  for (const role of roles) {
    const held = stored[role];
    if (role !== "output" && Array.isArray(held)) targets[role] = held.filter(isTarget);
  }
  const variables = Object.entries(record(stored.variables)).filter((pair): pair is [string, Target] => isTarget(pair[1]));
  return { output: typeof stored.output === "string" ? stored.output : "", targets, variables: Object.fromEntries(variables) };
}

export function writeBound(bound: Bound): Record<string, unknown> {
  const held = Object.entries(bound.targets).filter(([, targets]) => targets.length > 0);
  const named = Object.entries(bound.variables).filter(([name, target]) => name.trim() !== "" && target.node !== "");
  return { output: bound.output, ...Object.fromEntries(held), variables: Object.fromEntries(named.map(([name, target]) => [name.trim(), target])) };
}

export const targetsOf = (bound: Bound, role: Role): readonly Target[] =>
  role === "output" ? (bound.output ? [{ node: bound.output, input: "" }] : []) : (bound.targets[role] ?? []);

export function withTargets(bound: Bound, role: Role, targets: readonly Target[]): Bound {
  if (role === "output") return { ...bound, output: targets[0]?.node ?? "" };
  return { ...bound, targets: { ...bound.targets, [role]: targets } };
}

export const keyOf = (target: { node?: string; node_id?: string; input: string }): string => `${target.node ?? target.node_id ?? ""}\n${target.input}`;
const keysOf = (targets: readonly Target[]): string => targets.map(keyOf).sort().join("\n\n");
export const sameBound = (a: Bound, b: Bound): boolean =>
  roles.every((role) => keysOf(targetsOf(a, role)) === keysOf(targetsOf(b, role))) && JSON.stringify(a.variables) === JSON.stringify(b.variables);

export function rowsOf(inspection: Inspection, bound: Bound): Row[] {
  const proposal = readBound(inspection.proposal);
  return roles.map((role) => {
    const found = inspection.bindings.filter((binding) => binding.role === role);
    const missing = inspection.missing.find((part) => part.role === role);
    const targets = targetsOf(bound, role);
    const chosen = keysOf(targets) !== keysOf(targetsOf(proposal, role));
    return { role, targets, chosen, why: found[0]?.reason ?? missing?.reason ?? "", sure: found[0]?.sure ?? missing?.sure ?? "certain", optional: !needed.includes(role) };
  });
}

const fits: Partial<Record<Role, (value: BindingChoice["value"]) => boolean>> = {
  image: (value) => typeof value === "string",
  positive: (value) => typeof value === "string",
  negative: (value) => typeof value === "string",
  seed: (value) => typeof value === "number" && Number.isInteger(value),
  width: (value) => typeof value === "number" && Number.isInteger(value),
  height: (value) => typeof value === "number" && Number.isInteger(value),
  batch: (value) => typeof value === "number" && Number.isInteger(value),
  denoise: (value) => typeof value === "number",
};

const fromFound = (binding: FoundBinding): BindingChoice => ({ node_id: binding.node_id, node_title: binding.node_title, class_type: binding.class_type, input: binding.input, value: binding.value, reason: binding.reason });

/** What a role can be bound to: what was found for it first, then all inputs of its kind. */
export function optionsOf(inspection: Inspection, role: Role, bound: Bound): Options {
  const own = inspection.bindings.filter((binding) => binding.role === role);
  const found = unique([...own.map(fromFound), ...own.flatMap((binding) => binding.alternatives)]);
  const known = new Set(found.map(keyOf));
  const fit = fits[role];
  const others = role === "output" ? [] : unique(inspection.inputs.filter((choice) => !known.has(keyOf(choice)) && (fit?.(choice.value) ?? true)));
  others.forEach((choice) => known.add(keyOf(choice)));
  const strange = targetsOf(bound, role).filter((target) => !known.has(keyOf(target)));
  return { found, others: [...others, ...strange.map((target) => unknown(inspection, target))] };
}

function unique(choices: readonly BindingChoice[]): BindingChoice[] {
  return [...new Map(choices.map((choice) => [keyOf(choice), choice])).values()];
}

/** A target that the inspection does not list, told as far as the graph tells it. */
export function unknown(inspection: Inspection, target: Target): BindingChoice {
  const node = record(inspection.graph[target.node]);
  const kind = typeof node.class_type === "string" ? node.class_type : "";
  const title = record(node._meta).title;
  const value = record(node.inputs)[target.input];
  const plain = typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
  return { node_id: target.node, node_title: typeof title === "string" ? title : kind, class_type: kind, input: target.input, value: plain, reason: "" };
}

export const targetOf = (key: string): Target => {
  const [node = "", input = ""] = key.split("\n");
  return { node, input };
};

/** Parts that want a person's look and still are as found. */
export function asks(inspection: Inspection, bound: Bound, first: boolean): number {
  return rowsOf(inspection, bound).filter((row) => row.sure === "ask" && !row.chosen && !(first && row.role === "image")).length;
}
