import { Persisted } from "../shared/persisted.svelte";
import type { TimeStyle, Zone } from "./times";

/** Display settings for all logs. */
export interface LogSettings {
  wrap: boolean;
  time: TimeStyle;
  zone: Zone;
  numbers: boolean;
  origin: boolean;
  fields: boolean;
  fold: boolean;
  histogram: boolean;
  /** Whether the filter bar is open. */
  filters: boolean;
  /** Text size in px. */
  size: number;
}

export const SMALLEST = 10;
export const LARGEST = 18;

export const DEFAULTS: LogSettings = {
  wrap: false,
  time: "absolute",
  zone: "local",
  numbers: false,
  origin: true,
  fields: true,
  fold: true,
  histogram: true,
  filters: false,
  size: 12,
};

const TIMES: unknown[] = ["absolute", "relative", "since", "none"] satisfies TimeStyle[];
const ZONES: unknown[] = ["local", "utc"] satisfies Zone[];

function usable(value: unknown): value is LogSettings {
  if (typeof value !== "object" || value === null) return false;
  const known = value as Record<string, unknown>;
  return (
    Object.entries(DEFAULTS).every(([name, initial]) => typeof known[name] === typeof initial) &&
    TIMES.includes(known.time) &&
    ZONES.includes(known.zone) &&
    (known.size as number) >= SMALLEST &&
    (known.size as number) <= LARGEST
  );
}

/** The log settings, kept in the window's local storage. */
export class Settings {
  readonly #stored = new Persisted<LogSettings>("log", DEFAULTS, usable);

  get current(): LogSettings {
    return this.#stored.current;
  }

  set(change: Partial<LogSettings>): void {
    this.#stored.current = { ...this.#stored.current, ...change };
  }

  /** 20 px for text of 12 px. */
  get rowHeight(): number {
    return Math.round((this.current.size * 5) / 3);
  }
}
