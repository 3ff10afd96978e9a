import { beforeEach, expect, test, vi } from "vitest";
import { command, commandIds, together } from "../src/acts";
import { chord, conflicts, Keys, spell, type Press } from "../src/lib/keys.svelte";
import { presets } from "../src/lib/presets";
import { words } from "../src/words";

const press = (key: string, rest: Partial<Press> = {}): Press => ({ key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...rest });

function event(key: string, rest: Partial<KeyboardEvent> = {}): KeyboardEvent {
  const base = { ...press(key), timeStamp: 0, repeat: false, target: null, defaultPrevented: false, isComposing: false, preventDefault: vi.fn() };
  return { ...base, ...rest } as unknown as KeyboardEvent;
}

let keys: Keys;
beforeEach(() => {
  localStorage.clear();
  keys = new Keys();
});

test("no two commands that are live together share a key", () => {
  expect(conflicts()).toEqual([]);
});

test.each(Object.entries(presets))("the preset %s gives no key two meanings", (_name, bindings) => {
  expect(conflicts(bindings)).toEqual([]);
});

test("every command has words, a key and a group that it is live in", () => {
  for (const id of commandIds) {
    expect(words.commands[id]).toBeTruthy();
    expect(command(id).keys.length).toBeGreaterThan(0);
    expect(together.flat()).toContain(command(id).scope);
  }
});

test("a chord names shift only where the character does not show it", () => {
  expect(chord(press("?", { shiftKey: true }))).toBe("?");
  expect(chord(press("Z", { shiftKey: true }))).toBe("Shift+z");
  expect(chord(press("Z"))).toBe("z");
  expect(chord(press("ArrowLeft", { shiftKey: true }))).toBe("Shift+ArrowLeft");
  expect(chord(press(" ", { shiftKey: true }))).toBe("Shift+Space");
  expect(chord(press("z", { metaKey: true }))).toBe("Mod+z");
  expect(chord(press("ArrowLeft", { altKey: true }))).toBe("");
});

test("a digit with Shift is told by its place, whatever character that key types", () => {
  const kill = vi.fn();
  keys.push(["fours"], { "fours.kill.2": kill });
  for (const typed of ["@", '"', "é"]) keys.down(event(typed, { shiftKey: true, code: "Digit2" }));
  keys.down(event("@", { code: "Digit2" }));
  expect(kill).toHaveBeenCalledTimes(3);
});

test("an overlay hides the keys of the screen but not those of everywhere", () => {
  const vote = vi.fn();
  const undo = vi.fn();
  const fine = vi.fn();
  keys.push(["everywhere"], { undo });
  keys.push(["vote"], { "vote.right": vote });
  const close = keys.push(["walk"], { "walk.fine": fine }, "screen");
  keys.down(event("ArrowRight"));
  keys.down(event("z"));
  expect([vote, fine, undo].map((each) => each.mock.calls.length)).toEqual([0, 1, 1]);
  close();
  keys.down(event("ArrowRight"));
  expect(vote).toHaveBeenCalledTimes(1);
});

test("a dialog hides every key below it", () => {
  const undo = vi.fn();
  keys.push(["everywhere"], { undo });
  keys.push([], {}, "all");
  keys.down(event("z"));
  expect(undo).not.toHaveBeenCalled();
});

test("a key that is held down votes once and pans as long as it is held", () => {
  const vote = vi.fn();
  const zoom = vi.fn();
  keys.push(["vote", "picture"], { "vote.left": vote, "picture.in": zoom });
  for (const key of ["ArrowLeft", "+"]) {
    keys.down(event(key));
    keys.down(event(key, { repeat: true }));
  }
  expect(vote).toHaveBeenCalledTimes(1);
  expect(zoom).toHaveBeenCalledTimes(2);
});

test("a hold command is told of the press and of the release, also when the window loses focus", () => {
  const look = vi.fn();
  keys.push(["picture"], { "picture.look": look });
  keys.down(event(" "));
  keys.up(event(" "));
  keys.down(event(" "));
  keys.releaseAll();
  expect(look.mock.calls.flat()).toEqual(["down", "up", "down", "up"]);
});

test("two keys in turn go to a screen, unless the second comes late", () => {
  const board = vi.fn();
  keys.push(["everywhere"], { "go.board": board });
  keys.down(event("g", { timeStamp: 0 }));
  keys.down(event("b", { timeStamp: 1500 }));
  expect(board).not.toHaveBeenCalled();
  keys.down(event("g", { timeStamp: 2000 }));
  keys.down(event("b", { timeStamp: 2300 }));
  expect(board).toHaveBeenCalledTimes(1);
});

test("with single keys off, letters do nothing and arrows go on working", () => {
  const undo = vi.fn();
  const vote = vi.fn();
  keys.push(["everywhere"], { undo });
  keys.push(["vote"], { "vote.left": vote });
  keys.setSingleKeys(false);
  keys.down(event("z"));
  keys.down(event("1"));
  keys.down(event("z", { ctrlKey: true }));
  keys.down(event("ArrowLeft"));
  expect([undo.mock.calls.length, vote.mock.calls.length]).toEqual([1, 1]);
});

test("a binding of one's own takes the place of the default and survives a reload", () => {
  const skip = vi.fn();
  keys.bind("vote.skip", ["s"]);
  const later = new Keys();
  later.push(["vote"], { "vote.skip": skip });
  later.down(event("ArrowUp"));
  later.down(event("s"));
  expect(skip).toHaveBeenCalledTimes(1);
  later.bind("vote.skip", null);
  expect(later.keysOf("vote.skip")).toEqual(["ArrowUp"]);
});

test("keys are spelt for people", () => {
  expect(spell("Shift+ArrowLeft")).toBe("Shift \u2190");
  expect(spell("g v")).toBe("G then V");
  expect(spell("+")).toBe("+");
});
