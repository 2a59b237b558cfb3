import type { LogFind } from "../../generated/LogFind";
import type { Span } from "../../generated/Span";

/** Escape sequences as looks, for the fake program. */
export function spansOf(text: string): Span[] {
  const spans: Span[] = [];
  let look: Omit<Span, "text"> = {};
  for (const part of text.split(/(\u001b\[[\d;]*m)/)) {
    const codes = /^\u001b\[([\d;]*)m$/.exec(part)?.[1];
    if (codes === undefined) {
      if (part !== "") spans.push({ text: part, ...look });
      continue;
    }
    const list = codes.split(";").map(Number);
    for (let at = 0; at < list.length; at += 1) {
      const code = list[at] ?? 0;
      const style = { 1: "b", 2: "d", 3: "i", 4: "u", 7: "r", 9: "s" }[code];
      if (code === 0) look = {};
      else if (style) look = { ...look, style: (look.style ?? "") + style };
      else if (code === 38) {
        look = {
          ...look,
          fg: `#${list
            .slice(at + 2, at + 5)
            .map((value) => value.toString(16).padStart(2, "0"))
            .join("")}`,
        };
        at += 4;
      } else if (code >= 90 && code < 98) look = { ...look, fg: String(code - 82) };
      else if (code >= 100) look = { ...look, bg: String(code - 92) };
      else if (code >= 40) look = { ...look, bg: String(code - 40) };
      else if (code >= 30) look = { ...look, fg: String(code - 30) };
    }
  }
  return spans;
}

export const plainOf = (text: string) => text.replace(/\u001b\[[\d;]*m/g, "");

/** The pattern a text to look for stands for; throws where it is none. */
export function pattern(find: LogFind): RegExp {
  const source = find.regex ? find.text : find.text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(find.word ? `\\b(?:${source})\\b` : source, find.case ? "gu" : "giu");
}

/** The spans with what is found marked. */
export function marked(spans: Span[], regex: RegExp): Span[] {
  const text = spans.map((span) => span.text).join("");
  const ranges = [...text.matchAll(regex)]
    .filter((match) => match[0] !== "")
    .map((match) => [match.index, match.index + match[0].length] as const);
  if (ranges.length === 0) return spans;
  const cut: Span[] = [];
  let at = 0;
  for (const span of spans) {
    const end = at + span.text.length;
    const edges = [at, end, ...ranges.flat().filter((edge) => edge > at && edge < end)].sort(
      (a, b) => a - b,
    );
    for (let index = 0; index + 1 < edges.length; index += 1) {
      const [from, to] = [edges[index] ?? 0, edges[index + 1] ?? 0];
      const mark = ranges.some(([start, stop]) => from >= start && to <= stop);
      cut.push({ ...span, text: text.slice(from, to), ...(mark ? { mark } : {}) });
    }
    at = end;
  }
  return cut;
}
