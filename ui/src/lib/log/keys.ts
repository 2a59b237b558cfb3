import { copy } from "./clipboard";
import type { Log } from "./log.svelte";
import { move, nextError, nextMatch, selectAll } from "./navigation";

/** What the keys need from the pane. */
export interface Pane {
  find(): void;
  goTo(): void;
  page(screens: number): void;
  toStart(): void;
}

/** Keys that work anywhere while the log is on screen. */
export function everywhere(log: Log, pane: Pane) {
  return {
    f: () => log.toggleFollow(),
    " ": () => log.togglePause(),
    "/": () => pane.find(),
    g: () => pane.goTo(),
    e: () => void nextError(log, false),
    E: () => void nextError(log, true),
    w: () => log.settings.set({ wrap: !log.settings.current.wrap }),
  };
}

/** Keys of the list of lines. Returns whether the event was handled. */
export function inList(log: Log, pane: Pane, event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey) {
    if (event.key.toLowerCase() === "a") selectAll(log);
    else return false;
    return true;
  }
  if (event.altKey) return false;
  switch (event.key) {
    case "ArrowDown":
    case "j":
    case "J":
      move(log, 1, event.shiftKey);
      return true;
    case "ArrowUp":
    case "k":
    case "K":
      move(log, -1, event.shiftKey);
      return true;
    case "PageDown":
      pane.page(1);
      return true;
    case "PageUp":
      pane.page(-1);
      return true;
    case "Home":
      log.letGo();
      pane.toStart();
      return true;
    case "End":
      log.toEnd();
      return true;
    case "n":
    case "N":
      if (log.filter.find === null) return false;
      void nextMatch(log, event.key === "N");
      return true;
    case "Enter":
      if (log.selection === null) return false;
      log.detailed = !log.detailed;
      return true;
    case "Escape":
      if (log.detailed) log.detailed = false;
      else if (log.selection !== null) log.selection = null;
      else return false;
      return true;
    default:
      return false;
  }
}

/** Keys with Ctrl. Returns whether the event was handled. */
export function withCtrl(log: Log, pane: Pane, event: KeyboardEvent): boolean {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return false;
  const key = event.key.toLowerCase();
  if (key === "f" && !event.shiftKey) {
    pane.find();
    return true;
  }
  const inText =
    event.target instanceof Element && event.target.closest("input, textarea, dialog") !== null;
  if (key !== "c" || inText || log.selection === null || (getSelection()?.toString() ?? "") !== "")
    return false;
  void copy(log, event.shiftKey ? "textWithTimes" : "text");
  return true;
}
