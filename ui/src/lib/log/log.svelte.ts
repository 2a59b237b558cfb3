import type { App } from "../app/app.svelte";
import type { LogFilter } from "../generated/LogFilter";
import type { LogLevel } from "../generated/LogLevel";
import type { LogRow } from "../generated/LogRow";
import type { LogState } from "../generated/LogState";
import type { LogTarget } from "../generated/LogTarget";
import type { OpenJob } from "../generated/OpenJob";
import type { ViewSpec } from "../generated/ViewSpec";
import type { ViewWindow } from "../generated/ViewWindow";
import { grouped } from "../shared/format";
import { LiveView } from "../shared/views.svelte";
import { clearedFor, unfiltered } from "./filter";
import { LogOverview } from "./logOverview.svelte";
import { moved, picked, type Selection, shifted } from "./selection";
import { Settings } from "./settings.svelte";
import { timeWidth } from "./times";

/** A job of the log, and what to call it. */
export interface LogJob extends OpenJob {
  name: string;
}

/** The most jobs one log is made of. */
export const MOST_JOBS = 16;

/** Rows beyond those in sight that come with a place that was looked for: as many as the list has in reserve. */
const AROUND = 20;

/** Their places in `LogState.levels`. */
const [ERROR, FATAL] = [5, 6];

/** What the list of rows can be told. */
export interface Viewport {
  /** Shows the row, moving as little as possible. */
  reveal(row: number): void;
  /** Has the row so many px below the top, or in the middle. */
  toRow(row: number, below: number | "middle"): void;
  toEnd(): void;
  /** Rows were put in front of what is in sight, which stays where it is. */
  shift(by: number): void;
  focus(): void;
}

const keyOf = (job: OpenJob) => `${job.server}/${job.job}`;

/** One log on screen: what it is of, what is filtered, where it stands and what is chosen in it. */
export class Log {
  readonly settings = new Settings();
  readonly view: LiveView;
  readonly overview: LogOverview;
  jobs = $state.raw<LogJob[]>([]);
  filter = $state.raw<LogFilter>(unfiltered(true));
  /** The end is in sight and stays there. */
  follow = $state(true);
  /** How many rows there were when the view was paused; null while it is not. */
  paused = $state<number | null>(null);
  /** How many rows there were when following ended. */
  left = $state(0);
  selection = $state.raw<Selection | null>(null);
  /** The chosen line is shown whole. */
  detailed = $state(false);
  /** The match gone to last. */
  match = $state.raw<{ row: number; nth: number | null } | null>(null);
  /** Times marked in the histogram. */
  marked = $state.raw<[number, number] | null>(null);
  /** The rows in sight. */
  visible = $state.raw({ first: 0, count: 0 });
  viewport: Viewport | null = null;
  /** A line was seen that names its source: then all lines leave room for one, so that texts stand below each other. */
  origins = $state(false);

  /** The first row in sight, to notice when others are put in front of it. */
  #top: { row: number; line: LogRow } | null = null;
  /** Where to be once a new filter is answered. */
  #restore: { row: number; below: number } | null = null;
  #seeking = false;
  /** A search was under way, or a new one had been asked for. */
  #searching = false;
  /** The server was being asked for earlier lines. */
  #asking = false;
  /** The number of rows for which earlier lines were asked for by scrolling. */
  #asked = -1;

  /** `startAtError`: what failed is looked at where it failed, at its last error, instead of at its end. */
  constructor(
    readonly app: App,
    jobs: LogJob[],
    private startAtError = false,
  ) {
    this.jobs = jobs;
    this.filter = unfiltered(this.settings.current.fold, this.settings.current.fields);
    this.view = new LiveView(app.views, this.#spec(), 60);
    this.view.tail(60);
    this.overview = new LogOverview(app.backend, this.view);
  }

  close(): void {
    this.overview.close();
    this.view.close();
  }

  get rows(): LogRow[] {
    const rows = this.view.window?.rows;
    return rows?.kind === "log" ? rows.rows : [];
  }

  get state(): LogState | null {
    const rows = this.view.window?.rows;
    return rows?.kind === "log" ? rows.state : null;
  }

  /** The filter that the rows are of: until a new one is answered, the one before. */
  get answered(): LogFilter {
    const asked = this.view.answered;
    return asked?.kind === "log" ? asked.filter : this.filter;
  }

  /** How many characters wide the columns are, and when the log began: the same for all rows. */
  readonly columns = $derived.by(() => {
    const span = this.state?.span ?? null;
    return { number: grouped(this.state?.lines ?? 0).length, time: timeWidth(this.settings.current.time, span), start: span?.[0] ?? null };
  });

  /** Index of the first of `rows`. */
  get first(): number {
    return this.view.window?.first ?? 0;
  }

  /** Rows to show: those up to the pause, or up to where the last pull reached. */
  get total(): number {
    const window = this.view.window;
    if (window === null) return 0;
    if (this.paused !== null) return Math.min(this.paused, window.total);
    return this.follow && this.view.tailed ? window.first + this.rows.length : window.total;
  }

  /** Rows that came since following ended, or since the pause. */
  get newer(): number {
    const since = this.paused ?? (this.follow ? null : this.left);
    return since === null ? 0 : Math.max(0, (this.view.window?.total ?? 0) - since);
  }

  /** The row that the keyboard is on, where it is loaded. */
  get current(): LogRow | null {
    return this.selection === null ? null : this.row(this.selection.head);
  }

  row(index: number): LogRow | null {
    return this.rows[index - this.first] ?? null;
  }

  /** The list wants these rows. */
  range(first: number, count: number): void {
    if (this.follow && this.paused === null) this.view.tail(count);
    else this.view.setRange(first, count);
  }

  /** These rows are in sight now. */
  setVisible(first: number, count: number): void {
    if (first !== this.visible.first || count !== this.visible.count) this.visible = { first, count };
    // The same place with another line: `arrived` finds out where the line went.
    if (this.#top?.row === first) return;
    const line = this.row(first);
    if (line) this.#top = { row: first, line };
  }

  // Filters

  /** Filters anew. What is in sight stays in sight, as far as it passes. */
  apply(filter: LogFilter): void {
    if (JSON.stringify(filter) === JSON.stringify(this.filter)) return;
    this.filter = filter;
    this.#searching = true;
    this.#ask();
  }

  setJobs(jobs: LogJob[]): void {
    const before = this.jobs.map(keyOf);
    const next = jobs.filter((job, at) => jobs.findIndex((other) => keyOf(other) === keyOf(job)) === at).slice(0, MOST_JOBS);
    if (next.length === 0) return;
    this.filter = { ...this.filter, cleared: clearedFor(this.filter.cleared, before, next.map(keyOf)) };
    this.jobs = next;
    this.origins = false;
    this.#ask();
  }

  has(job: OpenJob): boolean {
    return this.jobs.some((known) => keyOf(known) === keyOf(job));
  }

  /** Hides what is there, without deleting it; offers the way back. */
  clear(): void {
    const end = this.state?.end;
    if (!end) return;
    const before = this.filter.cleared;
    this.paused = null;
    this.follow = true;
    this.apply({ ...this.filter, cleared: end });
    this.app.toast("Earlier lines are hidden, not deleted.", { verb: "Undo", act: () => this.unclear(before) });
  }

  unclear(to: number[] = []): void {
    this.apply({ ...this.filter, cleared: to });
  }

  #ask(): void {
    const at = this.follow ? null : (this.selection && this.row(this.selection.head) ? { row: this.selection.head, line: this.current } : this.#top);
    const below = at === null ? 0 : Math.max(0, at.row - this.visible.first);
    const { line } = at ?? { line: null };
    // With several jobs a line's number says nothing about its place.
    const target: LogTarget | null =
      line === null || line.gap !== null ? null : this.jobs.length === 1 ? { kind: "line", line: line.line } : line.at === null ? null : { kind: "time", at: line.at };
    this.selection = null;
    this.match = null;
    this.paused = null;
    this.#top = null;
    this.#restore = null;
    this.overview.forget();
    this.view.ask(
      this.#spec(),
      target === null
        ? null
        : async (view) => {
            const found = await this.app.backend.logSeek(view, target, 0);
            if (found === null) return null;
            const { place } = found;
            this.#restore = { row: place.row, below };
            return place.row - below - 10;
          },
    );
  }

  #spec(): ViewSpec {
    return { kind: "log", jobs: this.jobs.map(({ server, job }) => ({ server, job })), filter: this.filter };
  }

  /** Takes the fields of structured lines out of their text, or leaves lines as they came. */
  takeFields(fields: boolean): void {
    this.settings.set({ fields });
    this.apply({ ...this.filter, raw: !fields });
  }

  /** Folds stack traces into the line they begin with, or unfolds all of them. */
  fold(folded: boolean): void {
    this.settings.set({ fold: folded });
    this.apply({ ...this.filter, fold: folded });
  }

  /** Shows the line whole, below the list. */
  detail(row: number): void {
    this.selection = picked(null, row, false);
    this.detailed = true;
    this.letGo();
  }

  // Following

  /** Has the end in sight from now on. */
  toEnd(): void {
    this.paused = null;
    this.follow = true;
    this.viewport?.toEnd();
  }

  /** Stays where it is. */
  letGo(): void {
    if (!this.follow) return;
    this.left = this.total;
    this.follow = false;
  }

  toggleFollow(): void {
    if (this.follow) this.letGo();
    else this.toEnd();
  }

  /** Freezes the view while the store goes on; a second time goes on where it was. */
  togglePause(): void {
    if (this.paused === null) {
      this.paused = this.total;
      return;
    }
    const { paused, follow } = this;
    this.paused = null;
    if (follow) this.toEnd();
    else this.left = paused;
  }

  /** A new window has arrived. */
  arrived(): void {
    if (this.view.outdated) return;
    this.origins ||= this.rows.some((row) => row.origin !== null);
    const total = this.view.window?.total ?? 0;
    // Rows that a search finds, or that a server had from before, are not new, those of the last step
    // among them.
    const asking = this.state?.earlier === "asking";
    const searching = (this.state?.searched ?? 1) < 1;
    const old = searching || this.#searching || asking || this.#asking;
    if (!this.follow && old) this.left = total;
    this.#searching = searching;
    this.#asking = asking;
    if (this.#restore !== null) {
      const { row, below } = this.#restore;
      this.#restore = null;
      this.left = total;
      this.viewport?.toRow(row, below * this.settings.rowHeight);
    } else this.#keepPlace(old);
    if (this.startAtError) this.#toError();
  }

  /** Once the lines are here, unless the user has gone somewhere before. */
  #toError(): void {
    const { state } = this;
    const moved = !this.follow || this.selection !== null;
    if (!moved && (!state || state.lines === 0 || state.earlier === "asking")) return;
    this.startAtError = false;
    const errors = (state?.levels[ERROR] ?? 0) + (state?.levels[FATAL] ?? 0);
    if (!moved && errors > 0) void this.seek({ kind: "level", from: this.total, back: true, level: "error" }, "No error before this.");
  }

  /** Notices rows that were put in front of those in sight, or dropped there; `old` where all that came is known not to be new. */
  #keepPlace(old: boolean): void {
    const top = this.#top;
    if (top === null || this.follow || this.#seeking) return;
    const here = this.row(top.row);
    if (here === null) return;
    if (here.id === top.line.id) {
      this.#top = { row: top.row, line: here };
      return;
    }
    const found = this.rows.findIndex((row) => row.id === top.line.id);
    if (found >= 0) {
      this.#shift(this.first + found - top.row, old);
      return;
    }
    const { at } = top.line;
    const id = this.view.id;
    if (at === null || id === null) {
      this.#top = { row: top.row, line: here };
      return;
    }
    this.#seeking = true;
    this.app.backend
      .logSeek(id, { kind: "time", at }, 0)
      .then((found) => {
        if (this.#top !== top) return;
        if (found === null || found.place.row === top.row) this.#top = { row: top.row, line: here };
        else this.#shift(found.place.row - top.row, old);
      })
      // The rows in sight are others then; nothing is lost.
      .catch(() => undefined)
      .finally(() => (this.#seeking = false));
  }

  #shift(by: number, old: boolean): void {
    if (by === 0) return;
    if (this.#top) this.#top = { ...this.#top, row: this.#top.row + by };
    this.selection = shifted(this.selection, by);
    this.match = this.match && { ...this.match, row: this.match.row + by };
    if (!old) this.left += by;
    if (this.paused !== null) this.paused += by;
    this.viewport?.shift(by);
  }

  // Going somewhere

  /** Goes to a row and chooses it. `window` holds the rows around it, where they are known already. */
  go(row: number, choose = true, window: ViewWindow | null = null): void {
    this.letGo();
    if (this.paused !== null && row >= this.paused) this.paused = null;
    if (choose) this.selection = picked(null, row, false);
    const { first, count } = this.visible;
    if (row >= first + 1 && row <= first + count - 3) return;
    if (window !== null) this.view.adopt(window);
    this.viewport?.toRow(row, "middle");
  }

  /** Goes to a part of the rows, 0 to 1. */
  goPart(part: number): void {
    if (part >= 1) this.toEnd();
    else this.go(Math.floor(part * this.total), part > 0);
  }

  /** Goes to what the program finds; `nothing` is said where that is nowhere. */
  async seek(target: LogTarget, nothing: string, choose = true): Promise<number | null> {
    const { id } = this.view;
    if (id === null) return null;
    let row: number | null = null;
    await this.app.run(async () => {
      const found = await this.app.backend.logSeek(id, target, this.visible.count + AROUND);
      if (this.view.id !== id) return;
      if (found === null) {
        this.app.toast(nothing);
        return;
      }
      const { place, window } = found;
      row = place.row;
      if (target.kind === "match") this.match = place;
      this.go(place.row, choose, window);
    });
    return row;
  }

  /** From the row the keyboard is on, or from what is in sight. */
  #from(back: boolean): number {
    if (this.selection !== null) return this.selection.head;
    return back ? this.visible.first + this.visible.count : this.visible.first - 1;
  }

  nextLevel(back: boolean, level: LogLevel = "error"): Promise<number | null> {
    const word = level === "error" ? "error" : "warning";
    return this.seek({ kind: "level", from: this.#from(back), back, level }, back ? `No ${word} before this.` : `No ${word} after this.`);
  }

  nextMatch(back: boolean): Promise<number | null> {
    return this.seek({ kind: "match", from: this.match?.row ?? this.#from(back), back }, "No line matches.");
  }

  /** Marks the times in the log and goes to the first row of them. */
  mark(from: number, to: number): void {
    this.marked = from <= to ? [from, to] : [to, from];
    void this.seek({ kind: "time", at: this.marked[0] }, "No line at that time.");
  }

  // Choosing and copying

  pick(row: number, extend: boolean): void {
    const same = this.selection?.anchor === row && this.selection.head === row;
    this.selection = picked(this.selection, row, extend);
    if (!extend) this.detailed = !(same && this.detailed);
    if (this.follow) this.letGo();
  }

  /** The keyboard moves the choice. */
  move(step: number, extend: boolean): void {
    const { first, count: many } = this.visible;
    const start = step > 0 ? first : first + many - 1;
    const next = moved(this.selection, step, extend, this.total, start);
    if (next === null) return;
    this.selection = next;
    if (step < 0) this.letGo();
    this.viewport?.reveal(next.head);
  }

  selectAll(): void {
    if (this.total > 0) this.selection = { anchor: this.total - 1, head: 0 };
  }

  // Lines that are not here

  async askServer(): Promise<void> {
    const { id } = this.view;
    if (id !== null) await this.app.run(() => this.app.backend.logFetch(id));
  }

  /** The very top was scrolled to: asks for what was before it, once for every top. */
  atTop(): void {
    const state = this.state;
    if (state?.earlier !== "maybe" || this.view.outdated || this.#asked === state.lines) return;
    this.#asked = state.lines;
    void this.askServer();
  }
}
