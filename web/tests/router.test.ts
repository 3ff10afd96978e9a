import { expect, test } from "vitest";
import { newId } from "../src/lib/ids";

test("an address says what is on the screen and back", async () => {
  Object.assign(globalThis, { location: { hash: "" }, addEventListener: () => undefined });
  const { link, parse } = await import("../src/lib/router.svelte");
  expect(parse(link("board", 7, { c: 12, q: null }))).toEqual({ screen: "board", id: 7, query: { c: "12" } });
  expect(parse("#/nowhere/x")).toMatchObject({ screen: "vote", id: null });
});

test("ids are made without a secure context and never come twice", () => {
  const ids = new Set(Array.from({ length: 1000 }, () => newId()));
  expect(ids.size).toBe(1000);
  expect([...ids][0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
