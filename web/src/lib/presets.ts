// Sets of keys for hands that have learnt another program, or that hold a mouse or a pen.
import type { Bindings } from "./keys.svelte";

export const presets = {
  standard: {},
  // Z zooms there, and X, U and P mark; undo stays on Ctrl+Z.
  lightroom: {
    undo: ["Mod+z"],
    redo: ["Mod+Shift+z"],
    "picture.look": ["z", "Space"],
  },
  // Everything within reach of the left hand, the right one on the mouse.
  lefthand: {
    "vote.left": ["a", "1", "ArrowLeft"],
    "vote.right": ["d", "2", "ArrowRight"],
    "vote.same": ["s", "ArrowDown"],
    "vote.skip": ["w", "ArrowUp"],
    "vote.kill.left": ["Shift+a", "Shift+ArrowLeft"],
    "vote.kill.right": ["Shift+d", "Shift+ArrowRight"],
    "vote.kill.both": ["Shift+s", "Shift+ArrowDown"],
    "vote.walk": ["Shift+w"],
    "walk.before": ["a", "ArrowLeft"],
    "walk.this": ["s", "x", "ArrowDown"],
    "walk.fine": ["d", "ArrowRight"],
    "walk.unknown": ["w", "ArrowUp"],
    "picture.region.next": ["e", "j"],
    "picture.region.previous": ["Shift+e", "Shift+j"],
    "picture.flicker": ["q", "."],
  },
} as const satisfies Record<string, Bindings>;

export type PresetName = keyof typeof presets;
