/** A value kept in the window's local storage, or in memory where storage is unavailable. */
export class Persisted<T> {
  #value = $state.raw() as T;
  readonly #key: string;

  /** `check` validates the stored value. */
  constructor(key: string, initial: T, check: (value: unknown) => value is T) {
    this.#key = `jobwatch.${key}`;
    this.#value = initial;
    try {
      const stored = localStorage.getItem(this.#key);
      const value: unknown = stored === null ? undefined : JSON.parse(stored);
      if (check(value)) this.#value = value;
    } catch {
      // Storage is unavailable or holds something else: keep the initial value.
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
      // Storage is unavailable or full: keep the value in memory.
    }
  }
}

export const isNumber = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value);

export const isStringArray = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");
