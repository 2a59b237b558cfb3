import { render, screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, describe, expect, test, vi } from "vitest";

import App from "../../App.svelte";
import { RecordedBackend } from "../testing/backend";
import { job, row } from "../testing/fixtures";
import { show } from "../testing/show";

const user = userEvent.setup({ delay: null });
beforeEach(() => vi.restoreAllMocks());

/** Violations found by axe. Colours are checked by `tokens.test.ts`, as happy-dom has none. */
async function faults(part: Element = document.body): Promise<string[]> {
  const { violations } = await axe.run(part, {
    rules: { "color-contrast": { enabled: false }, region: { enabled: false } },
    resultTypes: ["violations"],
    preload: false,
  });
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
}

describe("every screen passes axe", () => {
  test("jobs with a detail, tab by tab", async () => {
    const backend = await show();
    const job = backend.jobs.find((job) => job.row.state.kind === "running")!;
    backend.touch({ kind: "job", server: job.row.server, job: job.row.id, log: false });
    await user.click(await screen.findByRole("button", { name: "Show the list" }));
    for (const tab of [/^Logs/, /^Metrics/, /^Frames/, /^Overview/]) {
      await user.click(screen.getByRole("tab", { name: tab }));
      expect(await faults(screen.getByRole("tabpanel"))).toEqual([]);
    }
    expect(await faults()).toEqual([]);
  });

  test("first start, and the dialog that connects a server", async () => {
    await show("first");
    expect(await faults()).toEqual([]);
    await user.click(screen.getByRole("button", { name: "Connect a server" }));
    await screen.findByRole("dialog");
    expect(await faults()).toEqual([]);
  });

  test("notices, queues, settings, a server, the palette, the sheet", async () => {
    await show("troubled");
    for (const name of [/^Notices/, "Queues", "Settings", /^Demo KECS/]) {
      await user.click(screen.getByRole("button", { name }));
      await waitFor(() => expect(screen.queryByText(/^Loading/)).toBeNull());
      expect(await faults(screen.getByRole("main"))).toEqual([]);
    }
    await user.keyboard("{Control>}k{/Control}");
    await screen.findByRole("combobox", { name: "Find" });
    expect(await faults(screen.getByRole("dialog"))).toEqual([]);
    await user.keyboard("{Control>}k{/Control}?");
    expect(await faults(await screen.findByRole("dialog", { name: "Help" }))).toEqual([]);
  });
});

describe("the window", () => {
  test("offers a server and the demo at the first start", async () => {
    const backend = await show("first");
    const demo = new RecordedBackend();
    backend.on.setDemo = () => Object.assign(backend, { servers: demo.servers, jobs: demo.jobs });
    await user.click(screen.getByRole("button", { name: "Try the demo" }));
    await screen.findByRole("grid", { name: "All jobs" });
    expect(backend.calls.find((call) => call.name === "setDemo")?.args).toEqual([true]);
  });

  test("shows why it cannot start and tries again", async () => {
    const backend = new RecordedBackend();
    backend.failing.set("overview", {
      code: "internal",
      message: "Jobwatch could not read its history. Free some disk space and try again.",
    });
    render(App, { props: { backend } });
    expect((await screen.findByRole("alert")).textContent).toContain("Free some disk space");
    expect(screen.getByRole("button", { name: "Try again" })).toBeTruthy();
  });

  test("shows no loading message for the first 300 ms", async () => {
    const backend = new RecordedBackend();
    backend.on.overview = () => new Promise(() => undefined);
    render(App, { props: { backend } });
    expect(screen.queryByText("Reading the history…")).toBeNull();
    await screen.findByText("Reading the history…");
  });

  test("finds jobs and actions in the palette by keyboard alone", async () => {
    const backend = await show();
    await user.keyboard("{Control>}k{/Control}");
    await user.type(await screen.findByRole("combobox", { name: "Find" }), "pause kecs");
    await screen.findByRole("option", { name: /^Pause Demo KECS/ });
    await user.keyboard("{Enter}");
    await waitFor(() =>
      expect(backend.calls).toContainEqual({ name: "pauseServer", args: ["demo-kecs"] }),
    );
    const job = backend.jobs[12]!;
    const { id, name } = job.row;
    backend.jobsFor = ({ search }) => (search === id ? [job] : backend.jobs);
    await user.keyboard("{Control>}k{/Control}");
    await user.type(await screen.findByRole("combobox", { name: "Find" }), id);
    await user.click(await screen.findByRole("option", { name: new RegExp(id) }));
    await screen.findByRole("region", { name: `Job ${name}` });
  });

  test("dismisses a notice with a way back, and opens the job of one", async () => {
    const backend = await show();
    const all = backend.notices;
    const [notice, ...others] = all;
    backend.on.dismiss = () => (backend.notices = others);
    backend.on.restore = () => (backend.notices = all);
    await user.click(screen.getByRole("button", { name: /^Notices, 4 unread/ }));
    const row = (await screen.findAllByRole("row"))[0]!;
    expect(within(row).getByText("Today")).toBeTruthy();
    await user.click(within(row).getByRole("button", { name: "Dismiss" }));
    await waitFor(() => expect(screen.getAllByRole("row")).toHaveLength(others.length));
    await user.click(screen.getByRole("button", { name: "Undo" }));
    await user.click(await screen.findByRole("row", { name: `Unread: ${notice!.title}` }));
    expect(backend.calls.filter(({ name }) => /dismiss|restore/.test(name))).toEqual([
      { name: "dismiss", args: [[notice!.id]] },
      { name: "restore", args: [[notice!.id]] },
    ]);
    await screen.findByRole("button", { name: "Show the list" });
    expect(backend.calls.find((call) => call.name === "markRead")?.args).toEqual([
      [notice!.id],
      true,
    ]);
  });

  test("marks all notices read", async () => {
    const backend = await show();
    backend.on.markAllRead = () =>
      (backend.notices = backend.notices.map((notice) => ({ ...notice, read: true })));
    await user.click(screen.getByRole("button", { name: /^Notices, 4 unread/ }));
    await user.click(screen.getByRole("button", { name: "Mark all read" }));
    await screen.findByRole("button", { name: /^Notices, 0 unread/ });
  });

  test("marks the numbers of an unreachable server's queues as last known", async () => {
    const backend = await show();
    await user.click(screen.getByRole("button", { name: "Queues" }));
    const [queue] = await screen.findAllByRole("button", { name: /waiting, / });
    const name = queue!.getAttribute("aria-label")!;
    const server = backend.servers.find((server) => name.includes(` on ${server.name}: `))!;
    server.status = { ...server.status, link: "offline" };
    backend.touch();
    await waitFor(() =>
      expect(queue!.getAttribute("aria-label")).toBe(`${name}, as last known: Offline`),
    );
    expect(queue!.textContent).toContain(`${server.name}, Offline`);
  });

  test("opens the jobs of a queue", async () => {
    await show();
    await user.click(screen.getByRole("button", { name: "Queues" }));
    const [queue] = await screen.findAllByRole("button", { name: /waiting, / });
    await user.click(queue!);
    await screen.findByRole("button", { name: "Back to the queues" });
  });

  test("takes the theme the user chose at once", async () => {
    await show();
    await user.click(screen.getByRole("button", { name: "Settings" }));
    await user.click(await screen.findByRole("radio", { name: "Dark" }));
    expect(document.documentElement.dataset.theme).toBe("dark");
    await user.click(screen.getByRole("radio", { name: "System" }));
    expect(document.documentElement.dataset.theme).toBeUndefined();
  });

  test("shows system problems in banners that can be dismissed", async () => {
    await show("troubled");
    const text = "No notification service answers on this desktop. Everything else works.";
    await screen.findByText(text);
    for (const close of screen.getAllByRole("button", { name: "Dismiss this message" }))
      await user.click(close);
    expect(screen.queryByText(text)).toBeNull();
  });

  test("shows why a command failed", async () => {
    const backend = await show();
    backend.failing.set("reconnect", { code: "server", message: "The server is being removed." });
    await user.click(screen.getByRole("button", { name: /^Demo TriggerX/ }));
    await user.keyboard("r");
    expect((await screen.findByRole("alert")).textContent).toContain(
      "The server is being removed.",
    );
  });

  test("subscribes again when the channel has stalled", async () => {
    const backend = await show();
    backend.deafen();
    backend.notices = [];
    backend.touch();
    await screen.findByRole("button", { name: /^Notices, 0 unread/ }, { timeout: 15_000 });
    backend.jobs = [job(99, "queued", { row: row(99, "queued", { name: "told later" }) })];
    backend.touch();
    await screen.findByRole("row", { name: /^told later, Queued, / });
  });

  test("opens links from servers only on a click, through the program", async () => {
    const backend = await show();
    const job = backend.jobs[0]!;
    job.error = "See https://example.com/why";
    backend.touch({ kind: "job", server: job.row.server, job: job.row.id, log: false });
    await user.click(await screen.findByRole("link", { name: "https://example.com/why" }));
    expect(backend.calls).toContainEqual({ name: "openLink", args: ["https://example.com/why"] });
  });
});
