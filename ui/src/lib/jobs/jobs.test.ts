import { expect, test, vi } from "vitest";

import type { Counts } from "../generated/Counts";
import type { JobRow } from "../generated/JobRow";
import { sparkline } from "./sparkline";
import { age } from "./states";
import { Summary, words } from "./summary";

const none: Counts = { queued: 0, scheduled: 0, running: 0, completed: 0, failed: 0, cancelled: 0, unknown: 0 };
const row: JobRow = {
  server: "s", serverName: "S", id: "1", name: "a", queue: null, state: { kind: "running", name: null }, progress: null, stage: null, asked: null,
  text: null, createdAt: 1000, startedAt: 2000, finishedAt: null, attempt: null, maxAttempts: null, watched: false, stale: false, heardAt: 5000,
};

test("a summary names what ended and nothing else", () => {
  expect(words(none, { ...none, completed: 3, failed: 1, running: 9 })).toBe("3 finished, 1 failed");
  expect(words({ ...none, completed: 5 }, none)).toBe("");
});

test("a burst of endings is spoken once", () => {
  vi.useFakeTimers();
  const said: string[] = [];
  const summary = new Summary((text) => said.push(text));
  summary.heard("all", { ...none, running: 50 });
  for (let completed = 1; completed <= 50; completed += 1) summary.heard("all", { ...none, running: 50 - completed, completed });
  vi.advanceTimersByTime(10_000);
  expect(said).toEqual(["50 finished"]);
  summary.heard("another filter", { ...none, completed: 90 });
  vi.advanceTimersByTime(10_000);
  expect(said).toEqual(["50 finished"]);
  vi.useRealTimers();
});

test("a running job's age ticks by seconds and a clock ahead of ours is no negative age", () => {
  expect(age(row, 4900).text).toBe("2 s");
  expect(age(row, 500).text).toBe("0 s");
  expect(age({ ...row, state: { kind: "completed", name: null }, finishedAt: 254_000 }, 900_000).text).toBe("4 m 12 s");
});

test("a sparkline spans its box and leaves out what is no number", () => {
  expect(sparkline([[0, 0], [10, NaN], [10, 10]], 100, 50)?.line).toBe("M0,48L100,2");
  expect(sparkline([[5, 7]], 100, 50)?.line).toBe("M0,25L100,25");
  expect(sparkline([[5, NaN]], 100, 50)).toBeNull();
});

test("a summary says nothing of jobs that a server lists as ended when it is connected", () => {
  vi.useFakeTimers();
  const said: string[] = [];
  const summary = new Summary((text) => said.push(text));
  summary.heard("all", none);
  summary.heard("all", { ...none, completed: 32, failed: 3, running: 2 });
  vi.advanceTimersByTime(20_000);
  expect(said).toEqual([]);
  summary.heard("all", { ...none, completed: 33, failed: 3, running: 1 });
  vi.advanceTimersByTime(20_000);
  expect(said).toEqual(["1 finished"]);
  vi.useRealTimers();
});
