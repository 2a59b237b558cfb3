import type { UserError } from "../generated/UserError";
import type { ViewSpec } from "../generated/ViewSpec";
import type { ViewWindow } from "../generated/ViewWindow";
import { asUserError, type Backend } from "../backend/backend";
import { shareStructure } from "./structuralSharing";

/** The most rows one pull may ask for. */
export const MOST_ROWS = 500;
/** How long a window that nobody sees waits between two pulls. */
const HIDDEN_PACE = 1000;
/** How long a view that failed waits before it tries again by itself. */
const RETRY = 3000;
/**
 * Between two pulls of an end that grows all the time. Nobody reads faster, and drawing a screen of new
 * lines costs more than a picture's time: the page has to answer its user in between.
 */
const FLOOD_PACE = 50;
/** A row beyond every end: the program answers with the last rows. */
const END = Number.MAX_SAFE_INTEGER;

/** Says where a view is to look that has just been opened, by its number; null to leave that as it is. */
export type Locate = (view: number) => Promise<number | null>;

/** All open views of the page: passes ticks on to them. */
export class Views {
  readonly #open = new Map<number, LiveView>();

  constructor(readonly backend: Backend) {}

  /** Has the named views pull again. */
  tick(ids: number[]): void {
    for (const id of ids) this.#open.get(id)?.refresh();
  }

  /** Has every view pull again. */
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
 * One live query and the range of it that is on screen. Holds the rows of that range and nothing
 * else. One pull is in flight at a time; whatever changes meanwhile is pulled once, afterwards.
 */
export class LiveView {
  /** The last window pulled, or null before the first. Kept while the spec changes. */
  window = $state.raw<ViewWindow | null>(null);
  /** The question that `window` answers. While `outdated`, it is an earlier one. */
  answered = $state.raw<ViewSpec | null>(null);
  /** Why the last pull failed. */
  error = $state.raw<UserError | null>(null);
  /** Whether `window` still answers an earlier spec. */
  outdated = $state(true);
  /** Whether `window` was pulled as the end of the view. */
  tailed = $state.raw(false);

  readonly #views: Views;
  #spec: ViewSpec;
  #key: string;
  #id: number | null = null;
  /** The view of the question before, closed once the next one is open: what both are of stays at hand. */
  #before: number | null = null;
  #first = 0;
  #count: number;
  /** Rows wanted at the end, wherever that is; 0 for a fixed range. */
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

  /** Looks at another range. */
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

  /** Takes rows that came with another answer, and looks at them from now on. */
  adopt(window: ViewWindow): void {
    if (this.outdated || window.view !== this.#id || window.version < (this.window?.version ?? 0)) return;
    this.window = window;
    this.tailed = false;
    this.#tail = 0;
    this.#first = window.first;
    this.#count = Math.max(1, lengthOf(window));
  }

  #covers(first: number, count: number): boolean {
    const { window } = this;
    if (window === null || this.outdated || this.error !== null || this.tailed) return false;
    return first >= window.first && Math.min(first + count, window.total) <= window.first + lengthOf(window);
  }

  /** Looks at the last rows, however many there are by then. */
  tail(count: number): void {
    const many = Math.min(MOST_ROWS, Math.max(1, Math.ceil(count)));
    if (many === this.#tail) return;
    this.#tail = many;
    this.refresh();
  }

  /** The number the program knows the view by; null while it is being opened. */
  get id(): number | null {
    return this.#id;
  }

  /** Asks another question; the old rows stay until the new ones are there. `locate` says where to look then. */
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

  /** Stops following changes; the rows stay as they are. `false` catches up. */
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

  /** Rows of another range, once, for copying. */
  async rows(first: number, count: number): Promise<ViewWindow | null> {
    return this.#id === null ? null : this.#views.backend.viewWindow(this.#id, first, Math.min(MOST_ROWS, count));
  }

  /** Where the view ends, for copying its last rows. */
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
      const window = await backend.viewWindow(this.#id, tailed ? END : this.#first, tailed ? this.#tail : this.#count);
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
      // The program forgets views when the page is loaded anew: open it again, once.
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
    // A view that is already gone needs no closing.
    this.#views.backend.closeView(id).catch(() => undefined);
  }
}

const lengthOf = ({ rows }: ViewWindow) => (rows.kind === "job" ? Number(rows.detail !== null) : rows.rows.length);

/** Until the next picture after so many ms, or a little later where none is painted. */
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
