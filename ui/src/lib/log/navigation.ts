import type { LogTarget } from "../generated/LogTarget";
import type { ViewWindow } from "../generated/ViewWindow";
import type { Log } from "./log.svelte";
import { moved, picked } from "./selection";

/** Extra rows requested around a found position: the list's overscan. */
const AROUND = 20;

/** Commands for the list of rows. */
export interface Viewport {
  /** Scrolls as little as possible to show the row. */
  reveal(row: number): void;
  /** Scrolls the row to so many px below the top, or to the middle. */
  toRow(row: number, below: number | "middle"): void;
  toEnd(): void;
  /** Compensates for rows inserted above, so that the visible ones stay where they are. */
  shift(by: number): void;
  focus(): void;
}

/** Jumps to a row and selects it. `window` holds the rows around it, if already known. */
export function jumpTo(
  log: Log,
  row: number,
  { select = true, window = null as ViewWindow | null } = {},
): void {
  log.letGo();
  if (log.paused !== null && row >= log.paused) log.paused = null;
  if (select) log.selection = picked(null, row, false);
  const { first, count } = log.visible;
  if (row >= first + 1 && row <= first + count - 3) return;
  if (window !== null) log.view.adopt(window);
  log.viewport?.toRow(row, "middle");
}

/** Jumps to a fraction of the rows, 0 to 1. */
export function jumpToPart(log: Log, part: number): void {
  if (part >= 1) log.toEnd();
  else jumpTo(log, Math.floor(part * log.total), { select: part > 0 });
}

/** Jumps to what the program finds, or shows `nothing` when it finds nothing. */
export async function seek(log: Log, target: LogTarget, nothing: string): Promise<void> {
  const { id } = log.view;
  if (id === null) return;
  await log.app.run(async () => {
    const found = await log.app.backend.logSeek(id, target, log.visible.count + AROUND);
    if (log.view.id !== id) return;
    if (found === null) {
      log.app.toast(nothing);
      return;
    }
    const { place, window } = found;
    if (target.kind === "match") log.match = place;
    jumpTo(log, place.row, { window });
  });
}

/** Where a search starts: at the focused row, or at the visible ones. */
function from({ selection, visible }: Log, back: boolean): number {
  if (selection !== null) return selection.head;
  return back ? visible.first + visible.count : visible.first - 1;
}

export function nextError(log: Log, back: boolean): Promise<void> {
  const nothing = back ? "No error before this." : "No error after this.";
  return seek(log, { kind: "level", from: from(log, back), back, level: "error" }, nothing);
}

export function nextMatch(log: Log, back: boolean): Promise<void> {
  const start = log.match?.row ?? from(log, back);
  return seek(log, { kind: "match", from: start, back }, "No line matches.");
}

/** Marks a time range and jumps to its first row. */
export function markTimes(log: Log, from: number, to: number): void {
  const range: [number, number] = from <= to ? [from, to] : [to, from];
  log.marked = range;
  void seek(log, { kind: "time", at: range[0] }, "No line at that time.");
}

/** A click on a row; a second one shows or hides its full text. */
export function pick(log: Log, row: number, extend: boolean): void {
  const same = log.selection?.anchor === row && log.selection.head === row;
  log.selection = picked(log.selection, row, extend);
  if (!extend) log.detailed = !(same && log.detailed);
  if (log.follow) log.letGo();
}

/** Moves the selection by keyboard. */
export function move(log: Log, step: number, extend: boolean): void {
  const { first, count } = log.visible;
  const start = step > 0 ? first : first + count - 1;
  const next = moved(log.selection, step, extend, log.total, start);
  if (next === null) return;
  log.selection = next;
  if (step < 0) log.letGo();
  log.viewport?.reveal(next.head);
}

export function selectAll(log: Log): void {
  if (log.total > 0) log.selection = { anchor: log.total - 1, head: 0 };
}
