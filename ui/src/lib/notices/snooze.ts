import type { Overview } from "../generated/Overview";

/** 8:00 the next day, local time: the end of a snooze until tomorrow. */
export function tomorrow(now: number): number {
  const at = new Date(now);
  at.setDate(at.getDate() + 1);
  at.setHours(8, 0, 0, 0);
  return at.getTime();
}

/** Snooze options: label, and end time. */
export const SNOOZES: readonly [string, (now: number) => number][] = [
  ["for 1 hour", (now) => now + 3_600_000],
  ["until tomorrow", tomorrow],
];

/** Whether popups are snoozed by the user, which can be ended. */
export function snoozed({ quietUntil, preferences }: Overview): boolean {
  return quietUntil !== null && preferences.snoozedUntil === quietUntil;
}
