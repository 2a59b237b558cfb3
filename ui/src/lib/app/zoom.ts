/** Zoom levels in percent. */
export const ZOOMS = [50, 67, 75, 80, 90, 100, 110, 125, 150, 175, 200];

/** The next zoom level up or down, clamped to the limits; 0 resets to 100 %. */
export function zoomed(percent: number, step: 1 | 0 | -1): number {
  if (step === 0) return 100;
  const next =
    step > 0 ? ZOOMS.find((size) => size > percent) : ZOOMS.findLast((size) => size < percent);
  return next ?? (step > 0 ? Math.max(...ZOOMS) : Math.min(...ZOOMS));
}

/** The zoom step of Ctrl with this key; null if it is not a zoom key. */
export function zoomKey(key: string): 1 | 0 | -1 | null {
  // Plus is typed with Shift on some keyboards, and beside it on others.
  if (key === "+" || key === "=") return 1;
  if (key === "-" || key === "_") return -1;
  return key === "0" ? 0 : null;
}
