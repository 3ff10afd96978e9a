import { beforeEach, expect, test, vi } from "vitest";
import { Live, type Source } from "../src/lib/live.svelte";

class Stream implements Source {
  readyState = 1;
  onopen: ((event: Event) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;
  closed = false;
  #listeners = new Map<string, (event: MessageEvent<string>) => void>();

  constructor(readonly url: string) {}

  addEventListener(kind: string, listener: (event: MessageEvent<string>) => void): void {
    this.#listeners.set(kind, listener);
  }

  close(): void {
    this.closed = true;
  }

  tell(kind: string, id: string, data: unknown): void {
    this.#listeners.get(kind)?.({ lastEventId: id, data: JSON.stringify(data) } as MessageEvent<string>);
  }
}

let streams: Stream[];
let live: Live;
const newest = (): Stream => {
  const stream = streams.at(-1);
  if (!stream) throw new Error("no stream");
  return stream;
};

beforeEach(() => {
  vi.useFakeTimers();
  streams = [];
  live = new Live((url) => {
    const stream = new Stream(url);
    streams.push(stream);
    return stream;
  });
});

test("a gap is closed: the stream goes on after the last event that arrived", () => {
  live.start(40);
  newest().onopen?.(new Event("open"));
  newest().tell("run_changed", "47", { run_id: 1, at: "" });
  newest().onerror?.(new Event("error"));
  expect(live.state).toBe("offline");
  vi.advanceTimersByTime(1000);
  expect(streams[0]?.closed).toBe(true);
  expect(newest().url).toContain("after=47");
});

test("attempts come further and further apart, and at once after one that worked", () => {
  live.start(0);
  for (const wait of [1000, 2000, 4000]) {
    newest().onerror?.(new Event("error"));
    const before = streams.length;
    vi.advanceTimersByTime(wait - 1);
    expect(streams.length).toBe(before);
    vi.advanceTimersByTime(1);
    expect(streams.length).toBe(before + 1);
  }
  newest().onopen?.(new Event("open"));
  newest().onerror?.(new Event("error"));
  const before = streams.length;
  vi.advanceTimersByTime(1000);
  expect(streams.length).toBe(before + 1);
});

test("a hidden tab holds no connection and catches up when it is seen again", () => {
  live.start(5);
  live.pause();
  expect(newest().closed).toBe(true);
  expect(live.state).toBe("paused");
  live.resume();
  expect(streams).toHaveLength(2);
  expect(live.state).toBe("catching up");
});

test("only those who listen are told, and only as long as they do", () => {
  const heard = vi.fn();
  const stop = live.on("progress", heard);
  live.start(0);
  newest().tell("progress", "", { job: 1, value: 2, max: 4, node: null });
  stop();
  newest().tell("progress", "", { job: 1, value: 3, max: 4, node: null });
  expect(heard).toHaveBeenCalledTimes(1);
});
