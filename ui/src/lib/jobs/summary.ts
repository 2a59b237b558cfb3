import type { Counts } from "../generated/Counts";

/** How long ends of jobs are collected before they are announced, in ms. */
const GATHER = 5000;

/**
 * Announces changing counts as "3 finished, 1 failed" at intervals. Only jobs that end while it
 * runs count: those that a server lists on connecting or reconnecting ended before.
 */
export class Summary {
  #question = "";
  #announced: Counts | null = null;
  #latest: Counts | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly announce: (text: string) => void) {}

  /** Records the counts for a query (filter and search); another query starts over. */
  update(question: string, counts: Counts): void {
    if (question !== this.#question || this.#announced === null) {
      this.stop();
      this.#question = question;
      this.#announced = counts;
      this.#latest = null;
    }
    if (this.#latest !== null) this.#announced = listed(this.#announced, this.#latest, counts);
    this.#latest = counts;
    if (this.#timer === undefined && describeChanges(this.#announced, counts) !== "")
      this.#timer = setTimeout(() => this.#announce(), GATHER);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #announce(): void {
    this.stop();
    if (this.#announced === null || this.#latest === null) return;
    const text = describeChanges(this.#announced, this.#latest);
    this.#announced = this.#latest;
    if (text !== "") this.announce(text);
  }
}

const ENDS = ["completed", "failed", "cancelled"] as const;

/** Adds jobs that appeared as ended to the announced counts, since nobody saw them end. */
function listed(announced: Counts, before: Counts, after: Counts): Counts {
  const total = (counts: Counts) => Object.values(counts).reduce((sum, many) => sum + many, 0);
  let fresh = total(after) - total(before);
  const known = { ...announced };
  for (const state of ENDS) {
    const came = Math.max(0, Math.min(fresh, after[state] - before[state]));
    known[state] += came;
    fresh -= came;
  }
  return known;
}

/** Describes what ended between two counts. */
export function describeChanges(before: Counts, after: Counts): string {
  const parts: string[] = [];
  const add = (many: number, word: string) => {
    if (many > 0) parts.push(`${many} ${word}`);
  };
  add(after.completed - before.completed, "finished");
  add(after.failed - before.failed, "failed");
  add(after.cancelled - before.cancelled, "cancelled");
  return parts.join(", ");
}
