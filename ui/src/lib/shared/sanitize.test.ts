import { describe, expect, test } from "vitest";

import { splitLinks, shorten, sanitize } from "./sanitize";

describe("text from servers", () => {
  test("shows characters that turn the direction of the text", () => {
    expect(sanitize("invoice\u202etxt.exe")).toBe("invoice⟨U+202E⟩txt.exe");
    expect(sanitize("a\u2066b\u2069\u200f")).toBe("a⟨U+2066⟩b⟨U+2069⟩⟨U+200F⟩");
  });

  test("shows control characters", () => {
    expect(sanitize("\u001b[31mred\u0000\u007f\u0085")).toBe(
      "⟨U+001B⟩[31mred⟨U+0000⟩⟨U+007F⟩⟨U+0085⟩",
    );
  });

  test("keeps line breaks where lines are wanted and makes them spaces elsewhere", () => {
    expect(sanitize("a\r\nb\tc", true)).toBe("a\nb\tc");
    expect(sanitize("a\r\nb\tc")).toBe("a b c");
    expect(sanitize("progress\rdone", true)).toBe("progress⟨U+000D⟩done");
  });

  test("leaves letters, marks and joined emoji alone", () => {
    const text = "Größe 数据 👩‍💻 नमस्ते";
    expect(sanitize(text)).toBe(text);
  });

  test("shortens in the middle without cutting a character in two", () => {
    expect(shorten("arn:aws:ecs:us-east-1:123456789012", 11)).toBe("arn:a…89012");
    expect(shorten("short", 11)).toBe("short");
    expect(shorten("😀😀😀😀😀", 3)).toBe("😀…😀");
  });

  test("offers http and https links and nothing else", () => {
    expect(
      splitLinks("see https://example.com/a?b=1, or javascript:alert(1) or file:///etc/passwd."),
    ).toEqual([
      { text: "see ", url: null },
      { text: "https://example.com/a?b=1", url: "https://example.com/a?b=1" },
      { text: ", or javascript:alert(1) or file:///etc/passwd.", url: null },
    ]);
    expect(splitLinks("https://exa\u202emple.com")).toEqual([
      { text: "https://exa\u202emple.com", url: null },
    ]);
  });
});
