/** The one ticking clock: every age and duration on the page reads it and changes together. */
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
