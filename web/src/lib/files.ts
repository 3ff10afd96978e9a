// Files that a person drops, pastes or chooses: read as text, or as base64 where they are pictures.

/** In bytes; in base64 it stays below what the hub takes. */
const LARGEST = 12_000_000;

export interface GivenFile {
  name: string;
  /** A workflow's text ... */
  workflow?: string;
  /** ... or a picture in base64, ... */
  picture?: string;
  /** ... or the name of a workflow saved on a server. */
  saved?: string;
  backend_id?: number;
}

export class TooLarge extends Error {}

const isPicture = (bytes: Uint8Array): boolean => {
  const head = String.fromCharCode(...bytes.subarray(0, 12));
  return head.startsWith("\x89PNG") || (head.startsWith("RIFF") && head.endsWith("WEBP")) || head.startsWith("\xff\xd8\xff");
};

export async function readGiven(file: File): Promise<GivenFile> {
  if (file.size > LARGEST) throw new TooLarge(file.name);
  const bytes = new Uint8Array(await file.arrayBuffer());
  return isPicture(bytes) ? { name: file.name, picture: base64(bytes) } : { name: file.name, workflow: new TextDecoder().decode(bytes) };
}

export function base64(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 0x8000) parts.push(String.fromCharCode(...bytes.subarray(at, at + 0x8000)));
  return btoa(parts.join(""));
}

/** "02_hand-fix.json" becomes "Hand fix". */
export function nameOfStep(file: string): string {
  const words = file
    .replace(/\.[A-Za-z0-9]+$/, "")
    .replace(/^[0-9]+[\s._-]+/, "")
    .replace(/[\s._-]+/g, " ")
    .trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Files in the order of their names, numbers by value. */
export const byName = (files: Iterable<File>): File[] => [...files].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
