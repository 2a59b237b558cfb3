import { describe, expect, test } from "vitest";

import type { JobRow } from "../generated/JobRow";
import { StableOrder } from "./stableOrder.svelte";

const row = (id: string) => ({ server: "s", id }) as JobRow;
const rows = (ids: string) => [...ids].map(row);
const ids = (all: JobRow[]) => all.map((one) => one.id).join("");

describe("an order that is held under the pointer", () => {
  test("stays, with what left it, while others wait", () => {
    const order = new StableOrder();
    order.freeze(rows("abc"), 0);
    expect(ids(order.arrange(rows("xca"), 0))).toBe("abc");
    order.compare(rows("xca"), 0);
    expect(order.newer).toBe(1);
    order.release();
    expect(ids(order.arrange(rows("xca"), 0))).toBe("xca");
  });

  test("goes on below in a list that was made taller", () => {
    const order = new StableOrder();
    order.freeze(rows("abc"), 0);
    expect(ids(order.arrange(rows("bacde"), 0))).toBe("abcde");
    order.release();
  });
});
