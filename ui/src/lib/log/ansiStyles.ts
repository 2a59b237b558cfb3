import type { Span } from "../generated/Span";

/** Classes and inline colours of a span of a log line. */
export interface AnsiStyle {
  class: string;
  fg: string | undefined;
  bg: string | undefined;
}

const STYLES: Record<string, string> = {
  b: "bold",
  d: "dim",
  i: "italic",
  u: "underline",
  s: "struck",
  r: "inverse",
  o: "overline",
};
const HEX = /^#[0-9a-f]{6}$/i;

/** Palette colours use tokens that are readable in both themes; others are mixed with the text colour. */
export function ansiStyle(span: Span): AnsiStyle {
  const classes: string[] = [];
  const colour = (value: string | undefined, name: "fg" | "bg"): string | undefined => {
    if (value === undefined) return undefined;
    const own = HEX.test(value);
    const known = /^(?:[0-9]|1[0-5])$/.test(value);
    if (own || known) classes.push(name);
    return own ? value : known ? `var(--ansi-${value})` : undefined;
  };
  const fg = colour(span.fg, "fg");
  const bg = colour(span.bg, "bg");
  if (fg !== undefined && HEX.test(span.fg ?? "")) classes.push("own");
  for (const letter of span.style ?? "") {
    const style = STYLES[letter];
    if (style !== undefined) classes.push(style);
  }
  if (span.mark) classes.push("mark");
  return { class: classes.join(" "), fg, bg };
}

/** Tone of each log level. Colour always accompanies the level's word. */
export const TONES: Record<string, "bad" | "warn" | "faint" | "plain"> = {
  fatal: "bad",
  error: "bad",
  warn: "warn",
  info: "plain",
  debug: "faint",
  trace: "faint",
};

/** The plain text of a line. */
export function textOf(spans: readonly Span[]): string {
  return spans.map((span) => span.text).join("");
}
