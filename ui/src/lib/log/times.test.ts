import { expect, test } from "vitest";

import { parseGoal, onAxis, since, fullTime, timeWidth, formatTime } from "./times";

const START = Date.UTC(2026, 10, 20, 14, 0, 0);
const span: [number, number] = [START, START + 3_600_000];
const target = (text: string) => {
  const found = parseGoal(text, span, "utc");
  return found?.kind === "target" ? found.target : null;
};

test("a time is formatted as the user wants it", () => {
  const at = START + 202_041;
  expect(formatTime(at, "absolute", "utc", at, START)).toBe("14:03:22.041");
  expect(formatTime(at, "since", "utc", at, START)).toBe("+3:22.041");
  expect(formatTime(at, "relative", "utc", at + 12_000, START)).toBe("12 s ago");
  expect(formatTime(at, "none", "utc", at, START)).toBe("");
  expect(formatTime(null, "absolute", "utc", at, START)).toBe("");
  expect(fullTime(at, "utc")).toBe("20 Nov 2026, 14:03:22.041 UTC");
});

test("the time since the start is short at first and negative before it", () => {
  expect(since(START + 41, START)).toBe("+0.041");
  expect(since(START + 10_801_000, START)).toBe("+3:00:01.000");
  expect(since(START - 1500, START)).toBe("−1.500");
  expect(timeWidth("since", span)).toBe("+1:00:00.000".length);
});

test("an axis of more than a day shows the day", () => {
  expect(onAxis(START, span, "utc")).toBe("14:00:00");
  expect(onAxis(START, [START, START + 3 * 86_400_000], "utc")).toBe("20 Nov, 14:00");
});

test("goes to a line, whatever the number is grouped with", () => {
  expect(target("12,000")).toEqual({ kind: "line", line: 12_000 });
  expect(target("line 7")).toEqual({ kind: "line", line: 7 });
  expect(target("0")).toEqual({ kind: "line", line: 1 });
});

test("goes to a part of the log", () => {
  expect(parseGoal("50%", span, "utc")).toMatchObject({ kind: "part", part: 0.5 });
  expect(parseGoal("12,5 %", span, "utc")).toMatchObject({ part: 0.125 });
  expect(parseGoal("300%", span, "utc")).toMatchObject({ part: 1 });
});

test("goes to a time of day, a date, or a length of time from either end", () => {
  expect(target("14:03:22.041")).toEqual({ kind: "time", at: START + 202_041 });
  expect(target("14:03")).toEqual({ kind: "time", at: START + 180_000 });
  expect(target("2026-11-19 08:00")).toEqual({ kind: "time", at: Date.UTC(2026, 10, 19, 8) });
  expect(target("2026-11-19T08:00:01Z")).toEqual({
    kind: "time",
    at: Date.UTC(2026, 10, 19, 8, 0, 1),
  });
  expect(target("-5m")).toEqual({ kind: "time", at: span[1] - 300_000 });
  expect(target("+90s")).toEqual({ kind: "time", at: span[0] + 90_000 });
});

test("a time of day that has not come on the last day is that of the day before", () => {
  const days: [number, number] = [START - 86_400_000, START];
  expect(parseGoal("23:00", days, "utc")).toMatchObject({
    target: { at: Date.UTC(2026, 10, 19, 23) },
  });
});

test("what is none of these leads nowhere", () => {
  for (const text of ["", "soon", "25:00", "14:61", "%", "-5 parsecs"])
    expect(parseGoal(text, span, "utc")).toBeNull();
});
