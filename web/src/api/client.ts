// The one way to the hub: typed calls, its problems as one error, its version on every answer.
import createClient from "openapi-fetch";
import type { paths } from "./schema";
import type { Act, DraftToForesee, FailureGroup, ForecastToMake, GateAct, NewPipeline, NewRun, Problem, RunChange, TrialToStart } from "./types";

/** The hub answered and said no, and why. */
export class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

/** Nothing answered, or what answered was not the hub. */
export class Unreachable extends Error {}

/** Where the page lies; the interface is beside it, also under a sub-path. */
const home = new URL(".", document.baseURI).href.replace(/\/$/, "");
/** Longer than the hub's slowest honest answer, in milliseconds. */
const PATIENCE = 20_000;

interface Listener {
  /** Which version of the hub answered, and when by its own clock. */
  answered: (version: string, date: string | null) => void;
  signedOut: () => void;
}
let listener: Listener | null = null;

export function listen(added: Listener): void {
  listener = added;
}

const client = createClient<paths>({
  baseUrl: home,
  credentials: "same-origin",
  fetch: (request) => fetch(request, { signal: AbortSignal.timeout(PATIENCE) }),
});

/** What the hub answered, or its refusal as an error. */
async function ask<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call.catch((fault: unknown) => {
    throw new Unreachable(String(fault));
  });
  const version = response.headers.get("X-Shortlist-Version");
  if (version) listener?.answered(version, response.headers.get("Date"));
  if (response.ok) return data as T;
  if (response.status === 401) listener?.signedOut();
  throw isProblem(error) ? new Refused(error) : new Unreachable(`${response.status}`);
}

function isProblem(error: unknown): error is Problem {
  return typeof error === "object" && error !== null && "status" in error && "detail" in error;
}

const at = <P>(path: P) => ({ params: { path } });

export const pictureUrl = (hash: string, tier: "320" | "2048" | "original"): string => `${home}/api/images/${hash}/${tier}`;
/** The newest picture of a running job; `number` tells it from the one before. */
export const previewUrl = (job: number, number: number): string => `${home}/api/jobs/${job}/preview?number=${number}`;
export const eventsUrl = (after: number): string => `${home}/api/events?after=${after}`;
/** An address of the hub as it tells it, such as `/api/trials/…`. */
export const hubUrl = (path: string): string => `${home}${path}`;

export const api = {
  status: () => ask(client.GET("/api/status")),
  signIn: (token: string) => ask(client.POST("/api/session", { body: { token } })),
  deck: (query: { run: number | null; step: number | null; count: number; exclude: string; parents: boolean; top: number | null; desk: string }) => ask(client.GET("/api/deck", { params: { query } })),
  next: (query: { run: number; step: number }) => ask(client.GET("/api/deck/next", { params: { query } })),
  cull: (query: { run: number | null; step: number | null; count: number; exclude: string }) => ask(client.GET("/api/cull", { params: { query } })),
  fours: (query: { run: number | null; step: number | null; count: number; exclude: string }) => ask(client.GET("/api/fours", { params: { query } })),
  autopsies: () => ask(client.GET("/api/autopsies")),
  send: (acts: (Act | GateAct)[]) => ask(client.POST("/api/acts", { body: { acts } })),
  acts: (limit: number) => ask(client.GET("/api/acts", { params: { query: { limit } } })),
  walk: (act_id: string, turn = 0) => ask(client.GET("/api/walks/{act_id}", { params: { path: { act_id }, query: { turn } } })),
  pipelines: () => ask(client.GET("/api/pipelines")),
  pipeline: (pipeline_id: number) => ask(client.GET("/api/pipelines/{pipeline_id}", at({ pipeline_id }))),
  createPipeline: (body: NewPipeline) => ask(client.POST("/api/pipelines", { body })),
  rebind: (pipeline_id: number, step_id: number, bindings: Record<string, unknown>) =>
    ask(client.PUT("/api/pipelines/{pipeline_id}/steps/{step_id}/bindings", { ...at({ pipeline_id, step_id }), body: { bindings } })),
  rework: (pipeline_id: number, step_id: number, body: { workflow: Record<string, unknown>; bindings: Record<string, unknown> }) =>
    ask(client.PUT("/api/pipelines/{pipeline_id}/steps/{step_id}/workflow", { ...at({ pipeline_id, step_id }), body })),
  checks: (pipeline_id: number) => ask(client.GET("/api/pipelines/{pipeline_id}/checks", at({ pipeline_id }))),
  inspect: (body: { workflow?: Record<string, unknown> | string; picture?: string; saved?: string; backend_id?: number }) => ask(client.POST("/api/workflows/inspect", { body })),
  tryStep: (pipeline_id: number, step_id: number, body: TrialToStart) =>
    ask(client.POST("/api/pipelines/{pipeline_id}/steps/{step_id}/try", { ...at({ pipeline_id, step_id }), body: { prompt: "", negative_prompt: "", parameters: {}, seed: 1, ...body } })),
  trial: (trial_id: string) => ask(client.GET("/api/trials/{trial_id}", at({ trial_id }))),
  cancelTrial: (trial_id: string) => ask(client.POST("/api/trials/{trial_id}/cancel", at({ trial_id }))),
  lifts: (run_id: number) => ask(client.GET("/api/runs/{run_id}/lifts", at({ run_id }))),
  ahead: (run_id: number) => ask(client.GET("/api/runs/{run_id}/next", at({ run_id }))),
  run: (run_id: number) => ask(client.GET("/api/runs/{run_id}", at({ run_id }))),
  createRun: (body: NewRun) => ask(client.POST("/api/runs", { body })),
  changeRun: (run_id: number, body: RunChange) => ask(client.PATCH("/api/runs/{run_id}", { ...at({ run_id }), body })),
  copyRun: (run_id: number, name: string) => ask(client.POST("/api/runs/{run_id}/copy", { ...at({ run_id }), body: { name } })),
  startRun: (run_id: number) => ask(client.POST("/api/runs/{run_id}/start", at({ run_id }))),
  methods: () => ask(client.GET("/api/methods")),
  odds: (run_id: number, step_id: number, top: number) => ask(client.GET("/api/runs/{run_id}/steps/{step_id}/odds", { params: { path: { run_id, step_id }, query: { top } } })),
  gate: (run_id: number, step_id: number) => ask(client.GET("/api/runs/{run_id}/steps/{step_id}/gate", at({ run_id, step_id }))),
  forecast: (run_id: number) => ask(client.GET("/api/runs/{run_id}/forecast", at({ run_id }))),
  foresee: (pipeline_id: number, body: ForecastToMake) => ask(client.POST("/api/pipelines/{pipeline_id}/forecast", { ...at({ pipeline_id }), body })),
  sketch: (body: DraftToForesee) => ask(client.POST("/api/forecast", { body })),
  release: (run_id: number, step_id: number) => ask(client.POST("/api/runs/{run_id}/steps/{step_id}/release", at({ run_id, step_id }))),
  candidates: (run_id: number) => ask(client.GET("/api/runs/{run_id}/candidates", at({ run_id }))),
  cards: (ids: readonly number[]) => ask(client.GET("/api/candidates", { params: { query: { ids: ids.join(",") } } })),
  candidate: (candidate_id: number) => ask(client.GET("/api/candidates/{candidate_id}", at({ candidate_id }))),
  retry: (candidate_id: number) => ask(client.POST("/api/candidates/{candidate_id}/retry", at({ candidate_id }))),
  failedJobs: (run: number, limit: number) => ask(client.GET("/api/jobs", { params: { query: { run, status: "failed", limit } } })),
  cancel: (job_id: number) => ask(client.POST("/api/jobs/{job_id}/cancel", at({ job_id }))),
  putFirst: (job_id: number) => ask(client.POST("/api/jobs/{job_id}/first", at({ job_id }))),
  addBackend: (body: { url: string; name?: string }) => ask(client.POST("/api/backends", { body })),
  changeBackend: (backend_id: number, body: { enabled?: boolean; name?: string }) => ask(client.PATCH("/api/backends/{backend_id}", { ...at({ backend_id }), body })),
  removeBackend: (backend_id: number) => ask(client.DELETE("/api/backends/{backend_id}", at({ backend_id }))),
  savedWorkflows: (backend_id: number) => ask(client.GET("/api/backends/{backend_id}/workflows", at({ backend_id }))),
  testBackend: (url: string) => ask(client.POST("/api/backends/test", { body: { url } })),
  releaseThere: (backend_id: number, step_id: number) => ask(client.POST("/api/backends/{backend_id}/steps/{step_id}/release", at({ backend_id, step_id }))),
  failures: () => ask(client.GET("/api/failures")),
  retryFailures: (group: FailureGroup, pipeline_id: number | null = null) =>
    ask(client.POST("/api/failures/retry", { body: { kind: group.kind, step_id: group.step_id, backend_id: group.backend.id, pipeline_id } })),
};
