import { expect, test } from "vitest";

import { bytes, compact, day, duration, measure, relative } from "./format";

test("durations name their two largest units", () => {
  expect(duration(0)).toBe("0 s");
  expect(duration(430)).toBe("0.4 s");
  expect(duration(12_900)).toBe("12 s");
  expect(duration(252_000)).toBe("4 m 12 s");
  expect(duration(7_500_000)).toBe("2 h 5 m");
  expect(duration(7_200_000)).toBe("2 h");
  expect(duration(273_600_000)).toBe("3 d 4 h");
  expect(duration(-5)).toBe("0 s");
  expect(duration(NaN)).toBe("–");
});

test("times are relative to now", () => {
  const now = 1_800_000_000_000;
  expect(relative(now - 900, now)).toBe("now");
  expect(relative(now - 42_000, now)).toBe("42 s ago");
  expect(relative(now + 180_000, now)).toBe("in 3 m");
  expect(relative(now - 172_800_000, now)).toBe("2 d ago");
});

test("days are called today, yesterday, or by their date", () => {
  const now = new Date(2026, 10, 20, 0, 30).getTime();
  expect(day(now - 60_000, now)).toBe("Today");
  expect(day(now - 3_600_000, now)).toBe("Yesterday");
  expect(day(new Date(2026, 10, 17, 23, 59).getTime(), now)).toMatch(/17 Nov/);
  expect(day(new Date(2025, 10, 17).getTime(), now)).toMatch(/17 Nov 2025/);
  expect(day(8e18, now)).toBe("–");
});

test("numbers are short where room is short", () => {
  expect(compact(9_999)).toBe("9,999");
  expect(compact(12_400)).toBe("12k");
  expect(bytes(4_200)).toBe("4.2 kB");
  expect(measure(41.237)).toBe("41.2");
  expect(measure(0.01234)).toBe("0.012");
  expect(measure(Infinity)).toBe("–");
});
