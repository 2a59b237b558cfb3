// Bidirectional controls, invisible spaces and separators that can make text read as something else.
const DECEPTIVE =
  /[\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069\ufeff\ufff9-\ufffb]/;
const ODD = new RegExp(`\\r(?=\\n)|[\\u0000-\\u001f\\u007f-\\u009f]|${DECEPTIVE.source}`, "g");

/**
 * Makes invisible and direction-changing characters of a server's text visible, as
 * `⟨U+202E⟩`. Line breaks and tabs are kept with `lines`, and become spaces otherwise.
 */
export function sanitize(text: string, lines = false): string {
  return text.replace(ODD, (character, at: number) => {
    // The first half of a Windows line break.
    if (character === "\r" && text[at + 1] === "\n") return "";
    const code = character.charCodeAt(0);
    if (code === 0x0a || code === 0x09) return lines ? character : " ";
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

/** Shortens `text` to `limit` characters by leaving out the middle. */
export function shorten(text: string, limit = 18): string {
  const characters = [...text];
  if (characters.length <= limit) return text;
  const head = Math.ceil((limit - 1) / 2);
  return `${characters.slice(0, head).join("")}…${characters.slice(characters.length - (limit - 1 - head)).join("")}`;
}

/** A piece of plain text, or a link. */
export interface LinkPart {
  text: string;
  url: string | null;
}

/** Splits `text` into plain text and http or https links. */
export function splitLinks(text: string): LinkPart[] {
  const found: LinkPart[] = [];
  let from = 0;
  for (const match of text.matchAll(/\bhttps?:\/\/[^\s<>"'`\\{}|^]+/gi)) {
    // Trailing punctuation belongs to the surrounding sentence.
    const raw = match[0].replace(/[.,;:!?)\]]+$/, "");
    if (DECEPTIVE.test(raw) || !URL.canParse(raw)) continue;
    if (match.index > from) found.push({ text: text.slice(from, match.index), url: null });
    found.push({ text: raw, url: raw });
    from = match.index + raw.length;
  }
  if (from < text.length) found.push({ text: text.slice(from), url: null });
  return found;
}
