import type { UserError } from "../generated/UserError";

/** The program answers from memory: a call that takes this long was lost. In ms. */
export const TIMEOUT = 10_000;

/**
 * Resolves to the answer, or rejects after `limit` ms so that the caller can retry. A later
 * answer is passed to `late`.
 */
export function withTimeout<T>(
  answer: Promise<T>,
  late?: (value: T) => void,
  limit = TIMEOUT,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let over = false;
    const timer = setTimeout(() => {
      over = true;
      const error: UserError = {
        code: "internal",
        message: "Jobwatch did not respond in time. Try again.",
      };
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
