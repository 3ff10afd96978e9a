// What this person has set in this browser.
import { remember, remembered } from "./storage";

export type Surround = "dark" | "grey" | "light" | "black";
const surrounds: readonly Surround[] = ["dark", "grey", "light", "black"];

class Settings {
  surround = $state<Surround>(remembered("surround", "dark"));
  theme = $state<"system" | "dark" | "light">(remembered("theme", "system"));
  history = $state(remembered("history", false));
  cardSize = $state<number>(remembered("card-size", 1));
  /** Votes by key so far; the key hints fade after some. */
  keyVotes = $state<number>(remembered("key-votes", 0));

  /** Rarely a pair with and without a step. */
  parents = $state<boolean>(remembered("parents", false));
  /** The winner of a pair stays and meets the next image. */
  champion = $state<boolean>(remembered("champion", false));
  /** Four images at a time, the worst of which is named, in place of pairs. */
  fours = $state<boolean>(remembered("fours", false));
  /** A kill asks at once where it went wrong; else the image waits in Autopsies. */
  walkNow = $state<boolean>(remembered("walk-now", true));
  /** A word after a long time without a pause. */
  breaks = $state<boolean>(remembered("breaks", true));

  nextSurround(): void {
    this.setSurround(surrounds[(surrounds.indexOf(this.surround) + 1) % surrounds.length] ?? "dark");
  }

  setSurround(surround: Surround): void {
    this.surround = surround;
    remember("surround", surround);
  }

  setTheme(theme: "system" | "dark" | "light"): void {
    this.theme = theme;
    remember("theme", theme);
  }

  /** Follows the system where the person has not chosen; gives the way to stop. */
  applyTheme(): () => void {
    const system = matchMedia("(prefers-color-scheme: light)");
    const apply = () => {
      const light = this.theme === "light" || (this.theme === "system" && system.matches);
      document.documentElement.dataset.theme = light ? "light" : "dark";
    };
    apply();
    system.addEventListener("change", apply);
    return () => system.removeEventListener("change", apply);
  }

  toggleHistory(): void {
    this.history = !this.history;
    remember("history", this.history);
  }

  setParents(on: boolean): void {
    this.parents = on;
    remember("parents", on);
  }

  setChampion(on: boolean): void {
    this.champion = on;
    remember("champion", on);
  }

  setFours(on: boolean): void {
    this.fours = on;
    remember("fours", on);
  }

  setWalkNow(on: boolean): void {
    this.walkNow = on;
    remember("walk-now", on);
  }

  setBreaks(on: boolean): void {
    this.breaks = on;
    remember("breaks", on);
  }

  resize(by: number): void {
    this.cardSize = Math.min(3, Math.max(0, this.cardSize + by));
    remember("card-size", this.cardSize);
  }

  countKeyVote(): void {
    this.keyVotes += 1;
    remember("key-votes", this.keyVotes);
  }

  showHints(): void {
    this.keyVotes = 0;
    remember("key-votes", 0);
  }
}

export const settings = new Settings();

/** After this many votes by key the hands know them. */
export const HINTS_FADE = 50;
