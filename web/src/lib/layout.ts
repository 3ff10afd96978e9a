// Where panes and pictures lie: plain geometry in CSS pixels, no state.

export interface Size {
  width: number;
  height: number;
}
export interface Box extends Size {
  x: number;
  y: number;
}
export interface Point {
  x: number;
  y: number;
}
/** Two panes, two rows, one picture at a time, or both in one place with a line between them. */
export type Arrangement = "sides" | "rows" | "flip" | "split";
/** The edge of its pane that a picture rests against; the pair meets in the middle. */
export type Hug = "left" | "right" | "top" | "bottom" | "middle";
/** How much of the picture is seen: 1 is all of it; the centre is a fraction of the picture. */
export interface Sight {
  zoom: number;
  cx: number;
  cy: number;
}

/** Between the two pictures, in pixels. */
export const GAP = 8;

export function fit(picture: Size, pane: Size): Size {
  const scale = Math.min(pane.width / picture.width, pane.height / picture.height);
  return { width: picture.width * scale, height: picture.height * scale };
}

export function panes(stage: Size, arrangement: Arrangement): [Box, Box] {
  const whole = { x: 0, y: 0, ...stage };
  switch (arrangement) {
    case "flip":
    case "split":
      return [whole, whole];
    case "sides": {
      const width = (stage.width - GAP) / 2;
      return [
        { ...whole, width },
        { ...whole, x: width + GAP, width },
      ];
    }
    case "rows": {
      const height = (stage.height - GAP) / 2;
      return [
        { ...whole, height },
        { ...whole, y: height + GAP, height },
      ];
    }
  }
}

/** The arrangement that shows more of these two pictures. */
export function best(stage: Size, a: Size, b: Size): "sides" | "rows" {
  const shown = (arrangement: "sides" | "rows") => {
    const [first, second] = panes(stage, arrangement);
    return area(fit(a, first)) + area(fit(b, second));
  };
  return shown("rows") > shown("sides") ? "rows" : "sides";
}

/** Pixels left free beside a pair that stands side by side, on each side. */
export function gutter(stage: Size, a: Size, b: Size): number {
  const [first, second] = panes(stage, "sides");
  return Math.min(first.width - fit(a, first).width, second.width - fit(b, second).width);
}

/** Boxes for a row of pictures of one shape, each as wide as its share, as large as the stage lets. */
export function row(stage: Size, picture: Size, shares: readonly number[]): Box[] {
  const total = shares.reduce((sum, share) => sum + share, 0);
  const room = stage.width - GAP * (shares.length - 1);
  const width = Math.min((stage.height * picture.width) / picture.height, room / total);
  const height = (width * picture.height) / picture.width;
  let x = (room - width * total) / 2;
  return shares.map((share) => {
    const box = { x, y: (stage.height - height) / 2, width: width * share, height };
    x += box.width + GAP;
    return box;
  });
}

/** The picture's box inside its pane, the pane's corner being 0, 0. */
export function place(picture: Size, pane: Size, hug: Hug, sight: Sight): Box {
  const fitted = fit(picture, pane);
  const width = fitted.width * sight.zoom;
  const height = fitted.height * sight.zoom;
  const across = hug === "left" ? 0 : hug === "right" ? 1 : 0.5;
  const down = hug === "top" ? 0 : hug === "bottom" ? 1 : 0.5;
  return {
    x: offset(pane.width, width, sight.cx, across),
    y: offset(pane.height, height, sight.cy, down),
    width,
    height,
  };
}

/** The sight at `zoom` that keeps the picture's spot under `at`, a point of the pane. */
export function zoomAt(picture: Size, pane: Size, hug: Hug, sight: Sight, at: Point, zoom: number): Sight {
  const spot = spotAt(picture, pane, hug, sight, at);
  const fitted = fit(picture, pane);
  return {
    zoom,
    cx: clamp(spot.x - (at.x - pane.width / 2) / (fitted.width * zoom)),
    cy: clamp(spot.y - (at.y - pane.height / 2) / (fitted.height * zoom)),
  };
}

/** The fraction of the picture that lies under a point of the pane, inside 0 to 1. */
export function spotAt(picture: Size, pane: Size, hug: Hug, sight: Sight, at: Point): Point {
  const box = place(picture, pane, hug, sight);
  return { x: clamp((at.x - box.x) / box.width), y: clamp((at.y - box.y) / box.height) };
}

/** The sight that fills most of the pane with a region given in fractions of the picture. */
export function zoomTo(picture: Size, pane: Size, region: readonly number[]): Sight {
  const fitted = fit(picture, pane);
  const [x = 0, y = 0, width = 1, height = 1] = region;
  const across = pane.width / (fitted.width * Math.max(width, 0.01));
  const down = pane.height / (fitted.height * Math.max(height, 0.01));
  const zoom = Math.min(Math.max(1, Math.min(across, down) * 0.8), 16);
  return { zoom, cx: clamp(x + width / 2), cy: clamp(y + height / 2) };
}

function offset(pane: number, picture: number, centre: number, rest: number): number {
  if (picture <= pane + 0.5) return (pane - picture) * rest;
  return Math.min(0, Math.max(pane - picture, pane / 2 - centre * picture));
}

function area(size: Size): number {
  return size.width * size.height;
}

function clamp(fraction: number): number {
  return Math.min(1, Math.max(0, fraction));
}
