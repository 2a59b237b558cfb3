import type { Counts } from "../generated/Counts";

/** How long endings are gathered before they are spoken. */
const GATHER = 5000;

/**
 * Turns changing counts into "3 finished, 1 failed", said now and then. Only what ends while it
 * listens is news: what a server lists when it is connected, or connected again, ended before.
 */
export class Summary {
  #question = "";
  #said: Counts | null = null;
  #latest: Counts | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly say: (text: string) => void) {}

  /** The counts under a question (filter and search); another question starts anew. */
  heard(question: string, counts: Counts): void {
    if (question !== this.#question || this.#said === null) {
      this.stop();
      this.#question = question;
      this.#said = counts;
      this.#latest = null;
    }
    if (this.#latest !== null) this.#said = listed(this.#said, this.#latest, counts);
    this.#latest = counts;
    if (this.#timer === undefined && words(this.#said, counts) !== "") this.#timer = setTimeout(() => this.#speak(), GATHER);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #speak(): void {
    this.stop();
    if (this.#said === null || this.#latest === null) return;
    const text = words(this.#said, this.#latest);
    this.#said = this.#latest;
    if (text !== "") this.say(text);
  }
}

const ENDS = ["completed", "failed", "cancelled"] as const;

/** What was said, with jobs that came ended already: they were listed, nobody saw them end. */
function listed(said: Counts, before: Counts, after: Counts): Counts {
  const total = (counts: Counts) => Object.values(counts).reduce((sum, many) => sum + many, 0);
  let fresh = total(after) - total(before);
  const known = { ...said };
  for (const state of ENDS) {
    const came = Math.max(0, Math.min(fresh, after[state] - before[state]));
    known[state] += came;
    fresh -= came;
  }
  return known;
}

/** What ended between two counts. */
export function words(before: Counts, after: Counts): string {
  const parts: string[] = [];
  const add = (many: number, word: string) => {
    if (many > 0) parts.push(`${many} ${word}`);
  };
  add(after.completed - before.completed, "finished");
  add(after.failed - before.failed, "failed");
  add(after.cancelled - before.cancelled, "cancelled");
  return parts.join(", ");
}
