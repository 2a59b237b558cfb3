/** A value remembered in this window's storage. Where storage refuses, it lasts as long as the window. */
export class Persisted<T> {
  #value = $state.raw() as T;
  readonly #key: string;

  /** `check` says whether what was stored is still usable. */
  constructor(key: string, initial: T, check: (value: unknown) => value is T) {
    this.#key = `jobwatch.${key}`;
    this.#value = initial;
    try {
      const stored = localStorage.getItem(this.#key);
      const value: unknown = stored === null ? undefined : JSON.parse(stored);
      if (check(value)) this.#value = value;
    } catch {
      // Storage is closed, or holds something else: the initial value stands.
    }
  }

  get current(): T {
    return this.#value;
  }

  set current(value: T) {
    this.#value = value;
    try {
      localStorage.setItem(this.#key, JSON.stringify(value));
    } catch {
      // Storage is closed or full: the choice lasts as long as the window.
    }
  }
}

export const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
