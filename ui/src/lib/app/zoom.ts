/** How large the page can be drawn, in percent. */
export const ZOOMS = [50, 67, 75, 80, 90, 100, 110, 125, 150, 175, 200];

/** The next size above or below; 0 is the size as designed. Beyond the last there is none. */
export function zoomed(percent: number, step: 1 | 0 | -1): number {
  if (step === 0) return 100;
  const next = step > 0 ? ZOOMS.find((size) => size > percent) : ZOOMS.findLast((size) => size < percent);
  return next ?? (step > 0 ? Math.max(...ZOOMS) : Math.min(...ZOOMS));
}

/** What Ctrl together with this key does to the size of the page; null where it is no key of that. */
export function zoomKey(key: string): 1 | 0 | -1 | null {
  // Plus is typed with Shift on some keyboards, and beside it on others.
  if (key === "+" || key === "=") return 1;
  if (key === "-" || key === "_") return -1;
  return key === "0" ? 0 : null;
}
