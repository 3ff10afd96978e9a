// Moments and spans in words.
export const time = {
  seconds: (seconds: number) => `${seconds} s ago`,
  minutes: (minutes: number) => `${minutes} min ago`,
  hours: (hours: number) => `${hours} h ago`,
  now: "just now",
};

/** How long ago, in words; `then` is ISO 8601, `now` milliseconds since 1970. */
export function ago(then: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(then)) / 1000));
  if (seconds < 2) return time.now;
  if (seconds < 90) return time.seconds(seconds);
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? time.minutes(minutes) : time.hours(Math.round(minutes / 60));
}
