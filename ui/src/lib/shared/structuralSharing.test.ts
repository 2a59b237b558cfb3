import { expect, test } from "vitest";

import { shareStructure } from "./structuralSharing";

test("what did not change keeps its identity", () => {
  const before = {
    total: 2,
    rows: [
      { server: "a", id: "1", state: { kind: "running" } },
      { server: "a", id: "2", state: { kind: "queued" } },
    ],
  };
  const after = shareStructure(before, structuredClone(before));
  expect(after).toBe(before);
});

test("rows are matched by who they are, not by where they stand", () => {
  const before = [
    { server: "a", id: "1", n: 1 },
    { server: "a", id: "2", n: 1 },
  ];
  const after = shareStructure(before, [
    { server: "a", id: "9", n: 1 },
    { server: "a", id: "1", n: 1 },
    { server: "a", id: "2", n: 2 },
  ]);
  expect(after[1]).toBe(before[0]);
  expect(after[2]).not.toBe(before[1]);
  expect(after[2]).toEqual({ server: "a", id: "2", n: 2 });
});

test("a field that disappears is a change", () => {
  const before: Record<string, unknown> = { a: 1, b: 2 };
  expect(shareStructure(before, { a: 1 })).toEqual({ a: 1 });
  expect(shareStructure(before, { a: 1, c: undefined })).toEqual({ a: 1, c: undefined });
});
