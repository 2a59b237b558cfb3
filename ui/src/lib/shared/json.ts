import { type Node, type ParseError, parseTree } from "jsonc-parser";

/** A JSON value as written: numbers keep their digits, and names their order and repeats. */
export type Json =
  | { kind: "object"; entries: [string, Json][] }
  | { kind: "array"; items: Json[] }
  | { kind: "string"; value: string }
  | { kind: "number" | "literal"; text: string };

/** Anything nested deeper is shown as text. */
const MAX_DEPTH = 200;

/**
 * Parses JSON text; null if it is not JSON. Reads the syntax tree, since anything that builds
 * objects rounds large numbers, or reorders and merges names.
 */
export function parseJson(text: string): Json | null {
  if (nesting(text) > MAX_DEPTH) return null;
  const errors: ParseError[] = [];
  const tree = parseTree(text, errors, { disallowComments: true });
  return tree === undefined || errors.length > 0 ? null : fromNode(tree, text);
}

/** A value that fits on a line, without quotes; null if it does not fit. */
export function inlineValue(text: string): string | null {
  if (text.length > 200) return null;
  const value = parseJson(text);
  if (value === null || value.kind === "object" || value.kind === "array") return null;
  if (value.kind !== "string") return value.text;
  return value.value.includes("\n") ? null : value.value;
}

function fromNode({ type, value, offset, length, children = [] }: Node, text: string): Json {
  switch (type) {
    case "object":
      return { kind: "object", entries: children.map((property) => entry(property, text)) };
    case "array":
      return { kind: "array", items: children.map((item) => fromNode(item, text)) };
    case "string":
      return { kind: "string", value: String(value) };
    case "number":
      return { kind: "number", text: text.slice(offset, offset + length) };
    case "boolean":
    case "null":
    case "property":
      return { kind: "literal", text: text.slice(offset, offset + length) };
  }
}

function entry({ children = [] }: Node, text: string): [string, Json] {
  const [name, value] = children as [Node, Node];
  return [String(name.value), fromNode(value, text)];
}

/** How deep brackets nest outside of strings. The parser recurses, so that it must be bounded. */
function nesting(text: string): number {
  let [depth, most] = [0, 0];
  for (const character of text.replace(/"(?:[^"\\]|\\.)*"/g, "")) {
    if (character === "[" || character === "{") most = Math.max(most, (depth += 1));
    else if (character === "]" || character === "}") depth -= 1;
  }
  return most;
}
