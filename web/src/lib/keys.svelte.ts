// One listener for every key. Screens put layers of handlers on a stack; what a key means is
// looked up from the top layer down, in the registry and in this person's own bindings.
import { command, commandIds, together, type CommandId, type Scope } from "../acts";
import { remember, remembered } from "./storage";

export type Handler = (phase: "down" | "up") => void;
export type Handlers = Partial<Record<CommandId, Handler>>;
/** What a layer hides: nothing, the screen below it, or the commands of everywhere as well. */
export type Hides = "nothing" | "screen" | "all";

interface Layer {
  scopes: readonly Scope[];
  handlers: Handlers;
  hides: Hides;
}
/** The part of a keyboard event that decides; tests and presets need no more. */
export type Press = Pick<KeyboardEvent, "key" | "shiftKey" | "ctrlKey" | "metaKey" | "altKey">;
export type Bindings = Partial<Record<CommandId, readonly string[]>>;

/** How long the first key of a sequence waits for the second, in milliseconds. */
const SEQUENCE = 1000;

/** A press as text: `Mod+Shift+z`, `Space`, `?`. Shift is named only where the key does not show it. */
export function chord(press: Press): string {
  if (press.altKey) return "";
  const key = press.key === " " ? "Space" : press.key.length === 1 ? press.key.toLowerCase() : press.key;
  const shown = key.length === 1 && key.toUpperCase() === key;
  const mod = press.ctrlKey || press.metaKey ? "Mod+" : "";
  return `${mod}${press.shiftKey && !shown ? "Shift+" : ""}${key}`;
}

/** Commands that share a chord although they are live at the same time. */
export function conflicts(bindings: Bindings = {}): [CommandId, CommandId, string][] {
  const found: [CommandId, CommandId, string][] = [];
  for (const scopes of together) {
    const taken = new Map<string, CommandId>();
    for (const id of commandIds.filter((each) => scopes.includes(command(each).scope))) {
      for (const key of bindings[id] ?? command(id).keys) {
        const other = taken.get(key);
        if (other && other !== id) found.push([other, id, key]);
        taken.set(key, id);
      }
    }
  }
  return found;
}

const isCharacter = (key: string) => !key.startsWith("Mod+") && (key.split(" ")[0] ?? "").replace("Shift+", "").length === 1;

export class Keys {
  bindings = $state.raw<Bindings>(remembered("keys", {}));
  /** Off for people whose speech input or tremor presses single letters. */
  singleKeys = $state(remembered("single-keys", true));
  #layers: Layer[] = [];
  #held = new Map<string, CommandId>();
  #first: { chord: string; at: number } | null = null;

  listen(target: Window): () => void {
    const down = (event: KeyboardEvent) => this.down(event);
    const up = (event: KeyboardEvent) => this.up(event);
    const blur = () => this.releaseAll();
    target.addEventListener("keydown", down);
    target.addEventListener("keyup", up);
    target.addEventListener("blur", blur);
    return () => {
      target.removeEventListener("keydown", down);
      target.removeEventListener("keyup", up);
      target.removeEventListener("blur", blur);
    };
  }

  push(scopes: readonly Scope[], handlers: Handlers, hides: Hides = "nothing"): () => void {
    const layer = { scopes, handlers, hides };
    this.#layers.push(layer);
    return () => {
      this.releaseAll();
      this.#layers = this.#layers.filter((each) => each !== layer);
    };
  }

  keysOf(id: CommandId): readonly string[] {
    const keys = this.bindings[id] ?? command(id).keys;
    return this.singleKeys ? keys : keys.filter((key) => !isCharacter(key));
  }

  bind(id: CommandId, keys: readonly string[] | null): void {
    const { [id]: _, ...others } = this.bindings;
    this.#keep(keys === null ? others : { ...others, [id]: keys });
  }

  use(bindings: Bindings): void {
    this.#keep(bindings);
  }

  setSingleKeys(on: boolean): void {
    this.singleKeys = on;
    remember("single-keys", on);
  }

  down(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing) return;
    const pressed = chord(event);
    if (pressed === "" || !reaches(event, pressed)) return;
    const id = this.#find(this.#sequence(pressed, event.timeStamp)) ?? this.#find(pressed) ?? this.#find(shiftedDigit(event));
    if (id === null) return;
    event.preventDefault();
    if (event.repeat && !command(id).repeats) return;
    this.#first = null;
    if (command(id).hold) this.#held.set(bare(event), id);
    this.#handler(id)?.("down");
  }

  up(event: KeyboardEvent): void {
    const id = this.#held.get(bare(event));
    if (id === undefined) return;
    this.#held.delete(bare(event));
    this.#handler(id)?.("up");
  }

  releaseAll(): void {
    const held = [...this.#held.values()];
    this.#held.clear();
    for (const id of held) this.#handler(id)?.("up");
  }

  #keep(bindings: Bindings): void {
    this.bindings = bindings;
    remember("keys", bindings);
  }

  #sequence(pressed: string, at: number): string {
    const first = this.#first && at - this.#first.at < SEQUENCE ? this.#first.chord : "";
    this.#first = { chord: pressed, at };
    return `${first} ${pressed}`;
  }

  #live(): Layer[] {
    const live: Layer[] = [];
    let hides: Hides = "nothing";
    for (const layer of [...this.#layers].reverse()) {
      if (hides === "all") break;
      if (hides === "nothing" || layer.scopes.includes("everywhere")) live.push(layer);
      if (layer.hides !== "nothing") hides = layer.hides;
    }
    return live;
  }

  #find(pressed: string): CommandId | null {
    for (const layer of this.#live()) {
      for (const id of commandIds) {
        const open = layer.scopes.includes(command(id).scope) && layer.handlers[id];
        if (open && this.keysOf(id).includes(pressed)) return id;
      }
    }
    return null;
  }

  #handler(id: CommandId): Handler | undefined {
    return this.#live().find((layer) => layer.handlers[id])?.handlers[id];
  }
}

/** A digit with Shift types another character on most keyboards: it is told by its place. */
const shiftedDigit = ({ shiftKey, code }: KeyboardEvent) => (shiftKey && code?.startsWith("Digit") ? `Shift+${code.slice(5)}` : "");
const bare = (press: Press) => press.key.toLowerCase();

/** Text fields keep their keys; buttons and links keep Space and Enter. */
function reaches(event: KeyboardEvent, pressed: string): boolean {
  const target = event.target;
  if (!(target instanceof HTMLElement)) return true;
  if (target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button])")) return pressed === "Escape";
  const pressable = target.matches("button, a[href], summary, input, [role=button]");
  return !(pressable && (pressed === "Space" || pressed === "Enter"));
}

const glyphs: Record<string, string> = {
  ArrowLeft: "\u2190",
  ArrowRight: "\u2192",
  ArrowUp: "\u2191",
  ArrowDown: "\u2193",
  Escape: "Esc",
  Mod: "Ctrl",
};

/** A chord for people: `Shift ←`, `G then V`. */
export function spell(key: string): string {
  const one = (part: string) => glyphs[part] ?? (part.length === 1 ? part.toUpperCase() : part);
  const press = (text: string) => (text === "+" ? "+" : text.split("+").map(one).join(" "));
  return key.split(" ").map(press).join(" then ");
}

export const keys = new Keys();
