import type { LogFilter } from "../../generated/LogFilter";
import type { LogFormat } from "../../generated/LogFormat";
import type { LogMap } from "../../generated/LogMap";
import type { LogPlace } from "../../generated/LogPlace";
import type { LogRow } from "../../generated/LogRow";
import type { LogState } from "../../generated/LogState";
import type { LogTarget } from "../../generated/LogTarget";
import type { LogText } from "../../generated/LogText";
import { marked, pattern, plainOf, spansOf } from "./ansi";
import { type Entry, generated, generatedLevels } from "./lines";
import type { FakeJob } from "./world";

const WORDS = ["none", "trace", "debug", "info", "warn", "error", "fatal"];
/** Lines looked at in one go. */
const CHUNK = 60_000;

/** A log under one filter, as the program would hold it: which lines are rows, found bit by bit. */
export class FakeLog {
  /** The rows, as job and index in its log; null where all lines of one job are rows. */
  #rows: [number, number][] | null = null;
  #scanned = 0;
  #matches = 0;
  #problem: string | null = null;
  #tests: { include: RegExp[]; exclude: RegExp[]; find: RegExp | null } = {
    include: [],
    exclude: [],
    find: null,
  };
  #order: [number, number][] = [];
  #state: "new" | "ready" = "new";
  #stamp = "";
  #searching = false;

  constructor(
    private readonly jobs: FakeJob[],
    private readonly filter: LogFilter,
    private readonly changed: () => void,
  ) {
    try {
      this.#tests = {
        include: filter.include.map(pattern),
        exclude: filter.exclude.map(pattern),
        find: filter.find ? pattern(filter.find) : null,
      };
    } catch {
      this.#problem =
        "This regular expression cannot be read: a bracket or a parenthesis is not closed.";
    }
  }

  get total(): number {
    this.#scan();
    return this.#problem !== null ? 0 : (this.#rows?.length ?? this.#length(0));
  }

  rows(first: number, count: number): LogRow[] {
    const total = this.total;
    return Array.from({ length: Math.max(0, Math.min(count, total - first)) }, (_, index) =>
      this.#row(first + index),
    );
  }

  state(): LogState {
    this.#scan();
    const levels = WORDS.map(() => 0);
    const all = this.jobs.map((_, index) => this.#length(index));
    this.jobs.forEach((job, index) => {
      const counts = job.log ? levelsOf(job.log) : generatedLevels(all[index] ?? 0, job);
      counts.forEach((count, level) => (levels[level] = (levels[level] ?? 0) + count));
    });
    const lines = all.reduce((sum, count) => sum + count, 0);
    const ends = this.jobs.flatMap((_, job) =>
      (all[job] ?? 0) > 0 ? [this.#entry(job, 0).at, this.#entry(job, (all[job] ?? 1) - 1).at] : [],
    );
    const needed = this.#order.length || this.#length(0);
    return {
      known: true,
      lines,
      levels,
      matches: this.#matches,
      problem: this.#problem,
      end: all.map((count) => count + 1),
      searched: !this.#searching || needed === 0 ? 1 : Math.min(1, this.#scanned / needed),
      dropped: lines > 1_000_000 ? 120_400 : 0,
      span: ends.length === 0 ? null : [Math.min(...ends), Math.max(...ends)],
      earlier:
        this.jobs
          .map((job) => job.earlier)
          .find((earlier) => earlier !== undefined && earlier !== "never") ?? "never",
      cut: null,
      none: null,
    };
  }

  seek(target: LogTarget): LogPlace | null {
    const total = this.total;
    if (total === 0) return null;
    if (target.kind === "line" || target.kind === "time") {
      const value = (row: number) =>
        target.kind === "line" ? this.#at(row).line : this.#at(row).at;
      const wanted = target.kind === "line" ? target.line : target.at;
      let [low, high] = [0, total - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (value(middle) < wanted) low = middle + 1;
        else high = middle;
      }
      return { row: low, nth: null };
    }
    const step = target.back ? -1 : 1;
    const match = target.kind === "match";
    const hit = (row: number) =>
      match ? this.#matched(this.#at(row)) : this.#isLevel(this.#at(row), target.level);
    let row = Math.min(total, Math.max(-1, target.from));
    for (let looked = 0; looked < Math.min(total, 400_000); looked += 1) {
      row += step;
      if (row < 0 || row >= total) {
        if (!match) return null;
        row = row < 0 ? total - 1 : 0;
      }
      if (!hit(row)) continue;
      let nth = 1;
      if (match)
        for (let before = 0; before < row; before += 1)
          if (this.#matched(this.#at(before))) nth += 1;
      return { row, nth: match ? nth : null };
    }
    return null;
  }

  map(slices: number, buckets: number): LogMap {
    const total = this.total;
    const { span } = this.state();
    const map: LogMap = { slices: [], buckets: [], span };
    if (total === 0 || span === null) return map;
    map.slices = Array.from({ length: Math.min(slices, total) }, () => [0, 0]);
    map.buckets = Array.from({ length: buckets }, () => [0, 0, 0]);
    // A sample does for the picture of a long log.
    const step = Math.max(1, Math.floor(total / 20_000));
    for (let row = 0; row < total; row += step) {
      const entry = this.#at(row);
      const slice = map.slices[Math.floor((row / total) * map.slices.length)];
      const bucket =
        map.buckets[
          Math.min(
            buckets - 1,
            Math.floor(((entry.at - span[0]) / Math.max(1, span[1] - span[0])) * buckets),
          )
        ];
      const [warn, error] = [
        entry.level === "warn" ? step : 0,
        this.#isLevel(entry, "error") ? step : 0,
      ];
      if (slice) [slice[0], slice[1]] = [slice[0] + warn, slice[1] + error];
      if (bucket)
        [bucket[0], bucket[1], bucket[2]] = [bucket[0] + step, bucket[1] + warn, bucket[2] + error];
    }
    return map;
  }

  text(row: number): LogText {
    const entry = this.#at(row);
    const [job, index] = this.#place(row);
    const trace: string[] = [];
    if (this.filter.fold && !entry.continued)
      while (
        index + 1 + trace.length < this.#length(job) &&
        this.#entry(job, index + 1 + trace.length).continued
      )
        trace.push(this.#entry(job, index + 1 + trace.length).text);
    const below = [...(entry.below ?? []), ...trace];
    const text = [plainOf(entry.text) + "x".repeat(Math.min(entry.more ?? 0, 5000)), ...below].join(
      "\n",
    );
    return {
      text,
      more: Math.max(0, (entry.more ?? 0) - 5000),
      json: entry.json ?? null,
      lines: [spansOf(entry.text), ...below.map((line) => [{ text: line }])],
    };
  }

  copy(first: number, count: number, format: LogFormat): string {
    const times = format !== "text";
    return this.rows(first, Math.min(count, 100_000))
      .filter((row) => row.gap === null)
      .map(
        (row) =>
          `${times && row.at !== null ? `${new Date(row.at).toISOString()} ` : ""}${row.spans.map((span) => span.text).join("")}`,
      )
      .join("\n");
  }

  #length(job: number): number {
    return this.jobs[job]?.log?.length ?? this.jobs[job]?.logLines ?? 0;
  }

  #entry(job: number, index: number): Entry {
    const fake = this.jobs[job] as FakeJob;
    return fake.log?.[index] ?? generated(fake, index);
  }

  #place(row: number): [number, number] {
    return this.#rows?.[row] ?? [0, row];
  }

  #at(row: number): Entry {
    return this.#entry(...this.#place(row));
  }

  #isLevel(entry: Entry, level: string): boolean {
    return entry.level === level || (level === "error" && entry.level === "fatal");
  }

  #matched(entry: Entry): boolean {
    return this.#tests.find !== null && hits(this.#tests.find, entry);
  }

  #row(at: number): LogRow {
    const [job, index] = this.#place(at);
    const entry = this.#entry(job, index);
    const spans = spansOf(entry.text);
    let folded = 0;
    if (this.filter.fold && !entry.continued)
      while (
        index + 1 + folded < this.#length(job) &&
        this.#entry(job, index + 1 + folded).continued
      )
        folded += 1;
    return {
      id: `${job}/${entry.id}`,
      job,
      line: entry.line,
      at: entry.gap ? null : entry.at,
      level: entry.level,
      origin: entry.origin,
      spans: this.#tests.find ? marked(spans, this.#tests.find) : spans,
      more: entry.more ?? 0,
      below: entry.below?.length ?? 0,
      folded,
      continued: entry.continued ?? false,
      matched: this.#matched(entry),
      fields: entry.fields ?? [],
      gap: entry.gap ?? null,
    };
  }

  #simple(): boolean {
    const { filter } = this;
    return (
      this.jobs.length === 1 &&
      filter.levels.length === 0 &&
      filter.include.length === 0 &&
      filter.exclude.length === 0 &&
      !(filter.find !== null && filter.onlyMatching) &&
      filter.cleared.length === 0 &&
      (!filter.fold || this.jobs[0]?.log === undefined)
    );
  }

  /** Looks at the lines that are there; a long log is looked at in pieces, each of which is told. */
  #scan(): void {
    if (this.#problem !== null || (this.#simple() && this.filter.find === null)) return;
    const stamp = this.jobs
      .map((job, index) => `${this.#length(index)}${job.logStamp ?? ""}`)
      .join();
    if (this.#stamp === stamp && this.#state === "ready") return;
    if (this.#order.length > 0 || this.jobs.length > 1 || this.jobs[0]?.log) {
      this.#scanned = 0;
      this.#matches = 0;
      this.#rows = null;
    }
    this.#stamp = stamp;
    this.#state = "ready";
    if (this.jobs.length > 1) {
      this.#order = this.jobs.flatMap((_, job) =>
        Array.from(
          { length: Math.min(this.#length(job), 100_000) },
          (_, index) => [job, index] as [number, number],
        ),
      );
      this.#order.sort((a, b) => this.#entry(...a).at - this.#entry(...b).at || a[0] - b[0]);
    }
    // Only what is looked for is counted; every line stays a row.
    if (!this.#simple()) this.#rows ??= [];
    this.#searching = true;
    this.#chunk();
  }

  #chunk(): void {
    const rows = this.#rows;
    const all = this.#order.length || this.#length(0);
    const end = Math.min(all, this.#scanned + CHUNK);
    const { filter } = this;
    const only = filter.onlyMatching && filter.find !== null;
    let after = 0;
    for (let at = this.#scanned; at < end; at += 1) {
      const place = this.#order[at] ?? [0, at];
      const entry = this.#entry(...place);
      if (!this.#passes(entry, place[0])) continue;
      const matched = this.#matched(entry);
      if (matched) this.#matches += 1;
      if (rows === null) continue;
      if (matched && only) {
        for (let back = Math.max(0, at - filter.context); back < at; back += 1) {
          const before = this.#order[back] ?? [0, back];
          const last = rows.at(-1);
          if (
            (!last || before[1] > last[1] || before[0] !== last[0]) &&
            this.#passes(this.#entry(...before), before[0])
          )
            rows.push(before);
        }
        after = filter.context + 1;
      }
      if (!only || after > 0) rows.push(place);
      after -= 1;
    }
    if (rows !== null) this.#rows = rows;
    this.#scanned = end;
    if (end < all) setTimeout(() => (this.#chunk(), this.changed()), 20);
  }

  #passes(entry: Entry, job: number): boolean {
    const { filter } = this;
    if (filter.fold && entry.continued) return false;
    if (entry.line < (filter.cleared[job] ?? 0)) return false;
    if (entry.gap)
      return filter.levels.length === 0 && filter.include.length === 0 && !filter.onlyMatching;
    if (filter.levels.length > 0 && !filter.levels.includes(entry.level ?? "none")) return false;
    return (
      this.#tests.include.every((test) => hits(test, entry)) &&
      !this.#tests.exclude.some((test) => hits(test, entry))
    );
  }
}

function hits(test: RegExp, entry: Entry): boolean {
  test.lastIndex = 0;
  return test.test(plainOf(entry.text));
}

function levelsOf(entries: readonly Entry[]): number[] {
  const counts = WORDS.map(() => 0);
  for (const entry of entries) {
    const at = WORDS.indexOf(entry.level ?? "none");
    if (!entry.gap) counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts;
}
