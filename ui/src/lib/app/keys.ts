import type { App } from "./app.svelte";
import { nextPane } from "./panes";
import { zoomKey } from "./zoom";

/** Contents of the shortcut sheet: what each key does, by part of the window. */
export const SHORTCUTS: { part: string; keys: [string[], string][] }[] = [
  {
    part: "Everywhere",
    keys: [
      [["Ctrl", "K"], "Find jobs, servers and actions"],
      [["/"], "Search"],
      [["r"], "Reconnect now"],
      [["F6"], "Next pane (Shift: previous pane)"],
      [["Ctrl", "+"], "Zoom in"],
      [["Ctrl", "−"], "Zoom out"],
      [["Ctrl", "0"], "Reset zoom"],
      [["?"], "Show this help"],
      [["Escape"], "Go back"],
    ],
  },
  {
    part: "Lists",
    keys: [
      [["j"], "Next row (or ↓)"],
      [["k"], "Previous row (or ↑)"],
      [["Home"], "First row"],
      [["End"], "Last row"],
      [["Enter"], "Open"],
      [["c"], "Copy the job ID"],
      [["m"], "Mute"],
    ],
  },
  {
    part: "Log and frames",
    keys: [
      [["f"], "Follow the newest line"],
      [["Space"], "Pause or resume"],
    ],
  },
  {
    part: "Log",
    keys: [
      [["Ctrl", "F"], "Find (or /)"],
      [["n"], "Next match (Enter while typing)"],
      [["Shift", "N"], "Previous match (Shift+Enter while typing)"],
      [["e"], "Next error"],
      [["Shift", "E"], "Previous error"],
      [["g"], "Go to a line, time or percentage"],
      [["j"], "Next line (or ↓; Shift selects a range)"],
      [["k"], "Previous line (or ↑; Shift selects a range)"],
      [["Enter"], "Show full line"],
      [["Ctrl", "A"], "Select all"],
      [["Ctrl", "C"], "Copy selected lines (Shift: with times)"],
      [["w"], "Toggle line wrapping"],
    ],
  },
];

/** Keys of the components on screen, tried before the window's own. */
export type LocalKeys = Partial<Record<string, (event: KeyboardEvent) => void>>;
const local: LocalKeys[] = [];

/** Registers keys while a component is mounted; later ones win. Returns a function to remove them. */
export function offerKeys(keys: LocalKeys): () => void {
  local.push(keys);
  return () => {
    local.splice(local.indexOf(keys), 1);
  };
}

/** Whether the event's target takes text or has keys of its own. */
function typing(event: KeyboardEvent): boolean {
  const target = event.target;
  return (
    target instanceof HTMLElement &&
    (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable)
  );
}

/** The window's keys. */
export function handleKey(app: App, event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    app.overlay = app.overlay?.kind === "palette" ? null : { kind: "palette" };
    return;
  }
  const step = event.ctrlKey || event.metaKey ? zoomKey(event.key) : null;
  if (step !== null && !event.altKey) {
    event.preventDefault();
    app.zoom(step);
    return;
  }
  if (event.key === "F6" && app.overlay === null) {
    event.preventDefault();
    nextPane(event.shiftKey);
    return;
  }
  if (app.overlay !== null || event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event)) {
    if (event.key === "Escape") (event.target as HTMLElement).blur();
    return;
  }
  // Space and Enter press the focused button, except on the selected tab, where they would do nothing.
  const pressed =
    event.target instanceof HTMLElement
      ? event.target.closest("button, a, summary, [role=separator]")
      : null;
  if (
    (event.key === " " || event.key === "Enter") &&
    pressed !== null &&
    pressed.getAttribute("aria-selected") !== "true"
  )
    return;
  for (const keys of local.toReversed()) {
    const act = keys[event.key];
    if (act) {
      event.preventDefault();
      act(event);
      return;
    }
  }
  if (event.key === "?") app.overlay = { kind: "help" };
  else if (event.key === "r") app.reconnectHere();
  else if (event.key === "Escape") app.back();
  else if (event.key === "/") {
    const search = document.querySelector<HTMLInputElement>("input[type=search]");
    if (!search) return;
    search.focus();
    search.select();
  } else return;
  event.preventDefault();
}
