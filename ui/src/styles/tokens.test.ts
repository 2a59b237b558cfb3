import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const css = readFileSync(join(import.meta.dirname, "tokens.css"), "utf8");

function block(selector: string): Record<string, string> {
  const start = css.indexOf(`${selector} {`);
  const body = css.slice(css.indexOf("{", start) + 1, css.indexOf("}", start));
  return Object.fromEntries(
    [...body.matchAll(/(--[\w-]+):\s*(#[0-9a-f]{6});/g)].map(([, name, value]) => [
      name ?? "",
      value ?? "",
    ]),
  );
}
const light = block(":root");
const dark = block(':root[data-theme="dark"]');

function luminance(hex: string): number {
  const channel = (at: number) => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}
function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((one, other) => other - one) as [
    number,
    number,
  ];
  return (high + 0.05) / (low + 0.05);
}

test("the dark theme of the system and the one chosen are the same", () => {
  expect(block(':root:not([data-theme="light"])')).toEqual(dark);
});

test.each([
  ["light", light],
  ["dark", dark],
])("every text reaches AA on every ground it stands on, %s", (_, theme) => {
  const grounds = [
    "--bg",
    "--bg-side",
    "--bg-raised",
    "--bg-sunken",
    "--bg-hover",
    "--bg-selected",
    "--bg-selected-idle",
  ];
  const texts = [
    "--text",
    "--text-muted",
    "--text-faint",
    "--good",
    "--warn",
    "--orange",
    "--bad",
    "--info",
    "--accent",
  ];
  const low: string[] = [];
  const check = (text: string, ground: string) => {
    const ratio = contrast(theme[text]!, theme[ground]!);
    if (ratio < 4.5) low.push(`${text} on ${ground}: ${ratio.toFixed(2)}`);
  };
  for (const ground of grounds) for (const text of texts) check(text, ground);
  check("--accent-text", "--accent");
  check("--accent", "--accent-soft");
  check("--text", "--bad-soft");
  check("--text-muted", "--bad-soft");
  check("--accent", "--bad-soft");
  check("--text", "--warn-soft");
  check("--warn", "--warn-soft");
  expect(low).toEqual([]);
});

test.each([
  ["light", light],
  ["dark", dark],
])(
  "the sixteen colours of a terminal read well on the ground of the log, and what is found on its mark, %s",
  (_, theme) => {
    const low: string[] = [];
    const check = (text: string, ground: string) => {
      const ratio = contrast(theme[text]!, theme[ground]!);
      if (ratio < 4.5) low.push(`${text} on ${ground}: ${ratio.toFixed(2)}`);
    };
    for (let colour = 0; colour < 16; colour += 1)
      for (const ground of ["--bg-sunken", "--bg", "--bg-hover", "--bg-selected"])
        check(`--ansi-${colour}`, ground);
    check("--found-text", "--found");
    expect(low).toEqual([]);
  },
);
