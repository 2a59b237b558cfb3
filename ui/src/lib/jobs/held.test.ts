import { describe, expect, test } from "vitest";

import type { JobRow } from "../generated/JobRow";
import { HeldOrder } from "./held.svelte";

const row = (id: string) => ({ server: "s", id }) as JobRow;
const rows = (ids: string) => [...ids].map(row);
const ids = (all: JobRow[]) => all.map((one) => one.id).join("");

describe("an order that is held under the pointer", () => {
  test("stays, with what left it, while others wait", () => {
    const held = new HeldOrder();
    held.hold(rows("abc"), 0);
    expect(ids(held.arrange(rows("xca"), 0))).toBe("abc");
    held.compare(rows("xca"), 0);
    expect(held.newer).toBe(1);
    held.release();
    expect(ids(held.arrange(rows("xca"), 0))).toBe("xca");
  });

  test("goes on below in a list that was made taller", () => {
    const held = new HeldOrder();
    held.hold(rows("abc"), 0);
    expect(ids(held.arrange(rows("bacde"), 0))).toBe("abcde");
    held.release();
  });
});
