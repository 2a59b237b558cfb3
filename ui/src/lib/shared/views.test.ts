import { expect, test, vi } from "vitest";

import type { Backend } from "../backend/backend";
import type { ViewSpec } from "../generated/ViewSpec";
import type { ViewWindow } from "../generated/ViewWindow";
import { LiveView, Views } from "./views.svelte";

const spec = (search = ""): ViewSpec => ({ kind: "jobs", server: null, queue: null, states: [], search, sort: "activity" });

/** A backend whose pulls are answered by hand. */
function slow() {
  const pulls: { view: number; first: number; count: number; answer: (version: number) => void; refuse: (code: string) => void }[] = [];
  const closed: number[] = [];
  let next = 1;
  const backend = {
    openView: async () => next++,
    closeView: async (view: number) => void closed.push(view),
    viewWindow: (view: number, first: number, count: number) =>
      new Promise<ViewWindow>((resolve, reject) => {
        pulls.push({
          view, first, count,
          answer: (version) => resolve({ view, version, total: 0, first, rows: { kind: "notices", rows: [] } }),
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
  expect(closed).toEqual([1]);
  pulls[1]?.answer(7);
  await vi.waitFor(() => expect(view.window?.version).toBe(7));
  expect(view.behind).toBe(false);
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
  view.hold(true);
  views.tick([1]);
  view.look(50, 20);
  await new Promise((done) => setTimeout(done, 10));
  expect(pulls).toHaveLength(1);
  view.hold(false);
  await vi.waitFor(() => expect(pulls[1]).toMatchObject({ first: 50, count: 20 }));
});

test("never asks for more rows than one pull may carry", async () => {
  const { backend, pulls } = slow();
  const view = new LiveView(new Views(backend), spec(), 10);
  await vi.waitFor(() => expect(pulls).toHaveLength(1));
  view.look(0, 1_000_000);
  pulls[0]?.answer(1);
  await vi.waitFor(() => expect(pulls[1]?.count).toBe(500));
});
