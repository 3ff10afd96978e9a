// The few parts of a browser that the logic touches, for tests without one.
import "fake-indexeddb/auto";

const kept = new Map<string, string>();

Object.assign(globalThis, {
  document: Object.assign(new EventTarget(), { baseURI: "http://hub.test/page/", hidden: false }),
  localStorage: {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => kept.set(name, value),
    clear: () => kept.clear(),
  },
  matchMedia: () => Object.assign(new EventTarget(), { matches: false }),
  HTMLElement: class {},
});
