/**
 * Parts of the window that F6 goes through, in the order of the page. An element is one by
 * `data-pane`; the part of it that takes the focus has `data-pane-focus`, else its first control.
 */
const PANES = "[data-pane]";
const CONTROLS = "button:not(:disabled), input:not(:disabled), select:not(:disabled), a[href], [tabindex]";

/** Moves the focus to the next part of the window, or to the one before; at the end it starts over. */
export function nextPane(back: boolean): void {
  const panes = [...document.querySelectorAll<HTMLElement>(PANES)].filter((pane) => shown(pane) && target(pane) !== null);
  // Of parts within parts, the focus is in the innermost, which comes last.
  const at = panes.findLastIndex((pane) => pane.contains(document.activeElement));
  const next = at < 0 ? (back ? panes.length - 1 : 0) : (at + (back ? -1 : 1) + panes.length) % panes.length;
  const pane = panes[next];
  const to = pane && target(pane);
  if (!to) return;
  to.focus();
  // After a click the engine of the page shows no ring on what a script focuses.
  to.dataset.ring = "";
  to.addEventListener("blur", () => delete to.dataset.ring, { once: true });
}

function target(pane: HTMLElement): HTMLElement | null {
  const own = (element: HTMLElement) => element.closest(PANES) === pane && shown(element);
  const control = (within: HTMLElement) =>
    [within, ...within.querySelectorAll<HTMLElement>(CONTROLS)].find((element) => element.matches(CONTROLS) && element.tabIndex >= 0 && own(element)) ?? null;
  const marked = [...pane.querySelectorAll<HTMLElement>("[data-pane-focus]")].find(own);
  return (marked && control(marked)) ?? control(pane);
}

/** Whether it is drawn at all: what is hidden takes no focus. */
function shown(element: HTMLElement): boolean {
  return element.closest("[hidden], [inert]") === null && element.checkVisibility?.() !== false;
}
