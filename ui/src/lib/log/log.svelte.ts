import type { App } from "../app/app.svelte";
import type { LogFilter } from "../generated/LogFilter";
import type { LogRow } from "../generated/LogRow";
import type { LogState } from "../generated/LogState";
import type { LogTarget } from "../generated/LogTarget";
import type { OpenJob } from "../generated/OpenJob";
import type { ViewSpec } from "../generated/ViewSpec";
import { grouped } from "../shared/format";
import { LiveView } from "../shared/views.svelte";
import { clearedFor, unfiltered } from "./filter";
import { LogOverview } from "./logOverview.svelte";
import { seek, type Viewport } from "./navigation";
import { picked, type Selection, shifted } from "./selection";
import { Settings } from "./settings.svelte";
import { timeWidth } from "./times";

/** A job of the log, with its name. */
export interface LogJob extends OpenJob {
  name: string;
}

/** Maximum number of jobs in one log. */
export const MOST_JOBS = 16;

/** Their indices in `LogState.levels`. */
const [ERROR, FATAL] = [5, 6];

const keyOf = (job: OpenJob) => `${job.server}/${job.job}`;

/** One log on screen: its jobs, filter, scroll position and selection. */
export class Log {
  readonly settings = new Settings();
  readonly view: LiveView;
  readonly overview: LogOverview;
  jobs = $state.raw<LogJob[]>([]);
  filter = $state.raw<LogFilter>(unfiltered(true));
  /** Whether the end stays in view. */
  follow = $state(true);
  /** Number of rows when the view was paused; null while it is not. */
  paused = $state<number | null>(null);
  /** Number of rows when following ended. */
  left = $state(0);
  selection = $state.raw<Selection | null>(null);
  /** Whether the selected line is shown in full. */
  detailed = $state(false);
  /** The match last jumped to. */
  match = $state.raw<{ row: number; nth: number | null } | null>(null);
  /** The time range marked in the histogram. */
  marked = $state.raw<[number, number] | null>(null);
  /** The visible rows. */
  visible = $state.raw({ first: 0, count: 0 });
  viewport: Viewport | null = null;
  /** Whether any line named a source. Then all lines reserve that column, so that their texts align. */
  origins = $state(false);

  /** The first visible row, to detect rows inserted above it. */
  #top: { row: number; line: LogRow } | null = null;
  /** Scroll position to restore when the new filter is answered. */
  #restore: { row: number; below: number } | null = null;
  #seeking = false;
  /** Whether a search was running or requested. */
  #searching = false;
  /** Whether earlier lines were being fetched. */
  #asking = false;
  /** Number of rows when scrolling last requested earlier lines. */
  #asked = -1;

  /** With `startAtError`, the log opens at its last error instead of its end. */
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

  /** The filter of the rows shown: the previous one until a new one is answered. */
  get answered(): LogFilter {
    const asked = this.view.answered;
    return asked?.kind === "log" ? asked.filter : this.filter;
  }

  /** Column widths in characters, and the log's start: the same for all rows. */
  readonly columns = $derived.by(() => {
    const span = this.state?.span ?? null;
    return {
      number: grouped(this.state?.lines ?? 0).length,
      time: timeWidth(this.settings.current.time, span),
      start: span?.[0] ?? null,
    };
  });

  /** Index of the first of `rows`. */
  get first(): number {
    return this.view.window?.first ?? 0;
  }

  /** Number of rows to show: up to the pause, or up to the end of the last pull. */
  get total(): number {
    const window = this.view.window;
    if (window === null) return 0;
    if (this.paused !== null) return Math.min(this.paused, window.total);
    return this.follow && this.view.tailed ? window.first + this.rows.length : window.total;
  }

  /** Number of rows that arrived since following ended or the view was paused. */
  get newer(): number {
    const since = this.paused ?? (this.follow ? null : this.left);
    return since === null ? 0 : Math.max(0, (this.view.window?.total ?? 0) - since);
  }

  /** The row with the keyboard focus, if it is loaded. */
  get current(): LogRow | null {
    return this.selection === null ? null : this.row(this.selection.head);
  }

  row(index: number): LogRow | null {
    return this.rows[index - this.first] ?? null;
  }

  /** Loads these rows for the list. */
  range(first: number, count: number): void {
    if (this.follow && this.paused === null) this.view.tail(count);
    else this.view.setRange(first, count);
  }

  /** Records which rows are visible. */
  setVisible(first: number, count: number): void {
    if (first !== this.visible.first || count !== this.visible.count)
      this.visible = { first, count };
    // Same position, other line: `arrived` finds out where the line went.
    if (this.#top?.row === first) return;
    const line = this.row(first);
    if (line) this.#top = { row: first, line };
  }

  // Filters

  /** Applies a filter. Visible lines that pass it stay visible. */
  apply(filter: LogFilter): void {
    if (JSON.stringify(filter) === JSON.stringify(this.filter)) return;
    this.filter = filter;
    this.#searching = true;
    this.#ask();
  }

  setJobs(jobs: LogJob[]): void {
    const before = this.jobs.map(keyOf);
    const next = jobs
      .filter((job, at) => jobs.findIndex((other) => keyOf(other) === keyOf(job)) === at)
      .slice(0, MOST_JOBS);
    if (next.length === 0) return;
    this.filter = {
      ...this.filter,
      cleared: clearedFor(this.filter.cleared, before, next.map(keyOf)),
    };
    this.jobs = next;
    this.origins = false;
    this.#ask();
  }

  has(job: OpenJob): boolean {
    return this.jobs.some((known) => keyOf(known) === keyOf(job));
  }

  /** Hides the lines so far without deleting them, and offers Undo. */
  clear(): void {
    const end = this.state?.end;
    if (!end) return;
    const before = this.filter.cleared;
    this.paused = null;
    this.follow = true;
    this.apply({ ...this.filter, cleared: end });
    this.app.toast("Earlier lines are hidden, not deleted.", {
      verb: "Undo",
      act: () => this.unclear(before),
    });
  }

  unclear(to: number[] = []): void {
    this.apply({ ...this.filter, cleared: to });
  }

  #ask(): void {
    const at = this.follow
      ? null
      : this.selection && this.row(this.selection.head)
        ? { row: this.selection.head, line: this.current }
        : this.#top;
    const below = at === null ? 0 : Math.max(0, at.row - this.visible.first);
    const { line } = at ?? { line: null };
    // With several jobs a line's number does not determine its position.
    const target: LogTarget | null =
      line === null || line.gap !== null
        ? null
        : this.jobs.length === 1
          ? { kind: "line", line: line.line }
          : line.at === null
            ? null
            : { kind: "time", at: line.at };
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
    return {
      kind: "log",
      jobs: this.jobs.map(({ server, job }) => ({ server, job })),
      filter: this.filter,
    };
  }

  /** Shows the fields of structured lines separately, or leaves lines as they came. */
  takeFields(fields: boolean): void {
    this.settings.set({ fields });
    this.apply({ ...this.filter, raw: !fields });
  }

  /** Folds or unfolds all stack traces. */
  fold(folded: boolean): void {
    this.settings.set({ fold: folded });
    this.apply({ ...this.filter, fold: folded });
  }

  /** Shows the full line below the list. */
  detail(row: number): void {
    this.selection = picked(null, row, false);
    this.detailed = true;
    this.letGo();
  }

  // Following

  /** Follows the end. */
  toEnd(): void {
    this.paused = null;
    this.follow = true;
    this.viewport?.toEnd();
  }

  /** Stops following the end. */
  letGo(): void {
    if (!this.follow) return;
    this.left = this.total;
    this.follow = false;
  }

  toggleFollow(): void {
    if (this.follow) this.letGo();
    else this.toEnd();
  }

  /** Pauses the view while lines are still stored, or resumes it. */
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

  /** Handles a new window of rows. */
  arrived(): void {
    if (this.view.outdated) return;
    this.origins ||= this.rows.some((row) => row.origin !== null);
    const total = this.view.window?.total ?? 0;
    // Rows found by a search or fetched from before are not new, including those of the step that
    // completes it.
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

  /** Jumps to the last error once lines are loaded, unless the user has moved. */
  #toError(): void {
    const { state } = this;
    const moved = !this.follow || this.selection !== null;
    if (!moved && (!state || state.lines === 0 || state.earlier === "asking")) return;
    this.startAtError = false;
    const errors = (state?.levels[ERROR] ?? 0) + (state?.levels[FATAL] ?? 0);
    if (!moved && errors > 0)
      void seek(
        this,
        { kind: "level", from: this.total, back: true, level: "error" },
        "No error before this.",
      );
  }

  /** Detects rows inserted or dropped above the visible ones; `old` if none of the arrived rows are new. */
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
      // Only the scroll position shifts; nothing is lost.
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

  // Missing lines

  async askServer(): Promise<void> {
    const { id } = this.view;
    if (id !== null) await this.app.run(() => this.app.backend.logFetch(id));
  }

  /** Fetches earlier lines when scrolled to the very top, once per top. */
  atTop(): void {
    const state = this.state;
    if (state?.earlier !== "maybe" || this.view.outdated || this.#asked === state.lines) return;
    this.#asked = state.lines;
    void this.askServer();
  }
}
