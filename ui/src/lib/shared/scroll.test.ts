import { describe, expect, test } from "vitest";

import { Scroll, TALLEST } from "./scroll";

function scrolled(total: number, rowHeight = 20, viewport = 400) {
  const scroll = new Scroll(rowHeight, viewport);
  scroll.total = total;
  return scroll;
}

describe("a list of fixed rows", () => {
  test("asks for what is visible and a little more", () => {
    const scroll = scrolled(1000);
    expect(scroll.range(6)).toEqual({ first: 0, count: 26 });
    scroll.moved(1010);
    expect(scroll.range(6)).toEqual({ first: 44, count: 33 });
    scroll.moved(1e9);
    expect(scroll.range(6)).toEqual({ first: 974, count: 26 });
  });

  test("stays below the height an engine can lay out", () => {
    const scroll = scrolled(10_000_000);
    expect(scroll.compressed).toBe(true);
    expect(scroll.height).toBe(TALLEST);
  });

  test("reaches the first and the last row where the bar is compressed", () => {
    const scroll = scrolled(10_000_000);
    scroll.moved(TALLEST - 400);
    expect(scroll.visible()).toEqual({ first: 9_999_980, count: 20 });
    expect(scroll.atEnd).toBe(true);
    scroll.moved(0);
    expect(scroll.visible().first).toBe(0);
  });

  test("moves by single rows where the bar is compressed", () => {
    const scroll = scrolled(10_000_000);
    scroll.to(5_000_000 * 20);
    const before = scroll.visible().first;
    scroll.by(20);
    // WebKit rounds the bar's position and reports it back: the exact offset holds.
    scroll.moved(Math.round(scroll.top));
    expect(scroll.visible().first).toBe(before + 1);
  });

  test("reveals a row with the least movement", () => {
    const scroll = scrolled(1000);
    scroll.reveal(10);
    expect(scroll.offset).toBe(0);
    scroll.reveal(30);
    expect(scroll.offset).toBe(220);
    scroll.reveal(5);
    expect(scroll.offset).toBe(100);
  });

  test("comes back when the list shrinks", () => {
    const scroll = scrolled(1000);
    scroll.moved(19_000);
    scroll.total = 10;
    expect(scroll.offset).toBe(0);
    scroll.total = 0;
    expect(scroll.range(6)).toEqual({ first: 0, count: 0 });
  });
});
