import { expect, test } from "vitest";
import { best, fit, gutter, panes, place, row, spotAt, zoomAt } from "../src/lib/layout";
import { View, type Pane } from "../src/lib/view.svelte";

const pane = (x: number): Pane => ({ picture: { width: 1600, height: 2000 }, box: { x, y: 0, width: 400, height: 500 }, hug: "middle", regions: [] });

function view(...more: Partial<Pane>[]): View {
  const made = new View(() => 1);
  made.set([pane(0), pane(400)].map((each, index) => ({ ...each, ...more[index] })));
  return made;
}

test("portrait pictures stand side by side on a wide screen and lie in rows on a tall one", () => {
  const portrait = { width: 3, height: 4 };
  expect(best({ width: 1600, height: 900 }, portrait, portrait)).toBe("sides");
  expect(best({ width: 700, height: 1600 }, { width: 4, height: 3 }, { width: 4, height: 3 })).toBe("rows");
});

test("a pair meets in the middle, eight pixels apart", () => {
  const stage = { width: 1608, height: 800 };
  const [left, right] = panes(stage, "sides");
  const picture = { width: 600, height: 800 };
  const whole = { zoom: 1, cx: 0.5, cy: 0.5 };
  const a = place(picture, left, "right", whole);
  const b = place(picture, right, "left", whole);
  expect(right.x + b.x - (left.x + a.x + a.width)).toBe(8);
  expect(gutter(stage, picture, picture)).toBe(200);
});

test("pictures in a row fill the height or the width, whichever comes first", () => {
  const boxes = row({ width: 1000, height: 400 }, { width: 3, height: 4 }, [1, 1, 0.7]);
  expect(boxes.map((box) => Math.round(box.width))).toEqual([300, 300, 210]);
  expect(row({ width: 300, height: 400 }, { width: 3, height: 4 }, [1, 1]).every((box) => box.width <= 146)).toBe(true);
});

test("zooming keeps the spot under the pointer where it is", () => {
  const { picture, box, hug } = pane(0);
  const at = { x: 120, y: 300 };
  const before = spotAt(picture, box, hug, { zoom: 1, cx: 0.5, cy: 0.5 }, at);
  const sight = zoomAt(picture, box, hug, { zoom: 1, cx: 0.5, cy: 0.5 }, at, 4);
  const after = spotAt(picture, box, hug, sight, at);
  expect(after.x).toBeCloseTo(before.x, 6);
  expect(after.y).toBeCloseTo(before.y, 6);
});

test("holding Space shows one pixel for one at the pointer, and letting go undoes it", () => {
  const zoomed = view();
  zoomed.point(0, { x: 100, y: 100 });
  zoomed.look(true);
  expect(zoomed.scale).toBeCloseTo(1);
  zoomed.look(false);
  expect(zoomed.zoomed).toBe(false);
});

test("a picture that is smaller than its pane is doubled instead", () => {
  const small = { picture: { width: 200, height: 250 } };
  const zoomed = view(small, small);
  zoomed.look(true);
  expect(zoomed.sight.zoom).toBe(2);
});

test("pictures of different sizes stay on the same spot", () => {
  const zoomed = view({}, { picture: { width: 800, height: 1000 } });
  zoomed.wheel(0, { x: 100, y: 100 }, -800);
  const [a, b] = [zoomed.sightOf(0), zoomed.sightOf(1)];
  const first = spotAt({ width: 1600, height: 2000 }, pane(0).box, "middle", a, { x: 200, y: 200 });
  const second = spotAt({ width: 800, height: 1000 }, pane(400).box, "middle", b, { x: 200, y: 200 });
  expect(second.x).toBeCloseTo(first.x, 6);
  expect(second.y).toBeCloseTo(first.y, 6);
});

test("dragging with Shift moves one picture only, until the pair ends", () => {
  const zoomed = view();
  zoomed.zoomBy(0);
  zoomed.drag(1, { x: -40, y: 0 }, true);
  expect(zoomed.sightOf(1).cx).toBeGreaterThan(zoomed.sightOf(0).cx);
  zoomed.next();
  expect(zoomed.sightOf(1)).toEqual(zoomed.sightOf(0));
});

test("the zoom ends with the pair unless it is locked", () => {
  const zoomed = view();
  zoomed.zoomBy(3);
  zoomed.next();
  expect(zoomed.zoomed).toBe(false);
  zoomed.zoomBy(3);
  zoomed.toggleLock();
  const kept = zoomed.sight;
  zoomed.next();
  expect(zoomed.sight).toEqual(kept);
});

test("Space that is still held when the pair changes stays at full size and then lets go", () => {
  const zoomed = view();
  zoomed.look(true);
  zoomed.next();
  expect(zoomed.zoomed).toBe(true);
  zoomed.look(false);
  expect(zoomed.zoomed).toBe(false);
});

test("J goes round the regions that the step changed, and says when there are none", () => {
  const regions = [
    [0, 0, 0.2, 0.2],
    [0.8, 0.8, 0.2, 0.2],
  ];
  const zoomed = view({ regions }, { regions: [] });
  expect(zoomed.region(1)).toBe(true);
  expect(zoomed.sight.cx).toBeCloseTo(0.1);
  zoomed.region(1);
  expect(zoomed.sight.cx).toBeCloseTo(0.9);
  zoomed.region(-1);
  expect(zoomed.sight.cx).toBeCloseTo(0.1);
  expect(view().region(1)).toBe(false);
});

test("the pane under a point is the topmost one", () => {
  expect(view().paneAt({ x: 450, y: 20 })).toEqual({ pane: 1, at: { x: 50, y: 20 } });
  expect(fit({ width: 100, height: 100 }, { width: 50, height: 80 })).toEqual({ width: 50, height: 50 });
});
