import type { JobRow } from "../generated/JobRow";
import { jobKey } from "./states";

/** How long after its last movement the pointer still counts as aiming. */
const AIMING = 4000;

/**
 * Keeps rows where they are while the pointer moves over them: nothing slides away under a click.
 * What the rows say stays current; only their order waits.
 */
export class StableOrder {
  #rows = $state.raw<JobRow[] | null>(null);
  #first = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** How many rows in the present window are not among the held ones. */
  newer = $state(0);
  /** Whether the present order differs from the held one. */
  waiting = $state(false);

  /** Holds the order on screen from now until the pointer rests. */
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

  /** `rows` in the held order, or as they are when nothing is held or another range is shown. */
  arrange(rows: JobRow[], first: number): JobRow[] {
    const frozen = this.#rows;
    if (frozen === null || first !== this.#first) return rows;
    const present = new Map(rows.map((row) => [jobKey(row), row]));
    const kept = frozen.map((row) => present.get(jobKey(row)) ?? row);
    // A list that was made taller shows more of them than were held.
    for (const row of frozen) present.delete(jobKey(row));
    return [...kept, ...[...present.values()].slice(0, Math.max(0, rows.length - kept.length))];
  }

  /** Counts what waits behind the held order. */
  compare(rows: JobRow[], first: number): void {
    const frozen = this.#rows;
    if (frozen === null || first !== this.#first) {
      this.newer = 0;
      this.waiting = false;
      return;
    }
    const known = new Set(frozen.map(jobKey));
    this.newer = rows.filter((row) => !known.has(jobKey(row))).length;
    this.waiting = rows.length !== frozen.length || rows.some((row, index) => jobKey(row) !== jobKey(frozen[index] ?? row));
  }
}
