import { expect, test, vi } from "vitest";

import type { Backend } from "../backend/backend";
import type { NoticeRow } from "../generated/NoticeRow";
import type { ViewSpec } from "../generated/ViewSpec";
import type { ViewWindow } from "../generated/ViewWindow";
import { LiveView, Views } from "./views.svelte";

const spec = (search = ""): ViewSpec => ({
  kind: "jobs",
  server: null,
  queue: null,
  states: [],
  search,
  sort: "activity",
});

/** A backend whose pulls the test answers itself. */
function slow() {
  const pulls: {
    view: number;
    first: number;
    count: number;
    answer: (version: number) => void;
    refuse: (code: string) => void;
  }[] = [];
  const closed: number[] = [];
  let next = 1;
  const backend = {
    openView: async () => next++,
    closeView: async (view: number) => void closed.push(view),
    viewWindow: (view: number, first: number, count: number) =>
      new Promise<ViewWindow>((resolve, reject) => {
        pulls.push({
          view,
          first,
          count,
          answer: (version) =>
            resolve({ view, version, total: 0, first, rows: { kind: "notices", rows: [] } }),
          refuse: (code) => reject({ code, message: "no" }),
        });
      }),
  } as unknown as Backend;
  return { backend, pulls, closed };
}

test("a hundred ticks during one pull cause one more pull", async () => {
  const { backend, pulls } = slow();
  const views = new Views(backend);
  const view = new LiveView(views, spec());
  await vi.waitFor(() => expect(pulls).toHaveLength(1));
  for (let tick = 0; tick < 100; tick += 1) views.tick([1]);
  pulls[0]?.answer(1);
  await vi.waitFor(() => expect(pulls).toHaveLength(2));
  pulls[1]?.answer(2);
  await vi.waitFor(() => expect(view.window?.version).toBe(2));
  expect(pulls).toHaveLength(2);
});

test("an answer to an earlier question is not shown, and its view is closed", async () => {
  const { backend, pulls, closed } = slow();
  const view = new LiveView(new Views(backend), spec());
  await vi.waitFor(() => expect(pulls).toHaveLength(1));
  view.ask(spec("other"));
  pulls[0]?.answer(1);
  await vi.waitFor(() => expect(pulls).toHaveLength(2));
  expect(view.window).toBeNull();
  expect(view.answered).toBeNull();
  expect(closed).toEqual([1]);
  pulls[1]?.answer(7);
  await vi.waitFor(() => expect(view.window?.version).toBe(7));
  expect(view.answered).toEqual(spec("other"));
  expect(view.outdated).toBe(false);
});

test("the view of the question before is closed once the next is open, and with the page", async () => {
  const { backend, pulls, closed } = slow();
  let opened: ((id: number) => void) | undefined;
  const view = new LiveView(new Views(backend), spec());
  await vi.waitFor(() => expect(pulls).toHaveLength(1));
  pulls[0]?.answer(1);
  await vi.waitFor(() => expect(view.outdated).toBe(false));
  backend.openView = () => new Promise((resolve) => (opened = resolve));
  // The previous view stays open meanwhile, so that the program keeps its job loaded.
  view.ask(spec("other"));
  await vi.waitFor(() => expect(opened).toBeDefined());
  expect(closed).toEqual([]);
  opened?.(8);
  await vi.waitFor(() => expect(closed).toEqual([1]));
  await vi.waitFor(() => expect(pulls).toHaveLength(2));
  view.ask(spec("a third"));
  view.close();
  expect(closed).toEqual([1, 8]);
});

test("a view the program has forgotten is opened again", async () => {
  const { backend, pulls } = slow();
  const view = new LiveView(new Views(backend), spec());
  await vi.waitFor(() => expect(pulls).toHaveLength(1));
  pulls[0]?.refuse("notFound");
  await vi.waitFor(() => expect(pulls).toHaveLength(2));
  expect(pulls[1]?.view).toBe(2);
  expect(view.error).toBeNull();
  view.close();
});

test("a held view keeps its rows and catches up afterwards", async () => {
  const { backend, pulls } = slow();
  const views = new Views(backend);
  const view = new LiveView(views, spec());
  await vi.waitFor(() => expect(pulls).toHaveLength(1));
  pulls[0]?.answer(1);
  await vi.waitFor(() => expect(view.window?.version).toBe(1));
  view.setPaused(true);
  views.tick([1]);
  view.setRange(50, 20);
  await new Promise((done) => setTimeout(done, 10));
  expect(pulls).toHaveLength(1);
  view.setPaused(false);
  await vi.waitFor(() => expect(pulls[1]).toMatchObject({ first: 50, count: 20 }));
});

test("never asks for more rows than one pull may carry", async () => {
  const { backend, pulls } = slow();
  const view = new LiveView(new Views(backend), spec(), 10);
  await vi.waitFor(() => expect(pulls).toHaveLength(1));
  view.setRange(0, 1_000_000);
  pulls[0]?.answer(1);
  await vi.waitFor(() => expect(pulls[1]?.count).toBe(500));
});

/** A backend that starts with so many rows and adds some per pull; past the end it returns the last rows. */
function pouring(start: number, more: number) {
  let total = start;
  const pulls: [number, number][] = [];
  const backend = {
    openView: async () => 1,
    closeView: async () => undefined,
    viewWindow: async (view: number, from: number, count: number) => {
      const first = Math.min(from, Math.max(0, total - count));
      pulls.push([first, count]);
      const rows = Array.from(
        { length: Math.max(0, Math.min(count, total - first)) },
        (_, index) => ({ id: first + index }),
      );
      const window = { view, version: pulls.length, total, first, rows: { kind: "notices", rows } };
      total += more;
      return window;
    },
  } as unknown as Backend;
  return { backend, pulls };
}

test("finds the end of a view of any length in one pull, and shows nothing else before", async () => {
  const { backend, pulls } = pouring(10_000_000, 0);
  const view = new LiveView(new Views(backend), spec(), 30);
  view.tail(30);
  await vi.waitFor(() => expect(view.tailed).toBe(true));
  expect(view.window?.first).toBe(10_000_000 - 30);
  expect(pulls.slice(0, 2).some(([first]) => first === 10_000_000 - 30)).toBe(true);
  view.close();
});

test("a flood that outruns every pull still shows a full screen of the newest rows it has", async () => {
  const { backend } = pouring(50_000, 5000);
  const view = new LiveView(new Views(backend), spec(), 30);
  view.tail(30);
  for (let seen = 0; seen < 5; seen += 1) {
    const version = view.window?.version ?? 0;
    view.refresh();
    await vi.waitFor(() => expect(view.window?.version ?? 0).toBeGreaterThan(version));
    if (view.tailed)
      expect(
        view.window?.rows.kind === "notices" && view.window.rows.rows.length,
      ).toBeGreaterThanOrEqual(30);
  }
  view.close();
});

test("a new query may choose its first row, and no other rows are shown before", async () => {
  const { backend, pulls } = pouring(1000, 0);
  const view = new LiveView(new Views(backend), spec(), 10);
  await vi.waitFor(() => expect(view.window).not.toBeNull());
  view.ask(spec("other"), async () => 700);
  await vi.waitFor(() => expect(view.window?.first).toBe(700));
  expect(pulls.at(-1)).toEqual([700, 10]);
});

test("rows that came with another answer are not pulled again", async () => {
  const { backend, pulls } = slow();
  const view = new LiveView(new Views(backend), spec());
  await vi.waitFor(() => expect(pulls).toHaveLength(1));
  pulls[0]?.answer(1);
  await vi.waitFor(() => expect(view.window?.version).toBe(1));
  const notice = {} as NoticeRow;
  view.adopt({
    view: 1,
    version: 1,
    total: 1000,
    first: 500,
    rows: { kind: "notices", rows: Array.from({ length: 60 }, () => notice) },
  });
  expect(view.window?.first).toBe(500);
  view.setRange(505, 50);
  expect(pulls).toHaveLength(1);
  view.setRange(505, 60);
  await vi.waitFor(() => expect(pulls).toHaveLength(2));
  expect(pulls[1]).toMatchObject({ first: 505, count: 60 });
});

test("rows of another view, or older than those that are here, are not taken", async () => {
  const { backend, pulls } = slow();
  const view = new LiveView(new Views(backend), spec());
  await vi.waitFor(() => expect(pulls).toHaveLength(1));
  pulls[0]?.answer(5);
  await vi.waitFor(() => expect(view.window?.version).toBe(5));
  for (const [of, version] of [
    [2, 6],
    [1, 4],
  ] as const) {
    view.adopt({ view: of, version, total: 1000, first: 500, rows: { kind: "notices", rows: [] } });
    expect(view.window?.first).toBe(0);
  }
});
