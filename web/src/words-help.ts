// What the sheet of keys says, and the list of shortcuts in Settings.
import type { Scope } from "./acts";

export const help = {
  title: "Keys",
  intro: "Arrows point at things: left is the left picture or the earlier step, right the right picture or the later step. Shift means kill.",
  hold: "hold",
  offline: "Marked with a dot: also works while the hub does not answer.",
  touch: "On a touch screen: tap votes, press and hold looks closer, two fingers zoom, a tap with two fingers undoes.",
};

export const scopes: Record<Scope, string> = {
  vote: "Vote",
  walk: "Where did it go wrong?",
  steady: "Vote, when the best are known",
  picture: "Looking closer",
  fours: "Vote, worst of four",
  cull: "Cull",
  sweep: "Cull, 6 or 12 at a time",
  board: "Board",
  lightbox: "One image",
  run: "One run",
  everywhere: "Everywhere",
};
