import { fireEvent, screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, test, vi } from "vitest";

import { RecordedBackend } from "../testing/backend";
import { frame, job, row } from "../testing/fixtures";
import { HEIGHT, show, stall } from "../testing/show";

const OVERSCAN = 6;
const user = userEvent.setup({ delay: null });
const rows = () => within(screen.getByRole("grid", { name: "All jobs" })).getAllByRole("row");
const names = () => rows().map((row) => row.getAttribute("aria-label"));

beforeEach(() => vi.restoreAllMocks());

describe("the job list", () => {
  test("never has more rows in the page than are visible and the overscan, nor asks for more", async () => {
    const backend = await show("overfull");
    await waitFor(() => expect(rows().length).toBeGreaterThan(5));
    const most = Math.ceil(HEIGHT / 52) + 1 + 2 * OVERSCAN;
    const grid = screen.getByRole("grid", { name: "All jobs" });
    for (const top of [0, 10_400, 1_000_000, 5]) {
      grid.scrollTop = top;
      await fireEvent.scroll(grid);
      backend.touch();
      await waitFor(() =>
        expect(rows()[0]?.getAttribute("aria-rowindex")).toBe(
          String(Math.max(1, Math.floor(Math.min(top, 20_000 * 52 - HEIGHT) / 52) + 1 - OVERSCAN)),
        ),
      );
      expect(rows().length).toBeLessThanOrEqual(most);
    }
    expect(backend.widest).toBeLessThanOrEqual(500);
    expect(screen.getByRole("grid").getAttribute("aria-rowcount")).toBe(
      String(backend.jobs.length),
    );
  });

  test("filters by state, with counts, and searches", async () => {
    const backend = await show();
    const failed = backend.jobs.filter((job) => job.row.state.kind === "failed");
    backend.jobsFor = ({ states, search }) =>
      search !== "" ? [] : states.length > 0 ? failed : backend.jobs;
    await user.click(await screen.findByRole("tab", { name: `Failed, ${failed.length}` }));
    await waitFor(() => expect(rows()).toHaveLength(failed.length));
    expect(backend.open).toContainEqual(
      expect.objectContaining({ states: ["failed"], search: "" }),
    );
    await user.keyboard("/nothing like this");
    await screen.findByText("No jobs match");
    expect(backend.open).toContainEqual(
      expect.objectContaining({ states: ["failed"], search: "nothing like this" }),
    );
    await user.click(screen.getByRole("button", { name: "Clear filters" }));
    await waitFor(() => expect(rows().length).toBeGreaterThan(failed.length));
  });

  test("is never blank while another question is answered, and gives no reason that is not known yet", async () => {
    const backend = await show();
    backend.jobsFor = ({ search }) => (search === "" ? backend.jobs : []);
    await waitFor(() => rows());
    await user.keyboard("/nothing like this");
    await screen.findByText("No jobs match");
    const go = stall(backend);
    await user.click(screen.getByRole("button", { name: "Clear filters" }));
    expect(screen.getByText("No jobs match")).toBeTruthy();
    await screen.findByText("Loading jobs…");
    expect(screen.queryByText(/^No jobs/)).toBeNull();
    go();
    await waitFor(() => expect(rows().length).toBeGreaterThan(5));
  });

  test("opens a job, moves with j and k, opens it in full with Enter and comes back with Escape", async () => {
    await show();
    const [first, second] = await waitFor(() => rows());
    await fireEvent.click(first!);
    const name = first!.getAttribute("aria-label")!.split(",")[0]!;
    await screen.findByRole("region", { name: `Job ${name}` });
    await user.keyboard("j");
    await waitFor(() => expect(second!.getAttribute("aria-selected")).toBe("true"));
    await user.keyboard("k{Enter}");
    await screen.findByRole("button", { name: "Show the list" });
    await user.keyboard("{Escape}");
    await screen.findByRole("button", { name: "Expand" });
    await user.keyboard("{Escape}");
    await waitFor(() => expect(screen.queryByRole("button", { name: "Expand" })).toBeNull());
  });

  test("keeps rows in place while the pointer moves over them, with their content current", async () => {
    const backend = await show();
    await waitFor(() => rows());
    const before = names();
    const grid = screen.getByRole("grid", { name: "All jobs" });
    await fireEvent.pointerMove(grid);
    const [top] = backend.jobs;
    top!.row = { ...top!.row, progress: 77 };
    backend.jobs = [
      job(99, "running", { row: row(99, "running", { name: "brand new" }) }),
      ...backend.jobs,
    ];
    backend.touch();
    await screen.findByRole("button", { name: "1 new" });
    expect(names()).toEqual(before);
    expect(within(rows()[0]!).getByRole("progressbar").getAttribute("aria-valuenow")).toBe("77");
    await user.click(screen.getByRole("button", { name: "1 new" }));
    await waitFor(() => expect(names()[0]).toMatch(/^brand new, Running, on /));
  });

  test("greys the jobs of an unreachable server, and stops their clocks", async () => {
    const backend = await show();
    const job = backend.jobs.find((job) => job.row.state.kind === "running")!;
    const server = backend.servers.find((server) => server.id === job.row.server)!;
    server.status = { ...server.status, link: "offline" };
    job.row = {
      ...job.row,
      name: "left behind",
      startedAt: Date.now() - 3_600_000,
      heardAt: Date.now() - 3_300_000,
    };
    backend.touch();
    const row = await screen.findByRole("row", { name: /^left behind, Running, / });
    await waitFor(() => expect(row.textContent).toMatch(/5 m\s*as of 55 m ago/));
  });

  test("measures a server's times by the server's clock", async () => {
    const backend = await show();
    const job = backend.jobs.find((job) => job.row.state.kind === "running")!;
    const server = backend.servers.find((server) => server.id === job.row.server)!;
    server.clockAhead = 3_600_000;
    job.row = { ...job.row, name: "from the future", startedAt: Date.now() + 3_300_000 };
    backend.touch();
    await screen.findByRole("row", { name: /^from the future, Running, on .*, running for 5 m\b/ });
    backend.touch({ kind: "job", server: job.row.server, job: job.row.id, log: false });
    expect(
      (await screen.findByRole("region", { name: "Job from the future" })).textContent,
    ).toMatch(/Running for 5 m/);
  });

  test("gives the error the room of the bar, and omits a state that all rows share", async () => {
    const backend = await show();
    const failed = backend.jobs.filter((job) => job.row.state.kind === "failed");
    for (const job of failed) job.row = { ...job.row, text: "disk full", progress: 31 };
    backend.jobsFor = ({ states }) =>
      backend.jobs.filter((job) => states.length === 0 || job.row.state.kind === states[0]);
    backend.touch();
    await user.click(await screen.findByRole("tab", { name: /^Failed, / }));
    await waitFor(() => expect(rows()).toHaveLength(failed.length));
    const [first] = rows();
    expect(within(first!).queryByRole("progressbar")).toBeNull();
    expect(within(first!).getByText("at 31 %")).toBeTruthy();
    expect(first!.querySelector(".second")!.textContent!.trim()).toBe("disk full");
    await user.click(screen.getByRole("tab", { name: /^Completed, / }));
    await waitFor(() => expect(rows()[0]!.getAttribute("aria-label")).toMatch(/, Completed, /));
    expect(rows()[0]!.querySelector(".word")).toBeNull();
  });

  test("mutes what a row is about, by the pointer and by the keyboard", async () => {
    const backend = await show();
    const [first, second] = await waitFor(() => rows());
    const name = second!.getAttribute("aria-label")!.split(",")[0]!;
    const { server } = backend.jobs[1]!.row;
    backend.on.mute = () => ({ server, name, error: null, queue: null });
    await user.click(within(second!).getByRole("button", { name: "Mute" }));
    expect(first!.getAttribute("aria-selected"), "the row is not opened for it").toBe("false");
    await user.click(screen.getByRole("menuitem", { name: `Mute “${name}”` }));
    await screen.findByText(new RegExp(`^Muted jobs named “${name}”`));
    expect(backend.calls.find((call) => call.name === "mute")?.args).toMatchObject([
      { kind: "job" },
      "name",
    ]);
    await fireEvent.click(first!);
    await user.keyboard("m");
    await waitFor(() => expect(document.activeElement?.getAttribute("role")).toBe("menuitem"));
    await user.keyboard("{Escape}");
    await waitFor(() => expect(screen.queryByRole("menuitem")).toBeNull());
  });

  test("draws hostile names as text, with the odd characters visible", async () => {
    const backend = await show();
    const job = backend.jobs[0]!;
    job.row = { ...job.row, name: '<img src=x onerror="alert(1)">\u202egpj.exe' };
    backend.touch();
    await screen.findByText('<img src=x onerror="alert(1)">⟨U+202E⟩gpj.exe');
    expect(document.querySelector("img")).toBeNull();
  });

  test("shows why jobs cannot be loaded, and tries again on request", async () => {
    const backend = new RecordedBackend();
    backend.failing.set("openView", { code: "storage", message: "The history is locked." });
    await show(backend);
    await screen.findByText("The history is locked.");
    await user.click(screen.getByRole("button", { name: "Try again" }));
    await waitFor(() => expect(rows().length).toBeGreaterThan(0));
  });
});

describe("a job's detail", () => {
  async function open() {
    const backend = await show();
    const running = backend.jobs.find((job) => job.row.state.kind === "running")!;
    backend.touch({ kind: "job", server: running.row.server, job: running.row.id, log: false });
    const region = await screen.findByRole("region", { name: `Job ${running.row.name}` });
    await within(region).findByRole("heading", { name: running.row.name });
    return { backend, running, region };
  }

  test("is opened in full when a popup was clicked", async () => {
    const { backend, running } = await open();
    await screen.findByRole("button", { name: "Show the list" });
    expect(backend.calls.filter((call) => call.name === "lookingAt").at(-1)?.args[1]).toEqual({
      server: running.row.server,
      job: running.row.id,
    });
  });

  test("shows its log at once when a popup's button asked for that", async () => {
    const { backend, running } = await open();
    backend.touch({ kind: "job", server: running.row.server, job: running.row.id, log: true });
    await waitFor(() =>
      expect(screen.getByRole("tab", { name: /^Logs/ }).getAttribute("aria-selected")).toBe("true"),
    );
  });

  test("gives way to the notices when a popup about several jobs was clicked", async () => {
    const { backend } = await open();
    backend.touch({ kind: "notices" });
    await screen.findByRole("heading", { name: "Notices" });
  });

  test("cancels only after a confirmation that names the job", async () => {
    const { backend, running } = await open();
    backend.on.act = () => {
      running.actions = [];
      running.row = { ...running.row, state: { kind: "cancelled", name: null } };
    };
    await user.click(await screen.findByRole("button", { name: "Cancel…" }));
    const dialog = screen.getByRole("dialog", { name: "Cancel this job?" });
    expect(dialog.textContent).toContain(running.row.name);
    await user.click(within(dialog).getByRole("button", { name: "Keep it" }));
    expect(backend.calls.some((call) => call.name === "act")).toBe(false);
    await user.click(screen.getByRole("button", { name: "Cancel…" }));
    await user.click(screen.getByRole("button", { name: "Cancel the job" }));
    await waitFor(() =>
      expect(backend.calls.find((call) => call.name === "act")?.args).toEqual([
        running.row.server,
        running.row.id,
        "cancel",
      ]),
    );
    await waitFor(() => expect(screen.queryByRole("button", { name: "Cancel…" })).toBeNull());
  });

  test("watches and stops watching by name", async () => {
    const { backend, running } = await open();
    backend.on.watch = () => (running.row = { ...running.row, watched: true });
    await user.click(await screen.findByRole("button", { name: "Watch", pressed: false }));
    await screen.findByRole("button", { name: "Watched", pressed: true });
    expect(backend.calls.find((call) => call.name === "watch")?.args).toEqual([
      running.row.server,
      `job:${running.row.id}`,
    ]);
  });

  test("lists what fits a line as properties, when it was first, and gives trees a part of their own", async () => {
    const { region } = await open();
    const properties = region.querySelector("dl")!;
    const names = [...properties.querySelectorAll("dt")].map((name) => name.textContent);
    expect(names.slice(0, 2)).toEqual(["Created", "Started"]);
    expect(names).toContain("priority");
    expect(within(region).queryByRole("region", { name: "priority" })).toBeNull();
    expect(within(region).getByRole("region", { name: "Data" })).toBeTruthy();
  });

  test("shows its server's state where there is always room for it", async () => {
    const { backend, running, region } = await open();
    const server = backend.servers.find((server) => server.id === running.row.server)!;
    const before = region.querySelector("header")!.textContent!.replace(/\d+ s/g, "");
    server.status = { ...server.status, link: "offline" };
    running.row = { ...running.row, heardAt: Date.now() - 300_000 };
    backend.touch();
    await within(region).findByText("As of 5 m ago");
    expect(within(region).getByText("Offline")).toBeTruthy();
    expect(
      region.querySelector("header")!.textContent!.replace(/\d+ s/g, ""),
      "the head says no more than before",
    ).not.toMatch(/Offline|As of/);
    expect(before).not.toMatch(/Offline/);
  });

  test("keeps every digit of the numbers in its data", async () => {
    await open();
    expect(
      screen.getByText(
        "115792089237316195423570985008687907853269984665640564039457584007913129639935",
      ),
    ).toBeTruthy();
  });

  test("follows a log of two million lines with a screenful in the page", async () => {
    const { backend, running } = await open();
    running.logLines = 2_000_000;
    await user.click(screen.getByRole("tab", { name: /^Logs/ }));
    const log = await screen.findByRole("log", { name: "Log" });
    await waitFor(() => expect(log.textContent).toContain("(1999999)"));
    expect(log.querySelectorAll(".line").length).toBeLessThanOrEqual(
      Math.ceil(HEIGHT / 20) + 1 + 2 * OVERSCAN,
    );
    running.logLines += 3;
    backend.touch();
    await waitFor(() => expect(log.textContent).toContain("(2000002)"));
    await user.keyboard("f");
    running.logLines += 5;
    backend.touch();
    await user.click(await screen.findByRole("button", { name: "5 new lines" }));
    await waitFor(() => expect(log.textContent).toContain("(2000007)"));
  });

  test("stops the frames where they are while paused", async () => {
    const { backend } = await open();
    backend.frames = [frame(1, '{"n":1}')];
    await user.click(screen.getByRole("tab", { name: "Frames" }));
    const frames = await screen.findByRole("log", { name: "Frames" });
    const text = await waitFor(() => {
      expect(frames.textContent).toContain('{"n":1');
      return frames.textContent;
    });
    await user.keyboard(" ");
    backend.frames = [...backend.frames, frame(2, '{"n":2}')];
    backend.touch();
    await screen.findByRole("button", { name: "Paused" });
    expect(frames.textContent).toBe(text);
    await user.keyboard(" ");
    await waitFor(() => expect(frames.textContent).toContain('{"n":2'));
  });
});
