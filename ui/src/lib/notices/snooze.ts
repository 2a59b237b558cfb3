import type { Overview } from "../generated/Overview";

/** Eight in the morning of the next day, in local time: what "tomorrow" means for popups. */
export function tomorrow(now: number): number {
  const at = new Date(now);
  at.setDate(at.getDate() + 1);
  at.setHours(8, 0, 0, 0);
  return at.getTime();
}

/** How long popups can be snoozed, and until when that is. */
export const SNOOZES: readonly [string, (now: number) => number][] = [
  ["for 1 hour", (now) => now + 3_600_000],
  ["until tomorrow", tomorrow],
];

/** Whether it is the user's snooze that keeps popups back, which can be ended. */
export function snoozed({ quietUntil, preferences }: Overview): boolean {
  return quietUntil !== null && preferences.snoozedUntil === quietUntil;
}
