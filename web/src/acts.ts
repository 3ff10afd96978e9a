// Every command of the page, once: its scope, its keys and, where it is stored, the kind of act
// it becomes. Buttons, tooltips, the help sheet and the key handling are all made from this list.
import type { ActKind } from "./api/types";

/** Scopes that are open together share their keys: see `together`. */
export type Scope = "everywhere" | "picture" | "vote" | "walk" | "steady" | "fours" | "cull" | "sweep" | "board" | "lightbox" | "run";

export interface Command {
  scope: Scope;
  /** Chords as `chord` in lib/keys writes them; two chords with a space are pressed in turn. */
  keys: readonly string[];
  /** Acts while the key is down. */
  hold?: true;
  /** A key that is kept down repeats it. */
  repeats?: true;
  /** Goes through the outbox as this kind of act, so it also works offline. */
  outbox?: ActKind;
}

export const commands = {
  "vote.left": { scope: "vote", keys: ["ArrowLeft", "1"], outbox: "vote" },
  "vote.right": { scope: "vote", keys: ["ArrowRight", "2"], outbox: "vote" },
  "vote.same": { scope: "vote", keys: ["ArrowDown"], outbox: "tie" },
  "vote.skip": { scope: "vote", keys: ["ArrowUp"], outbox: "skip" },
  "vote.kill.left": { scope: "vote", keys: ["Shift+ArrowLeft"], outbox: "kill" },
  "vote.kill.right": { scope: "vote", keys: ["Shift+ArrowRight"], outbox: "kill" },
  "vote.kill.both": { scope: "vote", keys: ["Shift+ArrowDown"], outbox: "kill_both" },
  "vote.kill.pointed": { scope: "vote", keys: ["x"], outbox: "kill" },
  "vote.history": { scope: "vote", keys: ["h"] },
  "vote.walk": { scope: "vote", keys: ["w"] },
  "fours.worst.1": { scope: "fours", keys: ["1"], outbox: "worst" },
  "fours.worst.2": { scope: "fours", keys: ["2"], outbox: "worst" },
  "fours.worst.3": { scope: "fours", keys: ["3"], outbox: "worst" },
  "fours.worst.4": { scope: "fours", keys: ["4"], outbox: "worst" },
  "fours.kill.1": { scope: "fours", keys: ["Shift+1"], outbox: "kill" },
  "fours.kill.2": { scope: "fours", keys: ["Shift+2"], outbox: "kill" },
  "fours.kill.3": { scope: "fours", keys: ["Shift+3"], outbox: "kill" },
  "fours.kill.4": { scope: "fours", keys: ["Shift+4"], outbox: "kill" },
  "fours.skip": { scope: "fours", keys: ["ArrowUp"] },
  "fours.walk": { scope: "fours", keys: ["w"] },
  "walk.before": { scope: "walk", keys: ["ArrowLeft"], outbox: "walk" },
  "walk.this": { scope: "walk", keys: ["ArrowDown", "x"], outbox: "walk" },
  "walk.fine": { scope: "walk", keys: ["ArrowRight"], outbox: "walk" },
  "walk.unknown": { scope: "walk", keys: ["ArrowUp"], outbox: "walk" },
  "walk.vote.parent": { scope: "walk", keys: ["1"], outbox: "vote" },
  "walk.vote.beside": { scope: "walk", keys: ["2"], outbox: "vote" },
  "walk.other": { scope: "walk", keys: ["n"] },
  "walk.kill.beside": { scope: "walk", keys: ["Shift+ArrowRight"], outbox: "kill" },
  "walk.later": { scope: "walk", keys: ["l"] },
  "walk.cancel": { scope: "walk", keys: ["Escape"], outbox: "undo" },
  "steady.review": { scope: "steady", keys: ["a"] },
  "steady.next": { scope: "steady", keys: ["Enter"] },
  "steady.stay": { scope: "steady", keys: ["Escape"] },
  "cull.keep": { scope: "cull", keys: ["p", "ArrowRight"], outbox: "keep" },
  "cull.reject": { scope: "cull", keys: ["x", "ArrowLeft"], outbox: "kill" },
  "cull.star.1": { scope: "cull", keys: ["1"], outbox: "keep" },
  "cull.star.2": { scope: "cull", keys: ["2"], outbox: "keep" },
  "cull.star.3": { scope: "cull", keys: ["3"], outbox: "keep" },
  "cull.star.4": { scope: "cull", keys: ["4"], outbox: "keep" },
  "cull.star.5": { scope: "cull", keys: ["5"], outbox: "keep" },
  "cull.skip": { scope: "cull", keys: ["ArrowUp"] },
  "cull.walk": { scope: "cull", keys: ["w"] },
  "cull.grid": { scope: "cull", keys: ["n"] },
  "sweep.mark.1": { scope: "sweep", keys: ["1"] },
  "sweep.mark.2": { scope: "sweep", keys: ["2"] },
  "sweep.mark.3": { scope: "sweep", keys: ["3"] },
  "sweep.mark.4": { scope: "sweep", keys: ["4"] },
  "sweep.mark.5": { scope: "sweep", keys: ["5"] },
  "sweep.mark.6": { scope: "sweep", keys: ["6"] },
  "sweep.mark.7": { scope: "sweep", keys: ["7"] },
  "sweep.mark.8": { scope: "sweep", keys: ["8"] },
  "sweep.mark.9": { scope: "sweep", keys: ["9"] },
  "sweep.mark.10": { scope: "sweep", keys: ["0"] },
  "sweep.mark.11": { scope: "sweep", keys: ["-"] },
  "sweep.mark.12": { scope: "sweep", keys: ["="] },
  "sweep.next": { scope: "sweep", keys: ["Enter"], outbox: "keep" },
  "sweep.grid": { scope: "sweep", keys: ["n"] },
  "picture.look": { scope: "picture", keys: ["Space"], hold: true },
  "picture.lock": { scope: "picture", keys: ["Shift+Space"] },
  "picture.in": { scope: "picture", keys: ["+", "="], repeats: true },
  "picture.out": { scope: "picture", keys: ["-"], repeats: true },
  "picture.fit": { scope: "picture", keys: ["0"] },
  "picture.region.next": { scope: "picture", keys: ["j"] },
  "picture.region.previous": { scope: "picture", keys: ["Shift+j"] },
  "picture.flicker": { scope: "picture", keys: ["."], hold: true },
  "picture.mode": { scope: "picture", keys: ["v"] },
  "picture.surround": { scope: "picture", keys: ["b"] },
  "picture.full": { scope: "picture", keys: ["f"] },
  "board.parent": { scope: "board", keys: ["ArrowLeft"], repeats: true },
  "board.child": { scope: "board", keys: ["ArrowRight"], repeats: true },
  "board.next": { scope: "board", keys: ["ArrowDown"], repeats: true },
  "board.previous": { scope: "board", keys: ["ArrowUp"], repeats: true },
  "board.first": { scope: "board", keys: ["Home"] },
  "board.last": { scope: "board", keys: ["End"] },
  "board.open": { scope: "board", keys: ["Enter"] },
  "board.reject": { scope: "board", keys: ["x"], outbox: "kill" },
  "board.bigger": { scope: "board", keys: ["+", "="] },
  "board.smaller": { scope: "board", keys: ["-"] },
  "board.refresh": { scope: "board", keys: ["r"] },
  "board.isolate": { scope: "board", keys: ["l"] },
  "board.clear": { scope: "board", keys: ["Escape"] },
  "lightbox.left": { scope: "lightbox", keys: ["ArrowLeft"], repeats: true },
  "lightbox.right": { scope: "lightbox", keys: ["ArrowRight"], repeats: true },
  "lightbox.up": { scope: "lightbox", keys: ["ArrowUp"], repeats: true },
  "lightbox.down": { scope: "lightbox", keys: ["ArrowDown"], repeats: true },
  "lightbox.reject": { scope: "lightbox", keys: ["x"], outbox: "kill" },
  "lightbox.info": { scope: "lightbox", keys: ["i"] },
  "lightbox.close": { scope: "lightbox", keys: ["Escape"] },
  "run.approve": { scope: "run", keys: ["a"] },
  "run.confirm": { scope: "run", keys: ["c"] },
  "run.revise": { scope: "run", keys: ["e"] },
  undo: { scope: "everywhere", keys: ["z", "Backspace", "Mod+z"], outbox: "undo" },
  redo: { scope: "everywhere", keys: ["Shift+z", "Mod+Shift+z"], outbox: "redo" },
  help: { scope: "everywhere", keys: ["?"] },
  "go.vote": { scope: "everywhere", keys: ["g v"] },
  "go.board": { scope: "everywhere", keys: ["g b"] },
  "go.cull": { scope: "everywhere", keys: ["g c"] },
  "go.autopsies": { scope: "everywhere", keys: ["g a"] },
  "go.live": { scope: "everywhere", keys: ["g l"] },
  "go.pipelines": { scope: "everywhere", keys: ["g p"] },
  "go.new": { scope: "everywhere", keys: ["g n"] },
  "go.settings": { scope: "everywhere", keys: ["g ,"] },
} as const satisfies Record<string, Command>;

export type CommandId = keyof typeof commands;

export const commandIds = Object.keys(commands) as CommandId[];

export const command = (id: CommandId): Command => commands[id];

/** Scopes whose keys are live at the same time; inside one group no chord may mean two things. */
export const together: readonly (readonly Scope[])[] = [
  ["vote", "picture", "everywhere"],
  ["walk", "picture", "everywhere"],
  ["steady", "everywhere"],
  ["fours", "picture", "everywhere"],
  ["cull", "picture", "everywhere"],
  ["sweep", "everywhere"],
  ["board", "run", "everywhere"],
  ["lightbox", "picture", "everywhere"],
  ["run", "everywhere"],
];
