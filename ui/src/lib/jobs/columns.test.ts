import { readFileSync } from "node:fs";
import { join } from "node:path";

import { screen, waitFor } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { expect, test } from "vitest";

import type { JobRow } from "../generated/JobRow";
import { show } from "../testing/show";
import { COLUMNS, SORTS, spans, tracks } from "./columns";

const user = userEvent.setup({ delay: null });

test("every field that a column names is one that --json prints", () => {
  const docs = readFileSync(join(import.meta.dirname, "../../../../docs/command-line.md"), "utf8");
  const line = docs.split("\n").find((text) => text.includes('{"type":"job",')) ?? "";
  const fields = [...line.matchAll(/"(\w+)":/g)].map(([, field]) => field);
  expect(fields.length).toBeGreaterThan(10);
  expect(COLUMNS.flatMap(({ json }) => json).filter((field) => !fields.includes(field))).toEqual(
    [],
  );
});

test("every order of the list belongs to one column", () => {
  expect(SORTS.map(([sort]) => sort).toSorted()).toEqual([
    "activity",
    "created",
    "duration",
    "name",
  ]);
});

test("a column that a job leaves empty gives its room to the one before", () => {
  const job = { state: { kind: "queued" }, progress: null, stage: null } as JobRow;
  const shape = (row: JobRow) =>
    spans(COLUMNS, row).map(({ column, span }) => `${column.id} ${span}`);
  expect(shape(job)).toEqual(["state 1", "job 2", "mute 1", "time 1"]);
  expect(shape({ ...job, state: { kind: "running", name: null }, progress: 40 })).toEqual(
    COLUMNS.map(({ id }) => `${id} 1`),
  );
});

test("a narrow list has no tracks for what it leaves out", () => {
  expect(tracks(COLUMNS).split("; ").at(-1)).toBe(
    "--tracks-narrow: var(--icon-m) minmax(0, 1fr) max-content",
  );
});

test("a column that is switched off in the settings is gone from the list", async () => {
  await show();
  const cells = () => document.querySelectorAll(".cell.progress").length;
  await waitFor(() => expect(cells()).toBeGreaterThan(0));
  expect(document.querySelector(".head")?.textContent).toContain("Progress");
  await user.click(screen.getByRole("button", { name: "Settings" }));
  await user.click(await screen.findByRole("checkbox", { name: "Progress" }));
  await user.click(screen.getByRole("button", { name: /^All jobs/ }));
  await waitFor(() => expect(screen.getAllByRole("row").length).toBeGreaterThan(5));
  expect(cells()).toBe(0);
  expect(document.querySelector(".head")?.textContent).not.toContain("Progress");
});
