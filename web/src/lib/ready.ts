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

/** Seconds until as many jobs are made, at the pace of the last hour; null where none was made. */
export function secondsFor(jobs: number, backends: readonly Backend[]): number | null {
  const made = backends.reduce((sum, backend) => sum + backend.last_hour, 0);
  return made === 0 ? null : (jobs / made) * 3600;
}

/** Seconds that a running job will still take, when it takes as long as the last one there; null
 * where that is not known or over. */
export function secondsLeft(started: string | null, usual: number | null | undefined, now: number): number | null {
  if (started === null || !usual) return null;
  const left = usual - (now - Date.parse(started)) / 1000;
  return left > 0 ? left : null;
}
