// Failures that wait for a person, in groups: read again whenever the stream tells of a change.
import { api } from "../api/client";
import type { FailureGroup } from "../api/types";
import { live } from "./live.svelte";
import { throttled } from "./page.svelte";

const PACE = 1000;

export class FailureWatch {
  groups = $state.raw<readonly FailureGroup[] | null>(null);

  open(): () => void {
    void this.load();
    const again = throttled(PACE, () => void this.load());
    const kinds = ["job_changed", "run_changed", "backend_changed", "resync"] as const;
    const stops = kinds.map((kind) => live.on(kind, again));
    return () => stops.forEach((stop) => stop());
  }

  async load(): Promise<void> {
    try {
      this.groups = await api.failures();
    } catch {
      // What was read before stays; the next event reads again.
    }
  }
}

/** Two groups are of one kind when they have this in common. */
export const keyOfGroup = (group: FailureGroup): string => `${group.kind} ${group.step_id} ${group.backend.id}`;
