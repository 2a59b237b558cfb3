import { describe, expect, test } from "vitest";

import { bars, ticks } from "./logOverview.svelte";
import { ansiStyle } from "./ansiStyles";
import { holds, moved, picked, range, shifted } from "./selection";
import { anchorAt, around, layOut } from "./wrapping";

describe("chosen rows", () => {
  test("reach from the first click to the one with shift, in either direction", () => {
    const chosen = picked(picked(null, 10, false), 4, true);
    expect(range(chosen)).toEqual({ first: 4, count: 7 });
    expect([3, 4, 10, 11].map((row) => holds(chosen, row))).toEqual([false, true, true, false]);
    expect(range(picked(chosen, 20, false))).toEqual({ first: 20, count: 1 });
  });
  test("move with the keyboard within the log", () => {
    expect(moved(null, 1, false, 100, 40)).toEqual({ anchor: 40, head: 40 });
    expect(moved({ anchor: 99, head: 99 }, 1, false, 100, 0)).toEqual({ anchor: 99, head: 99 });
    expect(moved({ anchor: 5, head: 5 }, -2, true, 100, 0)).toEqual({ anchor: 5, head: 3 });
    expect(moved(null, 1, false, 0, 0)).toBeNull();
  });
  test("stay the same rows when others are put in front of them", () => {
    expect(shifted({ anchor: 3, head: 5 }, 200)).toEqual({ anchor: 203, head: 205 });
    expect(shifted({ anchor: 3, head: 5 }, -4)).toBeNull();
  });
});

describe("rows of natural height", () => {
  const V = 500;
  test("begin at the top and end at the bottom", () => {
    const heights = Array.from({ length: 40 }, () => 60);
    const top = layOut(anchorAt(0, 1000, V), { first: 0, heights }, 1000, V);
    expect(top).toMatchObject({ top: 0, part: 0, atEnd: false });
    const end = layOut(anchorAt(1, 1000, V), { first: 960, heights }, 1000, V);
    expect(end.top).toBe(V - 40 * 60);
    expect(end.atEnd).toBe(true);
    expect(end.part).toBe(1);
    expect(end.anchor.row).toBeCloseTo(1000 - V / 60);
  });
  test("never leave space above the first or below the last", () => {
    const heights = [20, 300, 20];
    expect(layOut({ row: 0, y: 90 }, { first: 0, heights }, 3, V).top).toBe(0);
    expect(layOut({ row: 1, y: -900 }, { first: 0, heights }, 3, V).top).toBe(0);
    expect(layOut({ row: 9, y: 100 }, { first: 7, heights: [300, 300] }, 9, V).top).toBe(-100);
  });
  test("scroll within one that is taller than the window", () => {
    const laid = layOut({ row: 5.5, y: 0 }, { first: 4, heights: [20, 4000, 20] }, 100, V);
    expect(laid.top).toBe(-(20 + 2000));
    expect(laid.anchor.row).toBe(5.5);
  });
  test("are as many in the page as low ones would be, wherever it is scrolled", () => {
    for (const anchor of [
      anchorAt(0, 10_000_000, V),
      anchorAt(0.37, 10_000_000, V),
      anchorAt(1, 10_000_000, V),
      { row: 10_000_000, y: -9000 },
      { row: 0, y: 9000 },
    ]) {
      const { first, count } = around(anchor, 10_000_000, V, 20, 8);
      expect(count).toBeGreaterThan(V / 20);
      expect(count).toBeLessThanOrEqual(V / 20 + 1 + 2 * 8);
      expect(first + count).toBeLessThanOrEqual(10_000_000);
    }
  });
  test("with one height lie where rows of a fixed height do", () => {
    const [total, height] = [5000, 20];
    for (const part of [0, 0.2, 0.5, 0.999, 1]) {
      const anchor = anchorAt(part, total, V);
      const drawn = around(anchor, total, V, height, 8);
      const laid = layOut(
        anchor,
        { first: drawn.first, heights: Array.from({ length: drawn.count }, () => height) },
        total,
        V,
      );
      expect(drawn.first * height - laid.top).toBeCloseTo(part * (total * height - V));
      expect(laid.part).toBeCloseTo(part);
    }
  });
});

describe("looks", () => {
  test("colours of the palette are tokens, others are mixed with the text's, anything else is nothing", () => {
    expect(ansiStyle({ text: "", fg: "1", bg: "12", style: "bu" })).toEqual({
      class: "fg bg bold underline",
      fg: "var(--ansi-1)",
      bg: "var(--ansi-12)",
    });
    expect(ansiStyle({ text: "", fg: "#ffd200" })).toEqual({
      class: "fg own",
      fg: "#ffd200",
      bg: undefined,
    });
    expect(ansiStyle({ text: "", fg: "red;--x:1", bg: "16", style: "zq" })).toEqual({
      class: "",
      fg: undefined,
      bg: undefined,
    });
    expect(ansiStyle({ text: "", mark: true }).class).toBe("mark");
  });
});

describe("from afar", () => {
  test("a picture has one shape for each kind of line, however many there are", () => {
    expect(bars([0, 4, 1], 4, 28)).toBe("M1 28v-28h1V28zM2 28v-7h1V28z");
    expect(ticks([0, 4, 4, 0, 1])).toBe("M0 1h10v2H0zM0 4h6.5v1H0z");
    expect(bars([], 1, 28) + ticks([0, 0])).toBe("");
  });
});
