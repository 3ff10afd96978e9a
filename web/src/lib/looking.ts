// What keys and buttons do on every stage that shows pictures, whatever is judged there.
import type { CommandId } from "../acts";
import { words } from "../words";
import type { Handlers } from "./keys.svelte";
import { toggleFullscreen } from "./page.svelte";
import { view } from "./session.svelte";
import { settings } from "./settings.svelte";
import { toasts } from "./toasts.svelte";

/** The keys of looking: zoom, the places a step changed, the ground around the pictures. */
export const looking: Handlers = {
  "picture.look": (phase) => view.look(phase === "down"),
  "picture.lock": () => view.toggleLock(),
  "picture.in": () => view.zoomBy(1),
  "picture.out": () => view.zoomBy(-1),
  "picture.fit": () => view.fit(),
  "picture.region.next": () => jump(1),
  "picture.region.previous": () => jump(-1),
  "picture.surround": () => settings.nextSurround(),
  "picture.full": () => void toggleFullscreen(),
};

function jump(direction: 1 | -1): void {
  if (!view.region(direction)) toasts.hint(words.vote.noRegions);
}

/** What a click on the button of a command does: the same as its key. */
export function pressing(handlers: Handlers, stage: () => { focus: () => void } | undefined): (id: CommandId, event: MouseEvent) => void {
  return (id, event) => {
    handlers[id]?.("down");
    // A pointer's click leaves the keys with the stage; a button reached with Tab keeps them.
    if (event.detail > 0) stage()?.focus();
  };
}
