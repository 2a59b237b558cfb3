import type { UserError } from "../generated/UserError";
import type { ViewSpec } from "../generated/ViewSpec";
import type { ViewWindow } from "../generated/ViewWindow";
import { asUserError, type Backend } from "../backend/backend";
import { shareStructure } from "./structuralSharing";

/** Maximum number of rows per pull. */
export const MOST_ROWS = 500;
/** Pause between pulls while the window is hidden, in ms. */
const HIDDEN_PACE = 1000;
/** Delay before a failed view retries by itself, in ms. */
const RETRY = 3000;
/**
 * Pause between pulls of a growing tail, in ms. Nobody reads faster, and drawing a screenful of
 * lines takes longer than a frame, so the page needs time in between to react to input.
 */
const FLOOD_PACE = 50;
/** A row past any end, for which the program returns the last rows. */
const END = Number.MAX_SAFE_INTEGER;

/** Given the id of a view just opened, resolves to its first row to pull; null for the default. */
export type Locate = (view: number) => Promise<number | null>;

/** All open views of the page. Dispatches ticks to them. */
export class Views {
  readonly #open = new Map<number, LiveView>();

  constructor(readonly backend: Backend) {}

  /** Makes the given views pull again. */
  tick(ids: number[]): void {
    for (const id of ids) this.#open.get(id)?.refresh();
  }

  /** Makes every view pull again. */
  refreshAll(): void {
    for (const view of this.#open.values()) view.refresh();
  }

  /** @internal */
  register(id: number, view: LiveView): void {
    this.#open.set(id, view);
  }

  /** @internal */
  forget(id: number): void {
    this.#open.delete(id);
  }
}

/**
 * A live query and the range of it on screen. Holds only the rows of that range. One pull is
 * in flight at a time; changes meanwhile cause one more pull afterwards.
 */
export class LiveView {
  /** The last window pulled, or null before the first. Kept while the spec changes. */
  window = $state.raw<ViewWindow | null>(null);
  /** The spec that `window` answers; an earlier one while `outdated`. */
  answered = $state.raw<ViewSpec | null>(null);
  /** Why the last pull failed. */
  error = $state.raw<UserError | null>(null);
  /** Whether `window` still answers an earlier spec. */
  outdated = $state(true);
  /** Whether `window` was pulled as the tail of the view. */
  tailed = $state.raw(false);

  readonly #views: Views;
  #spec: ViewSpec;
  #key: string;
  #id: number | null = null;
  /** The previous view, closed once the next is open, so that the program keeps what both share. */
  #before: number | null = null;
  #first = 0;
  #count: number;
  /** Number of rows to pull from the tail; 0 for a fixed range. */
  #tail = 0;
  #locate: Locate | null = null;
  #generation = 0;
  #running = false;
  #dirty = false;
  #closed = false;
  #paused = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(views: Views, spec: ViewSpec, count = 40) {
    this.#views = views;
    this.#spec = spec;
    this.#key = JSON.stringify(spec);
    this.#count = count;
    this.refresh();
  }

  /** Moves the view to another range. */
  setRange(first: number, count: number): void {
    const from = Math.max(0, Math.floor(first));
    const many = Math.min(MOST_ROWS, Math.max(1, Math.ceil(count)));
    if (from === this.#first && many === this.#count && this.#tail === 0) return;
    const had = this.#tail === 0 && !this.#running && this.#covers(from, many);
    this.#first = from;
    this.#count = many;
    this.#tail = 0;
    if (!had) this.refresh();
  }

  /** Moves the view to rows that arrived with another answer, without pulling them again. */
  adopt(window: ViewWindow): void {
    if (this.outdated || window.view !== this.#id || window.version < (this.window?.version ?? 0))
      return;
    this.window = window;
    this.tailed = false;
    this.#tail = 0;
    this.#first = window.first;
    this.#count = Math.max(1, lengthOf(window));
  }

  #covers(first: number, count: number): boolean {
    const { window } = this;
    if (window === null || this.outdated || this.error !== null || this.tailed) return false;
    return (
      first >= window.first &&
      Math.min(first + count, window.total) <= window.first + lengthOf(window)
    );
  }

  /** Follows the last `count` rows. */
  tail(count: number): void {
    const many = Math.min(MOST_ROWS, Math.max(1, Math.ceil(count)));
    if (many === this.#tail) return;
    this.#tail = many;
    this.refresh();
  }

  /** The view's id in the program; null while it is being opened. */
  get id(): number | null {
    return this.#id;
  }

  /** Changes the spec. Old rows stay until new ones arrive; `locate` chooses the first row then. */
  ask(spec: ViewSpec, locate: Locate | null = null): void {
    const key = JSON.stringify(spec);
    if (key === this.#key) return;
    this.#key = key;
    this.#spec = spec;
    this.#generation += 1;
    this.#first = 0;
    this.#locate = locate;
    this.outdated = true;
    if (this.#id !== null && this.#before === null) {
      this.#views.forget(this.#id);
      this.#before = this.#id;
      this.#id = null;
    } else this.#drop();
    this.refresh();
  }

  /** Pauses updates, or resumes and catches up. */
  setPaused(paused: boolean): void {
    if (this.#paused === paused) return;
    this.#paused = paused;
    if (!paused) this.refresh();
  }

  /** Pulls now, or once more after the pull in flight. */
  refresh(): void {
    if (this.#closed || (this.#paused && this.window !== null)) return;
    this.#dirty = true;
    if (!this.#running) void this.#run();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#dropBefore();
    this.#drop();
  }

  /** Pulls rows of another range once, for copying. */
  async rows(first: number, count: number): Promise<ViewWindow | null> {
    return this.#id === null
      ? null
      : this.#views.backend.viewWindow(this.#id, first, Math.min(MOST_ROWS, count));
  }

  /** Total number of rows. */
  get total(): number {
    return this.window?.total ?? 0;
  }

  async #run(): Promise<void> {
    this.#running = true;
    clearTimeout(this.#timer);
    try {
      while (this.#dirty && !this.#closed) {
        this.#dirty = false;
        const begun = performance.now();
        await this.#pull();
        if (this.#tail > 0 && this.#dirty) await frame(begun + FLOOD_PACE - performance.now());
        if (document.hidden) await new Promise((done) => setTimeout(done, HIDDEN_PACE));
      }
    } finally {
      this.#running = false;
    }
  }

  async #pull(): Promise<void> {
    const generation = this.#generation;
    const spec = this.#spec;
    const { backend } = this.#views;
    const stale = () => this.#closed || generation !== this.#generation;
    try {
      if (this.#id === null) {
        const id = await backend.openView(spec);
        if (stale()) {
          this.#closeView(id);
          return;
        }
        this.#dropBefore();
        this.#id = id;
        this.#views.register(id, this);
        const place = this.#locate;
        this.#locate = null;
        const first = place === null ? null : await place(id).catch(() => null);
        if (stale()) return;
        if (first !== null) this.#first = Math.max(0, Math.floor(first));
      }
      const tailed = this.#tail > 0;
      const window = await backend.viewWindow(
        this.#id,
        tailed ? END : this.#first,
        tailed ? this.#tail : this.#count,
      );
      if (stale()) return;
      this.tailed = tailed;
      this.window = this.outdated ? window : shareStructure(this.window, window);
      this.answered = spec;
      this.outdated = false;
      this.error = null;
    } catch (thrown) {
      if (stale()) return;
      const error = asUserError(thrown);
      const lost = error.code === "notFound" && this.#id !== null;
      this.#drop();
      // The program drops views when the page reloads: reopen this one, once.
      if (lost && this.error === null) this.#dirty = true;
      else this.#timer = setTimeout(() => this.refresh(), RETRY);
      if (!lost || this.error !== null) this.error = error;
    }
  }

  #drop(): void {
    if (this.#id === null) return;
    this.#views.forget(this.#id);
    this.#closeView(this.#id);
    this.#id = null;
  }

  #dropBefore(): void {
    if (this.#before === null) return;
    this.#closeView(this.#before);
    this.#before = null;
  }

  #closeView(id: number): void {
    // The view may be gone already.
    this.#views.backend.closeView(id).catch(() => undefined);
  }
}

const lengthOf = ({ rows }: ViewWindow) =>
  rows.kind === "job" ? Number(rows.detail !== null) : rows.rows.length;

/** Resolves at the next frame after `after` ms, or shortly later where nothing is painted. */
async function frame(after: number): Promise<void> {
  if (after > 0) await new Promise((done) => setTimeout(done, after));
  return new Promise((done) => {
    const timer = setTimeout(done, 50);
    requestAnimationFrame(() => {
      clearTimeout(timer);
      done();
    });
  });
}
