import { expect, test } from "vitest";

import {
  clearedFor,
  unfiltered,
  found,
  narrows,
  literal,
  summary,
  toggleLevel,
  widened,
  withChip,
  withoutChip,
} from "./filter";

test("a filter that hides nothing has no description", () => {
  expect(narrows(unfiltered(true))).toBe(false);
  expect(summary(unfiltered(true))).toBe("");
  expect(narrows({ ...unfiltered(true), find: literal("x") })).toBe(false);
  expect(narrows({ ...unfiltered(true), onlyMatching: true })).toBe(false);
});

test("the same text is a chip once, and a changed chip keeps its place", () => {
  let filter = withChip(unfiltered(true), "include", literal("one"));
  filter = withChip(filter, "include", literal("two"));
  filter = withChip(filter, "include", literal("one"));
  expect(filter.include.map((chip) => chip.text)).toEqual(["two", "one"]);
  filter = withChip(filter, "include", literal("three"), 0);
  expect(filter.include.map((chip) => chip.text)).toEqual(["three", "one"]);
  expect(withoutChip(filter, "include", 0).include.map((chip) => chip.text)).toEqual(["one"]);
});

test("levels are chosen together, and all of them are the same as none", () => {
  let filter = toggleLevel(toggleLevel(unfiltered(true), "error"), "warn");
  expect(filter.levels).toEqual(["warn", "error"]);
  filter = toggleLevel(filter, "warn");
  expect(filter.levels).toEqual(["error"]);
  for (const level of ["none", "trace", "debug", "info", "warn", "fatal"] as const)
    filter = toggleLevel(filter, level);
  expect(filter.levels).toEqual([]);
});

test("what is filtered reads as a sentence, and one step shows unfiltered again", () => {
  let filter = toggleLevel(unfiltered(true), "error");
  filter = withChip(filter, "include", literal("upload"));
  filter = withChip(filter, "exclude", { ...literal("retry.*5"), regex: true });
  filter = { ...filter, find: literal("db"), onlyMatching: true, context: 2, cleared: [7] };
  expect(summary(filter)).toBe(
    "Only lines: level error, with “upload”, without /retry.*5/, matching “db” and 2 lines around",
  );
  const wide = widened(filter);
  expect(narrows(wide)).toBe(false);
  expect(wide.find?.text).toBe("db");
  expect(wide.cleared).toEqual([7]);
});

test("what was cleared stays with its job when jobs come and go", () => {
  expect(clearedFor([10, 20], ["a", "b"], ["b", "c", "a"])).toEqual([20, 0, 10]);
  expect(clearedFor([10, 0], ["a", "b"], ["b"])).toEqual([]);
  expect(clearedFor([], ["a"], ["a", "b"])).toEqual([]);
});

test("shows the number of the match, the total and the progress of the search", () => {
  expect(found(3, 1204, 1)).toBe("3 of 1,204");
  expect(found(null, 1, 1)).toBe("1 match");
  expect(found(null, 0, 1)).toBe("No match");
  expect(found(3, 1204, 0.629)).toBe("3 of 1,204, 62 % searched");
  expect(found(null, 0, 0.1)).toBe("Searching, 10 %");
});
