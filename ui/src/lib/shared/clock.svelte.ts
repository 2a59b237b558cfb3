/** The page's only ticking clock, so that all ages and durations change together. */
class Clock {
  #now = $state(Date.now());
  #timer: ReturnType<typeof setInterval> | undefined;

  /** Milliseconds since 1970, at most a second old. */
  get now(): number {
    return this.#now;
  }

  /** Ticks until the returned function is called. */
  start(): () => void {
    clearInterval(this.#timer);
    this.#now = Date.now();
    this.#timer = setInterval(() => {
      if (!document.hidden) this.#now = Date.now();
    }, 1000);
    const catchUp = () => (this.#now = Date.now());
    document.addEventListener("visibilitychange", catchUp);
    return () => {
      clearInterval(this.#timer);
      document.removeEventListener("visibilitychange", catchUp);
    };
  }
}

export const time = new Clock();
