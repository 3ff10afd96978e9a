import { beforeEach, expect, test } from "vitest";
import { Refused, Unreachable } from "../src/api/client";
import type { Act, ActResult } from "../src/api/types";
import { Outbox } from "../src/lib/outbox.svelte";
import { result, settle } from "./builders";

/** A hub that can be away, that refuses, and that keeps what it got. */
class Hub {
  got: string[][] = [];
  answered: ActResult[] = [];
  timers: { run: () => void; wait: number }[] = [];
  stuck = 0;
  away = false;
  /** The answer gets lost although the hub has done it. */
  deaf = false;
  refuses = (_act: Act): boolean => false;
  fails: (acts: Act[]) => Error | null = () => null;
  clock = 1_000_000;

  outbox(name: string): Outbox {
    return new Outbox(
      {
        send: (acts) => this.#send(acts),
        answered: (_act, answer) => this.answered.push(answer),
        stuck: () => (this.stuck += 1),
        now: () => this.clock,
        soon: (run) => run(),
        later: (run, wait) => {
          this.timers.push({ run, wait });
          return () => undefined;
        },
      },
      name,
    );
  }

  async #send(acts: Act[]): Promise<{ results: ActResult[] }> {
    if (this.away) throw new Unreachable("away");
    const fault = this.fails(acts);
    if (fault) throw fault;
    this.got.push(acts.map((act) => act.id));
    if (this.deaf) throw new Unreachable("lost");
    return { results: acts.map((act) => result(act.id, { ok: !this.refuses(act) })) };
  }
}

const skip = (id: string): Act => ({ id, kind: "skip", a: 1, b: 2 });
const problem = (status: number) => new Refused({ type: "", title: "", detail: "no", status, request_id: "" });
let hub: Hub;
let name = 0;
beforeEach(() => {
  hub = new Hub();
  name += 1;
});

test("acts arrive in the order in which they were done, at most twenty at a time", async () => {
  hub.away = true;
  const outbox = hub.outbox(`o${name}`);
  for (let n = 0; n < 45; n += 1) void outbox.add(skip(`a${n}`), "");
  await settle();
  hub.away = false;
  outbox.flush();
  await settle();
  expect(hub.got.map((batch) => batch.length)).toEqual([20, 20, 5]);
  expect(hub.got.flat()).toEqual(Array.from({ length: 45 }, (_, n) => `a${n}`));
  expect(outbox.waiting).toEqual([]);
});

test("a hub that is away is asked again after 1, 2, 4 seconds and so on up to a minute", async () => {
  hub.away = true;
  const outbox = hub.outbox(`o${name}`);
  await outbox.add(skip("a"), "");
  await settle();
  for (let n = 0; n < 8; n += 1) {
    hub.timers.at(-1)?.run();
    await settle();
  }
  expect(hub.timers.map((timer) => timer.wait / 1000)).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  expect(outbox.state.name).toBe("retrying");
  expect(hub.stuck).toBe(9);
});

test("what was not sent before the page went is sent by the next one", async () => {
  hub.away = true;
  const before = hub.outbox(`o${name}`);
  await before.add(skip("a"), "first");
  await before.add(skip("b"), "second");
  await settle();
  hub.away = false;
  await hub.outbox(`o${name}`).open();
  await settle();
  expect(hub.got).toEqual([["a", "b"]]);
  const third = hub.outbox(`o${name}`);
  await third.open();
  expect(third.waiting).toEqual([]);
});

test("an act whose answer got lost is sent again under the same id", async () => {
  hub.deaf = true;
  const outbox = hub.outbox(`o${name}`);
  await outbox.add(skip("a"), "");
  await settle();
  hub.deaf = false;
  outbox.flush();
  await settle();
  expect(hub.got).toEqual([["a"], ["a"]]);
  expect(hub.answered).toHaveLength(1);
});

test("a refused act does not hold up the others", async () => {
  hub.refuses = (act) => act.id === "b";
  const outbox = hub.outbox(`o${name}`);
  await Promise.all(["a", "b", "c"].map((id) => outbox.add(skip(id), "")));
  await settle();
  expect(hub.answered.map((each) => [each.id, each.ok])).toEqual([
    ["a", true],
    ["b", false],
    ["c", true],
  ]);
  expect(outbox.waiting).toEqual([]);
});

test("when a whole request is refused, the act at fault is found and the others count", async () => {
  hub.away = true;
  const outbox = hub.outbox(`o${name}`);
  for (const id of ["a", "b", "c"]) await outbox.add(skip(id), "");
  await settle();
  hub.away = false;
  hub.fails = (acts) => (acts.some((act) => act.id === "b") ? problem(422) : null);
  outbox.flush();
  await settle();
  expect(hub.got.flat()).toEqual(["a", "c"]);
  expect(hub.answered.find((each) => each.id === "b")?.ok).toBe(false);
  expect(outbox.waiting).toEqual([]);
});

test("a person who has to sign in loses nothing", async () => {
  hub.fails = () => problem(401);
  const outbox = hub.outbox(`o${name}`);
  await outbox.add(skip("a"), "");
  await settle();
  expect(outbox.state.name).toBe("signed out");
  hub.fails = () => null;
  outbox.flush();
  await settle();
  expect(hub.got).toEqual([["a"]]);
});

test("a clock that goes backwards does not change the order", async () => {
  hub.away = true;
  const outbox = hub.outbox(`o${name}`);
  for (const [n, at] of [5_000_000, 4_000_000, 3_000_000].entries()) {
    hub.clock = at;
    await outbox.add(skip(`a${n}`), "");
  }
  await settle();
  hub.away = false;
  const later = hub.outbox(`o${name}`);
  await later.open();
  await settle();
  expect(hub.got).toEqual([["a0", "a1", "a2"]]);
});

test("what is done before the acts of the last visit are read goes behind them, whatever the clock says", async () => {
  hub.away = true;
  const earlier = hub.outbox(`o${name}`);
  await earlier.add(skip("first"), "");
  await earlier.add(skip("second"), "");
  await settle();
  hub.clock -= 6 * 3_600_000;
  const outbox = hub.outbox(`o${name}`);
  hub.away = true;
  const opened = outbox.open();
  void outbox.add(skip("third"), "");
  await opened;
  await settle();
  hub.away = false;
  outbox.flush();
  await settle();
  expect(hub.got.flat()).toEqual(["first", "second", "third"]);
});
