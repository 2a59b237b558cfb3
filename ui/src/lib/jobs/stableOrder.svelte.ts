import type { JobRow } from "../generated/JobRow";
import { jobKey } from "./states";

/** How long rows stay frozen after the pointer last moved, in ms. */
const AIMING = 4000;

/**
 * Keeps rows in place while the pointer moves over them, so that nothing slides away under a click.
 * The content of rows stays current; only their order is frozen.
 */
export class StableOrder {
  #rows = $state.raw<JobRow[] | null>(null);
  #first = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Number of rows in the current window that are not among the frozen ones. */
  newer = $state(0);
  /** Whether the current order differs from the frozen one. */
  waiting = $state(false);

  /** Freezes the order on screen until the pointer rests. */
  freeze(rows: JobRow[], first: number): void {
    if (this.#rows === null) {
      this.#rows = rows;
      this.#first = first;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.release(), AIMING);
  }

  release(): void {
    clearTimeout(this.#timer);
    this.#rows = null;
    this.newer = 0;
    this.waiting = false;
  }

  /** `rows` in the frozen order, or unchanged if none is frozen or another range is shown. */
  arrange(rows: JobRow[], first: number): JobRow[] {
    const frozen = this.#rows;
    if (frozen === null || first !== this.#first) return rows;
    const present = new Map(rows.map((row) => [jobKey(row), row]));
    const kept = frozen.map((row) => present.get(jobKey(row)) ?? row);
    // A list that became taller shows more rows than were frozen.
    for (const row of frozen) present.delete(jobKey(row));
    return [...kept, ...[...present.values()].slice(0, Math.max(0, rows.length - kept.length))];
  }

  /** Compares the current rows with the frozen ones. */
  compare(rows: JobRow[], first: number): void {
    const frozen = this.#rows;
    if (frozen === null || first !== this.#first) {
      this.newer = 0;
      this.waiting = false;
      return;
    }
    const known = new Set(frozen.map(jobKey));
    this.newer = rows.filter((row) => !known.has(jobKey(row))).length;
    this.waiting =
      rows.length !== frozen.length ||
      rows.some((row, index) => jobKey(row) !== jobKey(frozen[index] ?? row));
  }
}
