import { expect, test } from "vitest";

import { parseJson } from "./json";

test("numbers keep every digit the server sent", () => {
  const wei = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
  expect(parseJson(`{"wei":${wei},"ratio":0.10}`)).toEqual({
    kind: "object",
    entries: [
      ["wei", { kind: "number", text: wei }],
      ["ratio", { kind: "number", text: "0.10" }],
    ],
  });
});

test("names keep their order and may repeat", () => {
  const value = parseJson('{"b":1,"2":2,"1":3,"b":4}');
  expect(value?.kind === "object" && value.entries.map(([name]) => name)).toEqual([
    "b",
    "2",
    "1",
    "b",
  ]);
});

test("strings are unescaped", () => {
  expect(parseJson(' "a\\"\\u00e9\\n" ')).toEqual({ kind: "string", value: 'a"é\n' });
});

test("brackets within strings nest nothing", () => {
  const text = '\\"[{'.repeat(300);
  expect(parseJson(`["${text}"]`)).toMatchObject({ items: [{ value: '"[{'.repeat(300) }] });
});

test("what is not JSON, or too deep, is left to be shown as text", () => {
  for (const text of [
    "",
    "{",
    "[1,]",
    "01",
    "nul",
    '{"a" 1}',
    "1 2",
    "'a'",
    "[".repeat(5000) + "]".repeat(5000),
  ]) {
    expect(parseJson(text), text.slice(0, 10)).toBeNull();
  }
});
