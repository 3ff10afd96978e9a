// The address is the state: screen, its id and what is open on it, behind the hash, so that
// the page works under any path of a reverse proxy.

export type ScreenName = "vote" | "cull" | "autopsies" | "board" | "live" | "run" | "new" | "pipelines" | "settings";
export interface Route {
  screen: ScreenName;
  id: number | null;
  query: Record<string, string>;
}

const screens: readonly ScreenName[] = ["vote", "cull", "autopsies", "board", "live", "run", "new", "pipelines", "settings"];

export function parse(hash: string): Route {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?");
  const [name = "", id = ""] = path.split("/");
  const screen = screens.find((known) => known === name) ?? "vote";
  return {
    screen,
    id: /^\d+$/.test(id) ? Number(id) : null,
    query: Object.fromEntries(new URLSearchParams(search)),
  };
}

export function link(screen: ScreenName, id?: number | null, query: Record<string, string | number | null | undefined> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  const tail = search.size > 0 ? `?${search}` : "";
  return `#/${screen}${id === null || id === undefined ? "" : `/${id}`}${tail}`;
}

class Router {
  route = $state.raw<Route>(parse(location.hash));

  constructor() {
    addEventListener("hashchange", () => (this.route = parse(location.hash)));
  }

  go(address: string): void {
    location.hash = address.slice(1);
  }

  /** Changes what is open on this screen; Back closes it again. */
  open(query: Record<string, string | number | null>): void {
    this.go(link(this.route.screen, this.route.id, { ...this.route.query, ...query }));
  }

  /** The same without a new entry in the browser's history. */
  swap(query: Record<string, string | number | null>): void {
    const address = link(this.route.screen, this.route.id, { ...this.route.query, ...query });
    history.replaceState(null, "", address);
    this.route = parse(address);
  }
}

export const router = new Router();
