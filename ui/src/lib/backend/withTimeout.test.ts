import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { TIMEOUT, withTimeout } from "./withTimeout";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("an answer in time is the answer, and a failure is the failure", async () => {
  await expect(withTimeout(Promise.resolve(7))).resolves.toBe(7);
  await expect(withTimeout(Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(vi.getTimerCount()).toBe(0);
});

test("a pull that got lost fails, so that it can be made again, and its late answer is put away", async () => {
  let answer: (view: number) => void = () => undefined;
  const late = vi.fn();
  const pull = withTimeout(new Promise<number>((resolve) => (answer = resolve)), late);
  const failed = expect(pull).rejects.toMatchObject({ code: "internal" });
  await vi.advanceTimersByTimeAsync(TIMEOUT);
  await failed;
  answer(3);
  await vi.advanceTimersByTimeAsync(0);
  expect(late).toHaveBeenCalledWith(3);
});
