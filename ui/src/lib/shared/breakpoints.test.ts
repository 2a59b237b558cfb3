import { expect, test, vi } from "vitest";

import { breakpoints } from "./breakpoints";

test("an element lists the breakpoints it does not exceed, and updates them when resized", () => {
  let changed = () => {};
  vi.stubGlobal(
    "ResizeObserver",
    class {
      constructor(call: () => void) {
        changed = call;
      }
      observe() {}
      disconnect() {
        changed = () => {};
      }
    },
  );
  const element = document.createElement("div");
  const size = { clientWidth: 560, clientHeight: 301 };
  for (const side of ["clientWidth", "clientHeight"] as const)
    Object.defineProperty(element, side, { get: () => size[side] });
  const stop = breakpoints("jobs", [640, 560, 460], [300])(element);
  expect(element.dataset.jobs).toBe("w640 w560");
  size.clientHeight = 300;
  size.clientWidth = 700;
  changed();
  expect(element.dataset.jobs).toBe("h300");
  expect(stop).toBeTypeOf("function");
  vi.unstubAllGlobals();
});
