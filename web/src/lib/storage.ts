// What this browser remembers by itself. A browser that forbids storage just forgets.

export function remembered<T>(name: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(`shortlist.${name}`);
    return text === null ? otherwise : (JSON.parse(text) as T);
  } catch {
    return otherwise;
  }
}

export function remember(name: string, value: unknown): void {
  try {
    localStorage.setItem(`shortlist.${name}`, JSON.stringify(value));
  } catch {
    return;
  }
}
