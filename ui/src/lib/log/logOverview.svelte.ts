import type { Backend } from "../backend/backend";
import type { LogMap } from "../generated/LogMap";
import type { LiveView } from "../shared/views.svelte";

/** Minimum time between two maps, in ms. */
const PACE = 500;
export const SLICES = 200;
export const BUCKETS = 120;

/** Level counts over a whole log, kept up to date while it is shown. */
export class LogOverview {
  map = $state.raw<LogMap | null>(null);
  #running = false;
  #dirty = false;
  #closed = false;

  constructor(
    private readonly backend: Backend,
    private readonly view: LiveView,
  ) {}

  /** Fetches a new map, now or after the one in flight. */
  refresh(): void {
    // Refreshed again when the view's first window arrives.
    if (this.view.id === null) return;
    this.#dirty = true;
    if (!this.#running) void this.#run();
  }

  /** Drops the map of an earlier filter. */
  forget(): void {
    this.map = null;
  }

  close(): void {
    this.#closed = true;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#dirty && !this.#closed) {
      this.#dirty = false;
      const { id } = this.view;
      if (id !== null && !document.hidden) {
        try {
          const map = await this.backend.logMap(id, SLICES, BUCKETS);
          if (this.view.id === id) this.map = map;
        } catch {
          // Decoration only: the next change retries.
        }
      }
      await new Promise((done) => setTimeout(done, PACE));
    }
    this.#running = false;
  }
}

/** An SVG path of bars, one unit wide each. */
export function bars(values: readonly number[], most: number, height: number): string {
  let path = "";
  values.forEach((value, index) => {
    if (value <= 0) return;
    const tall = Math.max(1, (value / Math.max(1, most)) * height);
    path += `M${index} ${height}v${-round(tall)}h1V${height}z`;
  });
  return path;
}

/** An SVG path of marks for the slices with entries, wider for more, in a picture 10 wide. */
export function ticks(values: readonly number[]): string {
  const most = Math.max(1, ...values);
  let path = "";
  for (let at = 0; at < values.length; at += 1) {
    const value = values[at] ?? 0;
    if (value <= 0) continue;
    const from = at;
    while (values[at + 1] === value) at += 1;
    path += `M0 ${from}h${round(3 + 7 * Math.sqrt(value / most))}v${at + 1 - from}H0z`;
  }
  return path;
}

const round = (value: number) => Math.round(value * 100) / 100;
