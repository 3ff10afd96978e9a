import { rgbaToThumbHash } from "thumbhash";
import { expect, test } from "vitest";
import { blur, meanColour } from "../src/lib/pictures";

const plain = (...colour: number[]) => btoa(String.fromCharCode(...rgbaToThumbHash(8, 8, Array.from({ length: 64 }, () => colour).flat())));

test("the mean colour of a plain picture is about its own", () => {
  const parts = /^rgb\((\d+) (\d+) (\d+)\)$/.exec(meanColour(plain(200, 100, 50, 255)));
  expect(parts).not.toBeNull();
  parts?.slice(1).forEach((part, i) => expect(Math.abs(Number(part) - ([200, 100, 50][i] ?? 0))).toBeLessThan(8));
});

test("a picture without a thumbhash has neither a colour nor a blur", () => {
  expect([meanColour("~"), blur("~")]).toEqual(["none", ""]);
});
