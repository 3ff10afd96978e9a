// Pictures ahead of their showing: fetched early, decoded in time, dropped when no longer wanted.
import { thumbHashToAverageRGBA, thumbHashToDataURL } from "thumbhash";
import { pictureUrl } from "../api/client";

const ahead = new Map<string, HTMLImageElement>();

/** Fetches the 2048 tier of these pictures, decodes the second list, and forgets all others. */
export function prefetch(fetched: string[], decoded: string[]): void {
  const wanted = new Set([...fetched, ...decoded]);
  for (const [hash, image] of ahead) {
    if (wanted.has(hash)) continue;
    // Ends a load that is still under way.
    if (!image.complete) image.src = "";
    ahead.delete(hash);
  }
  for (const hash of wanted) {
    const image = ahead.get(hash) ?? begin(hash);
    if (decoded.includes(hash)) void image.decode().catch(() => undefined);
  }
}

function begin(hash: string): HTMLImageElement {
  const image = new Image();
  image.decoding = "async";
  image.fetchPriority = "low";
  image.src = pictureUrl(hash, "2048");
  ahead.set(hash, image);
  return image;
}

/** Calls back once the picture is decoded and so can be painted without a wait. */
export function decoded(image: HTMLImageElement, ready: () => void, broken: () => void): () => void {
  let wanted = true;
  const settle = () => {
    image.decode().then(
      () => wanted && ready(),
      () => wanted && broken(),
    );
  };
  const failed = () => wanted && broken();
  if (image.complete && image.naturalWidth > 0) settle();
  image.addEventListener("load", settle);
  image.addEventListener("error", failed);
  return () => {
    wanted = false;
    image.removeEventListener("load", settle);
    image.removeEventListener("error", failed);
  };
}

const blurs = new Map<string, string>();

/** A blur of about 32 pixels, made from the bytes that came with the list. */
export function blur(thumbhash: string): string {
  const known = blurs.get(thumbhash);
  if (known !== undefined) return known;
  let made = "";
  try {
    made = thumbHashToDataURL(bytes(thumbhash));
  } catch {
    made = "";
  }
  if (blurs.size > 4000) blurs.clear();
  blurs.set(thumbhash, made);
  return made;
}

/** The one colour that the picture has in the mean, as CSS has it. */
export function meanColour(thumbhash: string): string {
  try {
    const { r, g, b } = thumbHashToAverageRGBA(bytes(thumbhash));
    return `rgb(${[r, g, b].map((part) => Math.round(part * 255)).join(" ")})`;
  } catch {
    return "none";
  }
}

const bytes = (base64: string) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** Keeps the 2048 tier of these pictures decoded until the given function is called. */
export function keepReady(hashes: readonly string[]): () => void {
  const kept = hashes.map((hash) => {
    const image = new Image();
    image.src = pictureUrl(hash, "2048");
    void image.decode().catch(() => undefined);
    return image;
  });
  return () => kept.splice(0);
}
