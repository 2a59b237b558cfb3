import { expect, test, vi } from "vitest";

import { asUserError } from "./backend";

test("what was written for developers never reaches the screen", () => {
  const noted = vi.spyOn(console, "error").mockImplementation(() => undefined);
  for (const thrown of [
    "invalid args `target` for command `log_seek`: invalid value: integer `-1`, expected u64",
    "command log_seek missing required key view",
    "Command not_there not found",
    new TypeError("undefined is not an object (evaluating 'a.b')"),
    new DOMException("The request is not allowed", "NotAllowedError"),
    { code: 7, message: "a number of its own" },
    undefined,
    null,
  ]) {
    const { code, message } = asUserError(thrown);
    expect(code).toBe("internal");
    expect(message).toMatch(/^Something in Jobwatch went wrong, and nothing was done\. Try again/);
  }
  expect(noted).toHaveBeenCalledTimes(8);
  const told = { code: "invalid", message: "The name is taken." };
  expect(asUserError(told)).toBe(told);
});
