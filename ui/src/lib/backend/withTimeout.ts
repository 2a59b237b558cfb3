import type { UserError } from "../generated/UserError";

/** The program answers pulls from memory; one that takes this long got lost on the way. */
export const TIMEOUT = 10_000;

/**
 * The answer, or a failure when it does not come in time, so that whoever pulls can pull again. An
 * answer that comes later is handed to `late`.
 */
export function withTimeout<T>(answer: Promise<T>, late?: (value: T) => void, limit = TIMEOUT): Promise<T> {
  return new Promise((resolve, reject) => {
    let over = false;
    const timer = setTimeout(() => {
      over = true;
      const error: UserError = { code: "internal", message: "Jobwatch did not respond in time. Try again." };
      reject(error);
    }, limit);
    answer.then(
      (value) => {
        clearTimeout(timer);
        if (over) late?.(value);
        else resolve(value);
      },
      (thrown: unknown) => {
        clearTimeout(timer);
        reject(thrown);
      },
    );
  });
}
