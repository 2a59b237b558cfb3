import { fireEvent, screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { expect } from "vitest";

import type { Spec } from "./backend";
import { type LogAnswer, numbered } from "./logs";
import { show } from "./show";

export const user = userEvent.setup({ delay: null });
export const grid = () => screen.getByRole("grid", { name: "Lines" });
export const lines = () =>
  within(grid())
    .queryAllByRole("row")
    .filter((row) => row.hasAttribute("aria-rowindex"));
export const text = () => grid().textContent ?? "";
export const index = (row: Element | undefined) => Number(row?.getAttribute("aria-rowindex"));
export const chosen = () => grid().querySelector("[aria-selected=true]");

/** Opens the log of a running job, which is answered with `log`. */
export async function open(log: LogAnswer | ((spec: Spec<"log">) => LogAnswer)) {
  const backend = await show();
  backend.logFor = typeof log === "function" ? log : () => log;
  const job = backend.jobs[0]!;
  backend.touch({ kind: "job", server: job.row.server, job: job.row.id, log: false });
  await user.click(await screen.findByRole("tab", { name: /^Logs/ }));
  await screen.findByRole("log", { name: "Log" });
  await waitFor(() => expect(lines().length).toBeGreaterThan(1));
  return { backend, job };
}

/** Opens a log of numbered lines, of which there can be more later. */
export async function openGrowing(start = 200) {
  let total = start;
  const opened = await open(() => numbered(total));
  await waitFor(() => expect(text()).toContain(`(${start})`));
  const grow = (by: number) => {
    total += by;
    opened.backend.touch();
  };
  return { ...opened, end: start, grow };
}

/** Goes to what was typed: a line, a time or a part. */
export async function goTo(typed: string) {
  await user.keyboard("g");
  const name = "Line, time or percentage";
  await user.type(await screen.findByRole("textbox", { name }), `${typed}{Enter}`);
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
}

/** Presses keys with the focus on the list of lines. */
export async function press(keys: string) {
  grid().focus();
  await user.keyboard(keys);
}

/** Drags the scroll bar. */
export async function scroll(top: number) {
  await fireEvent.pointerDown(grid());
  grid().scrollTop = top;
  await fireEvent.scroll(grid());
  await fireEvent.pointerUp(grid());
}

export async function menu(label: string, item: RegExp) {
  await user.click(screen.getByRole("button", { name: label }));
  await user.click(await screen.findByRole("menuitem", { name: item }));
}
