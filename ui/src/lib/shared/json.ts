/** A JSON value that keeps what the text said: numbers are their digits, names their order. */
export type Json =
  | { kind: "object"; entries: [string, Json][] }
  | { kind: "array"; items: Json[] }
  | { kind: "string"; value: string }
  | { kind: "number" | "literal"; text: string };

/** Deeper than this is shown as text. */
const DEEPEST = 200;

/** Parses JSON text, or returns null where it is not JSON. `JSON.parse` would round big numbers. */
export function parseJson(text: string): Json | null {
  const parser = new Parser(text);
  try {
    return parser.whole();
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return null;
    throw thrown;
  }
}

/** What fits a line: a number, a word or a short text, as people write it. Null for anything larger. */
export function inlineValue(text: string): string | null {
  if (text.length > 200) return null;
  const value = parseJson(text);
  if (value === null || value.kind === "object" || value.kind === "array") return null;
  if (value.kind !== "string") return value.text;
  return value.value.includes("\n") ? null : value.value;
}

class Parser {
  #at = 0;
  constructor(private readonly text: string) {}

  whole(): Json {
    const value = this.#value(0);
    this.#space();
    if (this.#at < this.text.length) throw new SyntaxError("text after the value");
    return value;
  }

  #space(): void {
    while (" \t\n\r".includes(this.text[this.#at] ?? "x")) this.#at += 1;
  }

  #peek(): string {
    this.#space();
    return this.text[this.#at] ?? "";
  }

  #take(character: string): void {
    if (this.#peek() !== character) throw new SyntaxError(`expected ${character}`);
    this.#at += 1;
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0] ?? null;
    if (found !== null) this.#at += found.length;
    return found;
  }

  #value(depth: number): Json {
    if (depth > DEEPEST) throw new SyntaxError("too deep");
    const start = this.#peek();
    if (start === "{")
      return { kind: "object", entries: this.#list("{", "}", () => this.#entry(depth)) };
    if (start === "[")
      return { kind: "array", items: this.#list("[", "]", () => this.#value(depth + 1)) };
    if (start === '"') return { kind: "string", value: this.#string() };
    const number = this.#match(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
    if (number !== null) return { kind: "number", text: number };
    const literal = this.#match(/true|false|null/y);
    if (literal !== null) return { kind: "literal", text: literal };
    throw new SyntaxError("no value");
  }

  #entry(depth: number): [string, Json] {
    this.#peek();
    const name = this.#string();
    this.#take(":");
    return [name, this.#value(depth + 1)];
  }

  #string(): string {
    const raw = this.#match(/"(?:[^"\\\u0000-\u001f]|\\.)*"/y);
    if (raw === null) throw new SyntaxError("no string");
    return JSON.parse(raw) as string;
  }

  #list<T>(open: string, close: string, item: () => T): T[] {
    this.#take(open);
    const items: T[] = [];
    if (this.#peek() === close) {
      this.#at += 1;
      return items;
    }
    for (;;) {
      items.push(item());
      if (this.#peek() === close) {
        this.#at += 1;
        return items;
      }
      this.#take(",");
    }
  }
}
