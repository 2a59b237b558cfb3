/**
 * Scroll position of a list whose rows differ in height: the point `row` (2.5 is the middle of the
 * third row) is `y` px below the top of the viewport. Heights of rows that are not drawn are never
 * needed, so ten million rows cost as much as forty.
 */
export interface Anchor {
  row: number;
  y: number;
}

/** The drawn rows: index of the first, and their heights. */
export interface Drawn {
  first: number;
  heights: readonly number[];
}

/**
 * The anchor for a scroll bar at `part` (0 to 1). The same part of the rows lies at the same part of
 * the viewport, so that the beginning is laid out downwards and the end upwards.
 */
export function anchorAt(part: number, total: number, viewport: number): Anchor {
  const within = Math.min(1, Math.max(0, part));
  return { row: within * total, y: within * viewport };
}

/** The rows to draw around the anchor, assuming minimum row height. */
export function around(
  anchor: Anchor,
  total: number,
  viewport: number,
  rowHeight: number,
  overscan: number,
): { first: number; count: number } {
  // However far it was scrolled, there must be rows to measure.
  const top = Math.max(
    0,
    Math.min(anchor.row - anchor.y / rowHeight, total - viewport / rowHeight),
  );
  const from = Math.max(0, Math.floor(top) - overscan);
  const to = Math.min(total, Math.ceil(top + viewport / rowHeight) + overscan);
  return { first: from, count: Math.max(0, to - from) };
}

export interface Layout {
  /** Top of the first drawn row, in px below the viewport's top. */
  top: number;
  /** The same position, as the row at the viewport's top. */
  anchor: Anchor;
  /** Scroll bar position, 0 to 1. */
  part: number;
  /** Whether the end of the last row is visible. */
  atEnd: boolean;
}

/** Lays the drawn rows out around the anchor, never past the first or last row. */
export function layOut(anchor: Anchor, drawn: Drawn, total: number, viewport: number): Layout {
  const { first, heights } = drawn;
  const all = heights.reduce((sum, height) => sum + height, 0);
  const last = first + heights.length;
  let top = anchor.y - before(drawn, anchor.row);
  if (last >= total && top + all < viewport) top = viewport - all;
  if (first === 0 && top > 0) top = 0;
  const upper = rowAt(drawn, -top);
  const lower = rowAt(drawn, viewport - top);
  const hidden = upper + Math.max(0, total - lower);
  return {
    top,
    anchor: { row: upper, y: 0 },
    part: hidden <= 0 ? 0 : upper / hidden,
    atEnd: last >= total && top + all <= viewport + 2,
  };
}

/** Distance of the point `row` from the top of the first drawn row, in px. */
function before({ first, heights }: Drawn, row: number): number {
  let sum = 0;
  for (const [index, height] of heights.entries()) {
    const part = Math.min(1, Math.max(0, row - first - index));
    if (part <= 0) break;
    sum += part * height;
  }
  return sum;
}

/** The row `y` px below the top of the first drawn row. */
function rowAt({ first, heights }: Drawn, y: number): number {
  let rest = y;
  for (const [index, height] of heights.entries()) {
    if (rest < height) return first + index + Math.max(0, rest) / height;
    rest -= height;
  }
  return first + heights.length;
}
