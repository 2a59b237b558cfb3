import { screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, test, vi } from "vitest";

import { show } from "../testing/show";
import { ZOOMS, zoomed, zoomKey } from "./zoom";

const user = userEvent.setup({ delay: null });
beforeEach(() => vi.restoreAllMocks());
const focused = () => document.activeElement as HTMLElement;

describe("the size of the page", () => {
  test("goes in steps to 50 and 200 percent and no further, and comes back from each", () => {
    expect(zoomed(100, 1)).toBe(110);
    expect(zoomed(200, 1)).toBe(200);
    expect(zoomed(50, -1)).toBe(50);
    expect(zoomed(130, -1), "of a settings file written by hand").toBe(125);
    expect(zoomed(175, 0)).toBe(100);
    for (const size of ZOOMS.slice(0, -1)) expect(zoomed(zoomed(size, 1), -1)).toBe(size);
  });

  test("is changed by the keys every browser has, with Shift or without", () => {
    expect(["+", "=", "-", "_", "0", "1"].map(zoomKey)).toEqual([1, 1, -1, -1, 0, null]);
  });

  test("is kept as a choice, whatever has the focus, and quick presses all count", async () => {
    const backend = await show();
    await user.click(screen.getByRole("searchbox", { name: "Search jobs" }));
    await user.keyboard("{Control>}++{/Control}");
    const sizes = () =>
      backend.calls.filter((call) => call.name === "setPreferences").map((call) => call.args[0]);
    await waitFor(() => expect(sizes()).toMatchObject([{ zoom: 110 }, { zoom: 125 }]));
    expect(screen.getAllByText(/^Zoom/).map((found) => found.textContent)).toEqual(["Zoom 125 %"]);
    await user.keyboard("{Control>}0{/Control}");
    await waitFor(() => expect(sizes().at(-1)).toMatchObject({ zoom: 100 }));
  });

  test("is in the settings, the palette and the sheet of keys", async () => {
    const backend = await show();
    await user.click(screen.getByRole("button", { name: "Settings" }));
    await user.click(await screen.findByRole("button", { name: /^Zoom in/ }));
    await screen.findByText("110 %");
    await user.keyboard("{Control>}k{/Control}");
    await user.type(await screen.findByRole("combobox", { name: "Find" }), "zoom out");
    await user.keyboard("{Enter}");
    await waitFor(() =>
      expect(
        backend.calls.filter((call) => call.name === "setPreferences").at(-1)?.args,
      ).toMatchObject([{ zoom: 100 }]),
    );
    await user.keyboard("?");
    expect((await screen.findByRole("dialog", { name: "Help" })).textContent).toMatch(
      /Ctrl\+\+\s*Zoom in/,
    );
  });
});

describe("the keyboard alone", () => {
  test("goes from part to part with F6, and back with Shift", async () => {
    const backend = await show();
    const job = backend.jobs.find((job) => job.row.state.kind === "running")!;
    await user.click(
      await screen.findByRole("row", { name: new RegExp(`^${job.row.name}, Running`) }),
    );
    await user.click(await screen.findByRole("tab", { name: /^Logs/ }));
    const lines = await screen.findByRole("grid", { name: "Lines" });
    screen.getByRole("button", { name: /^All jobs/ }).focus();
    const stops: HTMLElement[] = [];
    for (let step = 0; step < 4; step += 1) {
      await user.keyboard("{F6}");
      stops.push(focused());
    }
    expect(
      stops.filter((stop) => "ring" in stop.dataset),
      "only where the focus is",
    ).toEqual([stops[3]]);
    expect(stops[0]).toBe(screen.getByRole("grid", { name: "All jobs" }));
    expect(stops[1]).toBe(screen.getByRole("tab", { name: /^Logs/ }));
    expect(stops[2]).toBe(lines);
    expect(stops[3], "around to the first").toBe(screen.getByRole("button", { name: /^All jobs/ }));
    await user.keyboard("{Shift>}{F6}{/Shift}");
    expect(focused()).toBe(lines);
  });

  test("reaches the list in six stops of the tab key, and every place by the arrows", async () => {
    await show();
    const stops: string[] = [];
    document.body.focus();
    for (let step = 0; step < 6; step += 1) {
      await user.tab();
      stops.push(focused().getAttribute("aria-label") ?? focused().textContent ?? "");
      if (focused().getAttribute("role") === "grid") break;
    }
    expect(stops.at(-1)).toBe("All jobs");
    expect(focused().getAttribute("role")).toBe("grid");
    const places = screen.getByRole("navigation", { name: "Main" });
    within(places)
      .getByRole("button", { name: /^All jobs/ })
      .focus();
    await user.keyboard("{End}");
    expect(focused()).toBe(within(places).getByRole("button", { name: "Settings" }));
    await user.keyboard("{Home}{ArrowDown}");
    expect(focused()).toBe(within(places).getByRole("button", { name: "Queues" }));
    await user.keyboard("{Enter}");
    await screen.findByRole("heading", { name: "Queues" });
    expect(focused().tabIndex).toBe(0);
  });

  test("scrolls the sheet of keys at once, since the sheet and not its Close has the focus", async () => {
    await show();
    await user.keyboard("?");
    const sheet = await screen.findByRole("dialog", { name: "Help" });
    expect(focused().contains(within(sheet).getByText("Show this help"))).toBe(true);
    expect(focused()).not.toBe(within(sheet).getByRole("button", { name: "Close" }));
  });

  test("scrolls the frames of a server at once", async () => {
    await show();
    await user.click(screen.getByRole("button", { name: /^Demo TriggerX/ }));
    await user.click(await screen.findByRole("button", { name: "Show frames" }));
    const frames = await screen.findByRole("log", { name: "Frames" });
    await waitFor(() => expect(focused()).toBe(frames));
  });
});
