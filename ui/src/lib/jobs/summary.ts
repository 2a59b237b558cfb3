import type { Counts } from "../generated/Counts";

/** How long endings are gathered before they are announcement. */
const GATHER = 5000;

/**
 * Turns changing counts into "3 finished, 1 failed", announced now and then. Only what ends while it
 * listens is news: what a server lists when it is connected, or connected again, ended before.
 */
export class Summary {
  #question = "";
  #announced: Counts | null = null;
  #latest: Counts | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly announce: (text: string) => void) {}

  /** The counts under a question (filter and search); another question starts anew. */
  update(question: string, counts: Counts): void {
    if (question !== this.#question || this.#announced === null) {
      this.stop();
      this.#question = question;
      this.#announced = counts;
      this.#latest = null;
    }
    if (this.#latest !== null) this.#announced = listed(this.#announced, this.#latest, counts);
    this.#latest = counts;
    if (this.#timer === undefined && describeChanges(this.#announced, counts) !== "") this.#timer = setTimeout(() => this.#announce(), GATHER);
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

/** What was announced, with jobs that came ended already: they were listed, nobody saw them end. */
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

/** What ended between two counts. */
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
