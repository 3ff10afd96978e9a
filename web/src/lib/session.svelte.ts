// The few things that live as long as the page: what this person does, and on which stage.
import { api } from "../api/client";
import { Judge } from "./judge.svelte";
import { later, onOnline, onSeen, soon } from "./page.svelte";
import { live } from "./live.svelte";
import { View } from "./view.svelte";
import { Voting } from "./voting.svelte";

export const judge: Judge = new Judge({
  send: (acts) => api.send(acts),
  stuck: () => voting.stuck(),
  now: () => Date.now(),
  soon,
  later,
});
export const voting: Voting = new Voting(judge);
/** One view for every stage, so that a kept zoom also holds in the walk. */
export const view = new View();

/** Begins to send what waits, now and whenever the hub may be there again. */
export function open(): () => void {
  void judge.open();
  const stops = [
    onOnline(() => judge.outbox.flush()),
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
