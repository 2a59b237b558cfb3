import { cleanup, fireEvent, render } from "@testing-library/svelte";
import { expect, test, vi } from "vitest";

import type { Counts } from "../generated/Counts";
import type { JobRow } from "../generated/JobRow";
import type { StateKind } from "../generated/StateKind";
import type { TimelineRow } from "../generated/TimelineRow";
import { plot, ticks } from "./chart";
import MetricsPane from "./MetricsPane.svelte";
import ProgressBar from "./ProgressBar.svelte";
import { age, attemptLabel, lostMessage, rowLabel, timeLabels, stateLabel } from "./states";
import { describeChanges, Summary } from "./summary";
import Timeline from "./Timeline.svelte";

const none: Counts = {
  queued: 0,
  scheduled: 0,
  running: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
  unknown: 0,
};
const row: JobRow = {
  server: "s",
  serverName: "S",
  id: "1",
  shownId: "1",
  naming: "1",
  name: "a",
  about: null,
  queue: null,
  state: { kind: "running", name: null },
  progress: null,
  stage: null,
  asked: null,
  text: null,
  createdAt: 1000,
  startedAt: 2000,
  finishedAt: null,
  attempt: null,
  maxAttempts: null,
  watched: false,
  stale: false,
  heardAt: 5000,
};

test("a summary names what ended and nothing else", () => {
  expect(describeChanges(none, { ...none, completed: 3, failed: 1, running: 9 })).toBe(
    "3 finished, 1 failed",
  );
  expect(describeChanges({ ...none, completed: 5 }, none)).toBe("");
});

test("a burst of endings is announced once", () => {
  vi.useFakeTimers();
  const said: string[] = [];
  const summary = new Summary((text) => said.push(text));
  summary.update("all", { ...none, running: 50 });
  for (let completed = 1; completed <= 50; completed += 1)
    summary.update("all", { ...none, running: 50 - completed, completed });
  vi.advanceTimersByTime(10_000);
  expect(said).toEqual(["50 finished"]);
  summary.update("another filter", { ...none, completed: 90 });
  vi.advanceTimersByTime(10_000);
  expect(said).toEqual(["50 finished"]);
  vi.useRealTimers();
});

test("a running job's age ticks by seconds and a clock ahead of ours is no negative age", () => {
  expect(age(row, 4900).text).toBe("2 s");
  expect(age(row, 500).text).toBe("0 s");
  expect(
    age({ ...row, state: { kind: "completed", name: null }, finishedAt: 254_000 }, 900_000).text,
  ).toBe("4 m 12 s");
});

test("a chart spans its box between round numbers and leaves out what is no number", () => {
  const drawn = plot(
    [
      [0, 0],
      [10, NaN],
      [10, 10],
    ],
    100,
    48,
  )!;
  expect(drawn.line).toBe("M0,48L100,8");
  expect([drawn.least, drawn.most, drawn.from, drawn.to]).toEqual([0, 10, 0, 10]);
  expect([drawn.nearest(-5), drawn.nearest(49), drawn.nearest(51)]).toEqual([0, 0, 1]);
  expect(plot([[5, 7]], 100, 48)?.points).toHaveLength(1);
  expect(plot([[5, 7]], 100, 48)?.line).toMatch(/^M0,([\d.]+)L100,\1$/);
  expect(plot([[5, NaN]], 100, 48)).toBeNull();
});

test("an axis has a few round numbers around what was measured", () => {
  expect(ticks(22, 62)).toEqual([20, 40, 60, 80]);
  expect(ticks(0.1, 0.34)).toEqual([0.1, 0.2, 0.3, 0.4]);
  expect(ticks(0, 0)).toEqual([0, 0.5]);
  // Values equal but for rounding, and numbers at the limits of floating point.
  expect(ticks(0.3, 0.1 + 0.2)).toHaveLength(2);
  expect(ticks(33.3, 33.300000000000004)).toHaveLength(2);
  const ranges: [number, number][] = [
    [123456789012, 123456789013],
    [1e15, 1e15 + 1],
    [-1e300, 1e300],
    [5e-324, 1e-323],
  ];
  for (const [least, most] of ranges) {
    const found = ticks(least, most);
    expect(new Set(found).size).toBe(found.length);
    expect(found.length).toBeLessThan(14);
  }
  expect(ticks(5_000_000, 5_000_000)[0]).toBeLessThanOrEqual(5_000_000);
});

test("a chart shows the value under the pointer or selected with the arrow keys", async () => {
  cleanup();
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(460);
  const { getByRole } = render(MetricsPane, {
    metrics: [
      {
        name: "CPU",
        unit: "%",
        points: [
          [0, 20],
          [60_000, 40],
        ],
      },
    ],
  });
  const chart = getByRole("img", { name: "CPU: now 40 %, from 20 to 40" });
  await fireEvent.keyDown(chart, { key: "End" });
  expect(chart.getAttribute("aria-label")).toMatch(/^40 % at /);
  await fireEvent.keyDown(chart, { key: "ArrowLeft" });
  expect(chart.getAttribute("aria-label")).toMatch(/^20 % at /);
  vi.restoreAllMocks();
});

test("a summary ignores jobs that had ended before their server was connected", () => {
  vi.useFakeTimers();
  const said: string[] = [];
  const summary = new Summary((text) => said.push(text));
  summary.update("all", none);
  summary.update("all", { ...none, completed: 32, failed: 3, running: 2 });
  vi.advanceTimersByTime(20_000);
  expect(said).toEqual([]);
  summary.update("all", { ...none, completed: 33, failed: 3, running: 1 });
  vi.advanceTimersByTime(20_000);
  expect(said).toEqual(["1 finished"]);
  vi.useRealTimers();
});

test("a job without a start shows when it ended but no duration", () => {
  const ended: JobRow = {
    ...row,
    state: { kind: "failed", name: null },
    startedAt: null,
    createdAt: null,
    finishedAt: 10_000,
  };
  expect(age(ended, 610_000).fact).toBe("Ended 10 m ago");
  expect(age({ ...ended, startedAt: 4_000 }, 610_000).fact).toBe("Took 6 s");
  expect(age({ ...ended, startedAt: 11_000 }, 610_000).fact, "a clock that ran ahead").toBe(
    "Ended 10 m ago",
  );
  expect(age({ ...ended, finishedAt: null }, 65_000).fact).toBe("Last update 1 m ago");
  expect(age({ ...row, startedAt: null }, 61_000).fact, "it may have waited").toBe(
    "Created 1 m ago",
  );
});

test("a job with a lost outcome is unknown, does not tick, and explains why", () => {
  const gone: JobRow = { ...row, state: { kind: "unknown", name: "gone" } };
  expect(stateLabel(gone.state)).toBe("Unknown");
  expect(lostMessage(gone.state)).toMatch(/no longer lists this job/);
  expect(age(gone, 65_000).fact).toBe("Last update 1 m ago");
  expect(stateLabel({ kind: "unknown", name: "ended" })).toBe("Unknown");
  expect(stateLabel({ kind: "unknown", name: "mystery" })).toBe("mystery");
  expect(lostMessage({ kind: "unknown", name: "constructor" })).toBeNull();
});

test("an attempt beyond what the server counts stands alone", () => {
  expect(attemptLabel(2, 3)).toBe("Attempt 2 of 3");
  expect(attemptLabel(4, 3)).toBe("Attempt 4");
  expect(attemptLabel(2, null)).toBe("Attempt 2");
});

test("a job that is unknown has no bar over its words, and a count is a number without a bar", () => {
  const bar = (progress: number | null, stage: string | null, kind: StateKind) => {
    cleanup();
    return render(ProgressBar, { progress, stage, kind }).container;
  };
  expect(bar(null, null, "unknown").textContent).toBe("");
  const counted = bar(null, "4235", "running");
  expect(counted.querySelector(".words")?.textContent).toBe("4235");
  expect(counted.querySelector(".track")).toBeNull();
  expect(bar(0.5, null, "running").textContent).toContain("0.5 %");
  expect(bar(null, null, "running").textContent, "its elapsed time stands alone").toBe("");
  expect(bar(null, "step: analysing", "running").querySelector(".track")).toBeNull();
  expect(bar(40, "step: analysing", "running").querySelector(".track")).not.toBeNull();
});

test("how long a job took and how long ago it ended have a place of their own each, and labels", () => {
  const ended: JobRow = { ...row, state: { kind: "completed", name: null }, finishedAt: 34_000 };
  expect(timeLabels(ended, 334_000)).toEqual({ length: "ran 32 s", when: "5 m ago" });
  expect(timeLabels({ ...ended, startedAt: null }, 334_000)).toEqual({
    length: "",
    when: "5 m ago",
  });
  expect(timeLabels(row, 34_000)).toEqual({ length: "for 32 s", when: "" });
  expect(timeLabels({ ...row, startedAt: null }, 34_000)).toEqual({
    length: "",
    when: "created 33 s ago",
  });
  expect(
    timeLabels({ ...row, state: { kind: "queued", name: null }, startedAt: null }, 34_000),
  ).toEqual({ length: "waiting 33 s", when: "" });
  expect(timeLabels({ ...row, state: { kind: "unknown", name: "gone" } }, 65_000)).toEqual({
    length: "",
    when: "updated 1 m ago",
  });
  expect(timeLabels({ ...row, startedAt: null, createdAt: null }, 65_000)).toEqual({
    length: "",
    when: "",
  });
});

test("a row is called by its name, state, server, age and error, with nothing that hides in a text", () => {
  const failed: JobRow = {
    ...row,
    name: "reindex",
    about: "orders",
    serverName: "Shop",
    state: { kind: "failed", name: null },
    finishedAt: 34_000,
    text: "disk \u202efull",
  };
  expect(rowLabel(failed, 334_000)).toBe(
    "reindex, Failed, orders, on Shop, took 32 s, ended 5 m ago, disk ⟨U+202E⟩full",
  );
  expect(rowLabel(row, 34_000)).toBe("a, Running, on S, running for 32 s");
});

test("the timeline does not repeat the error shown above", () => {
  const step = (to: StateKind, attemptFailed: boolean, error: string | null): TimelineRow => ({
    at: 1000,
    attempt: 1,
    from: null,
    to: { kind: to, name: null },
    attemptFailed,
    error,
  });
  const rows = [
    step("failed", true, "disk full"),
    step("failed", true, "boom"),
    step("failed", false, "boom"),
  ];
  cleanup();
  const { container } = render(Timeline, { rows, shownError: "boom" });
  expect([...container.querySelectorAll(".error")].map((found) => found.textContent)).toEqual([
    "disk full",
  ]);
});
