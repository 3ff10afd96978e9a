// The few things that live as long as the page: what this person does, and on which stage.
import { api } from "../api/client";
import type { Act } from "../api/types";
import { hub } from "./hub.svelte";
import { Judge } from "./judge.svelte";
import { clock, later, onOnline, onSeen, soon } from "./page.svelte";
import { live } from "./live.svelte";
import { View } from "./view.svelte";
import { Voting } from "./voting.svelte";

/** The other tabs of this browser: the same person's, with an undo and pairs of their own. */
const tabs = new BroadcastChannel("shortlist");

export const judge: Judge = new Judge(
  {
    send: (acts) => api.send(acts),
    stuck: () => voting.stuck(),
    now: () => clock.read(),
    soon,
    later,
  },
  (act) => tabs.postMessage(act),
);
export const voting: Voting = new Voting(judge);
/** One view for every stage, so that a kept zoom also holds in the walk. */
export const view = new View();

/** Begins to send what waits, now and whenever the hub may be there again. */
export function open(): () => void {
  void judge.open();
  tabs.onmessage = ({ data }: MessageEvent<Act | null>) => judge.hear(data);
  const stops = [
    onOnline(() => judge.outbox.flush()),
    // An answer that rejects nothing is told to nobody, but it may end what waits in Autopsies.
    judge.onAnswer((act) => act.kind === "walk" && hub.again()),
    onSeen((visible) => {
      if (!visible) {
        live.pause();
        return;
      }
      judge.outbox.flush();
      live.resume();
    }),
  ];
  return () => stops.forEach((stop) => stop());
}
