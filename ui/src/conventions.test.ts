import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, ".");
const files = (readdirSync(ROOT, { recursive: true }) as string[])
  .map((name) => join(ROOT, name))
  .filter((path) => /\.(ts|svelte|css)$/.test(path) && !path.includes("generated"));
const product = files.filter((path) => !/\.test\.ts$|\/testing\/|backend\/bridge/.test(path));
const holding = (pattern: RegExp, among = product) =>
  among
    .filter((path) => pattern.test(readFileSync(path, "utf8")))
    .map((path) => relative(ROOT, path));

test("only one file speaks to the program", () => {
  expect(holding(/@tauri-apps\//)).toEqual(["lib/backend/tauri.ts"]);
});

test("nothing in the page opens a connection or makes markup out of text", () => {
  expect(
    holding(/\{@html|innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function\(/),
  ).toEqual([]);
  expect(
    holding(/\bfetch\(|new WebSocket|XMLHttpRequest|EventSource|sendBeacon|window\.open\(/),
  ).toEqual([]);
});

test("components take colours from the tokens alone", () => {
  const styles = product.filter((path) => !path.endsWith("tokens.css") && !path.endsWith(".ts"));
  expect(holding(/#[0-9a-f]{3,8}\s*[;,)]|rgba?\(|hsla?\(/i, styles)).toEqual([]);
});

test("the bridge to a browser is only in pages that ask for it", () => {
  expect(holding(/backend\/bridge/)).toEqual(["main.ts"]);
  expect(readFileSync(join(ROOT, "main.ts"), "utf8")).toMatch(
    /if \(import\.meta\.env\.MODE === "bridge"\)/,
  );
});

test("nothing that ships uses what is there for tests", () => {
  expect(holding(/\/testing\//)).toEqual([]);
});
