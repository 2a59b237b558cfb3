/** Selected rows: from where the selection started to where it reaches. */
export interface Selection {
  anchor: number;
  head: number;
}

/** A click on a row, or with Shift the end of a range. */
export function picked(selection: Selection | null, row: number, extend: boolean): Selection {
  return extend && selection !== null
    ? { anchor: selection.anchor, head: row }
    : { anchor: row, head: row };
}

/** The keyboard moves by `step` rows; without a selection it begins at `start`. */
export function moved(
  selection: Selection | null,
  step: number,
  extend: boolean,
  total: number,
  start: number,
): Selection | null {
  if (total === 0) return null;
  const within = (row: number) => Math.min(total - 1, Math.max(0, row));
  if (selection === null) return { anchor: within(start), head: within(start) };
  return picked(
    { anchor: within(selection.anchor), head: within(selection.head) },
    within(selection.head + step),
    extend,
  );
}

/** The selected range. */
export function range(selection: Selection | null): { first: number; count: number } | null {
  if (selection === null) return null;
  const first = Math.min(selection.anchor, selection.head);
  return { first, count: Math.abs(selection.anchor - selection.head) + 1 };
}

export function holds(selection: Selection | null, row: number): boolean {
  return (
    selection !== null &&
    row >= Math.min(selection.anchor, selection.head) &&
    row <= Math.max(selection.anchor, selection.head)
  );
}

/** The selection after `by` rows were inserted (or removed, if negative) above it. */
export function shifted(selection: Selection | null, by: number): Selection | null {
  if (selection === null || by === 0) return selection;
  const { anchor, head } = { anchor: selection.anchor + by, head: selection.head + by };
  return anchor < 0 || head < 0 ? null : { anchor, head };
}
