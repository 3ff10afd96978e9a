// What the hub could begin without a person, summed over the runs for the Live screen.
import type { Backend, RunSummary } from "../api/types";

export interface Ready {
  step: string;
  jobs: number;
}

/** Jobs that can begin now, by the name of their step; what is furthest right comes first. */
export function readyJobs(runs: readonly RunSummary[]): Ready[] {
  const found = new Map<string, { jobs: number; order: number }>();
  for (const run of runs) {
    if (run.status !== "active") continue;
    for (const column of run.columns) {
      const sum = found.get(column.name) ?? { jobs: 0, order: 0 };
      if (column.ready > 0) found.set(column.name, { jobs: sum.jobs + column.ready, order: Math.max(sum.order, column.step_order) });
    }
  }
  return [...found].sort(([, a], [, b]) => b.order - a.order).map(([step, { jobs }]) => ({ step, jobs }));
}

/** Seconds that the jobs of `readyJobs` take on the servers at work, as long as the last ones of
 * their steps took there; null where that is not known of one. */
export function secondsFor(runs: readonly RunSummary[], backends: readonly Backend[]): number | null {
  const servers = backends.filter((backend) => backend.enabled && backend.health === "ok");
  const times = new Map<number, number[]>();
  for (const { step_id, usual_seconds } of servers.flatMap((server) => server.steps)) {
    if (usual_seconds !== null) times.set(step_id, [...(times.get(step_id) ?? []), usual_seconds]);
  }
  let sum = 0;
  for (const column of runs.filter((run) => run.status === "active").flatMap((run) => run.columns)) {
    if (column.ready === 0) continue;
    const told = times.get(column.step_id);
    if (!told) return null;
    sum += (column.ready * told.reduce((all, each) => all + each, 0)) / told.length;
  }
  return servers.length > 0 ? sum / servers.length : null;
}

/** Seconds that a running job will still take, when it takes as long as the last one there; null
 * where that is not known or over. */
export function secondsLeft(started: string | null, usual: number | null | undefined, now: number): number | null {
  if (started === null || !usual) return null;
  const left = usual - (now - Date.parse(started)) / 1000;
  return left > 0 ? left : null;
}
