/**
 * The panes that F6 cycles through, in page order. An element is a pane by
 * `data-pane`; within it `data-pane-focus` takes the focus, else its first control.
 */
const PANES = "[data-pane]";
const CONTROLS =
  "button:not(:disabled), input:not(:disabled), select:not(:disabled), a[href], [tabindex]";

/** Moves the focus to the next or previous pane, wrapping around. */
export function nextPane(back: boolean): void {
  const panes = [...document.querySelectorAll<HTMLElement>(PANES)].filter(
    (pane) => shown(pane) && target(pane) !== null,
  );
  // Of nested panes, the innermost has the focus, which comes last.
  const at = panes.findLastIndex((pane) => pane.contains(document.activeElement));
  const next =
    at < 0 ? (back ? panes.length - 1 : 0) : (at + (back ? -1 : 1) + panes.length) % panes.length;
  const pane = panes[next];
  const to = pane && target(pane);
  if (!to) return;
  to.focus();
  // After a click WebKit shows no focus ring on an element focused by script.
  to.dataset.ring = "";
  to.addEventListener("blur", () => delete to.dataset.ring, { once: true });
}

function target(pane: HTMLElement): HTMLElement | null {
  const own = (element: HTMLElement) => element.closest(PANES) === pane && shown(element);
  const control = (within: HTMLElement) =>
    [within, ...within.querySelectorAll<HTMLElement>(CONTROLS)].find(
      (element) => element.matches(CONTROLS) && element.tabIndex >= 0 && own(element),
    ) ?? null;
  const marked = [...pane.querySelectorAll<HTMLElement>("[data-pane-focus]")].find(own);
  return (marked && control(marked)) ?? control(pane);
}

/** Whether the element is rendered: hidden ones cannot take the focus. */
function shown(element: HTMLElement): boolean {
  return element.closest("[hidden], [inert]") === null && element.checkVisibility?.() !== false;
}
