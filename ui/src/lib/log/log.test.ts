import { fireEvent, screen, waitFor, within } from "@testing-library/svelte";
import axe from "axe-core";
import { beforeEach, describe, expect, test, vi } from "vitest";

import type { LogRow } from "../generated/LogRow";
import type { LogSaving } from "../generated/LogSaving";
import type { LogState } from "../generated/LogState";
import { job as recordedJob, row as recordedRow } from "../testing/fixtures";
import { build, line, listed, type LogAnswer, marked, numbered, START } from "../testing/logs";
import {
  chosen,
  goTo,
  grid,
  index,
  lines,
  menu,
  open,
  openGrowing,
  press,
  scroll,
  text,
  user,
} from "../testing/logPage";
import { HEIGHT, show, stall } from "../testing/show";

const OVERSCAN = 8;
const MOST = Math.ceil(HEIGHT / 20) + 1 + 2 * OVERSCAN;
const HUGE = 10_000_000;
const BUILD = build();
const textOf = (row: LogRow) => row.spans.map((span) => span.text).join("");
beforeEach(() => vi.restoreAllMocks());

/** The log of the build, whatever is asked. */
const recorded = (state: Partial<LogState> = {}) =>
  listed(BUILD, { levels: [24, 0, 0, 26, 8, 7, 1], ...state });

describe("the viewport", () => {
  test.each([
    ["rows of one height", false],
    ["wrapped rows", true],
  ])(
    "never has more %s in the page than are visible and the overscan, in ten million",
    async (_, wrapped) => {
      const { backend } = await open(numbered(HUGE));
      if (wrapped) await user.keyboard("w");
      await waitFor(() => expect(text()).toContain("(10000000)"));
      expect(lines().length).toBeLessThanOrEqual(MOST);
      for (const top of [0, 7_000_000, 14_000_000, 40, 15_000_000 - HEIGHT]) {
        await scroll(top);
        const part = top / (15_000_000 - HEIGHT);
        await waitFor(() =>
          expect(Math.abs(index(lines()[0]) - part * 10_000_000)).toBeLessThan(60),
        );
        backend.touch();
        expect(lines().length).toBeLessThanOrEqual(MOST);
      }
      expect(backend.widest).toBeLessThanOrEqual(500);
      expect(grid().getAttribute("aria-rowcount")).toBe("10000000");
    },
  );

  test.each(["failed", "completed"] as const)(
    "of a job that %s begins at its last error where it failed, else at its end",
    async (kind) => {
      const backend = await show();
      const job = backend.jobs[0]!;
      job.row.state = { kind, name: null };
      const plain = numbered(HUGE, { levels: [0, 0, 0, HUGE - 1, 0, 1, 0] });
      const at = HUGE - 500;
      const error = line(at, "error: disk full", { level: "error" });
      const row = (asked: number) => (asked === at ? error : plain.row(asked));
      backend.logFor = () => ({ ...plain, row, seek: () => at });
      backend.touch({ kind: "job", server: job.row.server, job: job.row.id, log: true });
      await screen.findByRole("log", { name: "Log" });
      await waitFor(() => expect(lines().length).toBeGreaterThan(5));
      const sought = () => backend.calls.filter(({ name }) => name === "logSeek");
      if (kind === "completed") {
        await waitFor(() => expect(text()).toContain("(10000000)"));
        expect(chosen()).toBeNull();
        expect(sought()).toEqual([]);
        return;
      }
      await waitFor(() => expect(chosen()?.textContent).toContain("error: disk full"));
      const last = { kind: "level", from: HUGE, back: true, level: "error" };
      expect(sought().map(({ args }) => args)).toEqual([[last]]);
      // Later movements of the user are kept.
      await press("{Home}");
      await waitFor(() => expect(index(lines()[0])).toBe(1));
      backend.touch();
      await waitFor(() => expect(index(lines()[0])).toBe(1));
    },
  );

  test("keeps position and filter while another tab of the job is shown", async () => {
    const { backend } = await open(({ filter }) =>
      numbered(HUGE, { matches: filter.find === null ? 0 : 5 }),
    );
    await press("{Control>}f{/Control}");
    await user.type(await screen.findByRole("textbox", { name: "Find" }), "progress");
    await waitFor(() => expect(screen.getByRole("search").textContent).toContain("5 matches"));
    grid().focus();
    await goTo("1234567");
    await waitFor(() => expect(text()).toContain("(1234567)"));
    const before = index(lines()[0]);
    await user.click(screen.getByRole("tab", { name: "Overview" }));
    await waitFor(() => expect(screen.queryByRole("log", { name: "Log" })).toBeNull());
    const pulls = () => backend.calls.filter((call) => call.name === "viewWindow").length;
    const pulled = pulls();
    backend.touch();
    await user.click(screen.getByRole("tab", { name: /^Logs/ }));
    await waitFor(() => expect(text()).toContain("(1234567)"));
    expect(Math.abs(index(lines()[0]) - before)).toBeLessThanOrEqual(1);
    expect(screen.getByRole<HTMLInputElement>("textbox", { name: "Find" }).value).toBe("progress");
    expect(pulls() - pulled).toBeLessThan(8);
  });

  test("goes to a line, a time and a part of ten million", async () => {
    const { backend } = await open(numbered(HUGE));
    await goTo("1,234,567");
    await waitFor(() => expect(text()).toContain("(1234567)"));
    await goTo("50%");
    await waitFor(() => expect(text()).toContain("(5000001)"));
    await goTo("+65s");
    await waitFor(() => expect(text()).toContain("(651)"));
    expect(backend.calls.filter(({ name }) => name === "logSeek").map(({ args }) => args)).toEqual([
      [{ kind: "line", line: 1_234_567 }],
      [{ kind: "time", at: START + 65_000 }],
    ]);
    await press("{Home}");
    await waitFor(() => expect(index(lines()[0])).toBe(1));
    await press("{End}");
    await waitFor(() => expect(text()).toContain("(10000000)"));
  });

  test("keeps filter, place and selection when times and wrapping are toggled", async () => {
    await open(recorded());
    await scroll(400);
    await waitFor(() => expect(index(lines()[0])).toBeLessThan(30));
    await fireEvent.click(lines()[14]!);
    const words = lines()[14]!.textContent!.slice(-20);
    await user.keyboard("w");
    await user.click(screen.getByRole("button", { name: "View options" }));
    await user.selectOptions(screen.getByRole("combobox", { name: "Times" }), "None");
    await user.keyboard("{Escape}");
    await waitFor(() => expect(grid().querySelector(".at")).toBeNull());
    expect(grid().querySelector("[aria-selected=true]")!.textContent).toContain(words);
    expect(JSON.parse(localStorage.getItem("jobwatch.log")!)).toMatchObject({
      wrap: true,
      time: "none",
    });
  });
});

describe("following", () => {
  test("lets go when scrolled up, counts what comes, and goes back with one click", async () => {
    const { end, grow } = await openGrowing();
    await scroll(100);
    grow(3);
    await user.click(await screen.findByRole("button", { name: "3 new lines" }));
    await waitFor(() => expect(text()).toContain(`(${end + 3})`));
    expect(screen.getByRole("button", { name: "Following" }).getAttribute("aria-pressed")).toBe(
      "true",
    );
  });

  test("pauses with Space while lines are still stored, and counts them", async () => {
    const { end, grow } = await openGrowing();
    await user.keyboard(" ");
    grow(1200);
    await screen.findByRole("button", { name: "Paused · 1,200 new lines · Resume" });
    expect(text()).toContain(`(${end})`);
    expect(text()).not.toContain(`(${end + 1})`);
    await user.keyboard(" ");
    await waitFor(() => expect(text()).toContain(`(${end + 1200})`));
  });

  test("does not claim to follow while paused, nor after the job has ended", async () => {
    const { backend, job } = await openGrowing();
    expect(screen.getByRole("button", { name: "Following" }).getAttribute("aria-pressed")).toBe(
      "true",
    );
    await user.keyboard(" ");
    await screen.findByRole("button", { name: "Paused · Resume" });
    expect(screen.queryByRole("button", { name: "Following" })).toBeNull();
    await user.click(screen.getByRole("button", { name: "Paused · Resume" }));
    await screen.findByRole("button", { name: "Following" });
    job.row.state = { kind: "completed", name: null };
    backend.touch();
    await screen.findByRole("button", { name: "At the end" });
    expect(screen.queryByRole("button", { name: "Following" })).toBeNull();
  });

  test("clears the view without deleting, and takes it back", async () => {
    let fresh: LogRow[] = [];
    const { backend } = await open(({ filter }) =>
      filter.cleared.length > 0 ? listed(fresh, { lines: 200 }) : numbered(200),
    );
    await user.click(screen.getByRole("button", { name: "Clear the view" }));
    await screen.findByText("View cleared");
    const asked = () => backend.open.findLast((spec) => spec.kind === "log")?.filter.cleared;
    expect(asked(), "from the end on").toEqual([201]);
    fresh = [line(200, "one"), line(201, "two")];
    backend.touch();
    await waitFor(() => expect(lines()).toHaveLength(2));
    await user.click(screen.getByRole("button", { name: "Undo" }));
    await waitFor(() => expect(text()).toContain("(200)"));
    expect(asked()).toEqual([]);
  });
});

describe("finding and filtering", () => {
  test("counts matches, goes from one to the next and around, and closes with Escape", async () => {
    const { backend } = await open(({ filter }) => {
      const { find } = filter;
      if (find?.text !== "serde") return recorded();
      const rows = BUILD.map((row) => marked(row, find));
      const found = filter.onlyMatching ? rows.filter(({ matched }) => matched) : rows;
      return listed(found, { lines: BUILD.length, matches: 24 }, () => 3);
    });
    await user.keyboard("/");
    await user.type(await screen.findByRole("textbox", { name: "Find" }), "serde");
    await screen.findByText("24 matches");
    await user.keyboard("{Enter}");
    await screen.findByText("1 of 24");
    await user.keyboard("{Shift>}{Enter}{/Shift}");
    const steps = backend.calls.filter(({ name }) => name === "logSeek").map(({ args }) => args[0]);
    expect(steps).toMatchObject([
      { kind: "match", back: false },
      { kind: "match", from: 3, back: true },
    ]);
    expect(grid().querySelector("mark")!.textContent).toBe("serde");
    await user.click(screen.getByRole("checkbox", { name: "Matches only" }));
    await waitFor(() => expect(lines()).toHaveLength(24));
    await user.click(screen.getByRole("textbox", { name: "Find" }));
    await user.keyboard("{Escape}");
    await waitFor(() => expect(grid().querySelector("mark")).toBeNull());
    expect(screen.queryByRole("search")).toBeNull();
  });

  test("shows at the field why a regular expression is invalid", async () => {
    const problem = "This regular expression cannot be read: a parenthesis is not closed.";
    await open(({ filter }) => (filter.find?.regex ? listed([], { problem }) : recorded()));
    await user.keyboard("{Control>}f{/Control}");
    await user.type(await screen.findByRole("textbox", { name: "Find" }), "(serde");
    await user.click(screen.getByRole("button", { name: "Regular expression" }));
    await screen.findAllByText(problem);
    expect(screen.getByRole("textbox", { name: "Find" }).getAttribute("aria-invalid")).toBe("true");
  });

  test("combines levels and chips, describes the filter, and removes all at once", async () => {
    const bad = BUILD.filter(({ level }) => level === "warn" || level === "error");
    const unused = bad.filter((row) => textOf(row).includes("unused variable"));
    const others = bad.filter((row) => !unused.includes(row));
    const { backend } = await open(({ filter }) => {
      const { state } = recorded();
      if (filter.include.length > 0) return listed(unused, state);
      if (filter.exclude.length > 0) return listed(others, state);
      return filter.levels.length === 2 ? listed(bad, state) : recorded();
    });
    await user.click(screen.getByRole("button", { name: "Filters" }));
    await user.click(screen.getByRole("button", { name: /^Error/ }));
    await user.click(screen.getByRole("button", { name: /^Warning/ }));
    await waitFor(() => expect(lines()).toHaveLength(15));
    await user.click(screen.getByRole("button", { name: "Filter" }));
    await user.type(screen.getByRole("textbox", { name: "Text" }), "unused variable{Enter}");
    await waitFor(() => expect(lines()).toHaveLength(8));
    const asked = () => backend.open.findLast((spec) => spec.kind === "log")?.filter;
    expect(asked()).toMatchObject({ include: [{ text: "unused variable" }], exclude: [] });
    await user.click(screen.getByRole("button", { name: "with “unused variable”" }));
    await user.selectOptions(screen.getByRole("combobox", { name: "Lines" }), "Lines without");
    await user.click(screen.getByRole("button", { name: "Change" }));
    await waitFor(() => expect(lines()).toHaveLength(7));
    expect(asked()).toMatchObject({
      levels: ["warn", "error"],
      include: [],
      exclude: [{ text: "unused variable" }],
    });
    await user.click(screen.getByRole("button", { name: "Remove all filters" }));
    await waitFor(() => expect(lines().length).toBeGreaterThan(20));
  });

  test("an answer of no line is a screen with a way out", async () => {
    const { backend } = await open(({ filter }) =>
      filter.include.length > 0 ? listed([], recorded().state) : recorded(),
    );
    await user.click(screen.getByRole("button", { name: "Filters" }));
    await user.click(screen.getByRole("button", { name: "Filter" }));
    await user.type(screen.getByRole("textbox", { name: "Text" }), "nothing like this{Enter}");
    await screen.findByRole("heading", { name: "No line matches the filter" });
    // The old message stays until the next answer, and a loading message appears if that takes long.
    const go = stall(backend);
    await user.click(screen.getByRole("button", { name: /^Error/ }));
    expect(screen.getByText(/^Only lines: with “nothing like this”\. /)).toBeTruthy();
    await screen.findByText("Loading the log…");
    go();
    await screen.findByText(/^Only lines: level error, with “nothing like this”\. /);
    await user.click(screen.getAllByRole("button", { name: "Remove all filters" })[0]!);
    await waitFor(() => expect(lines().length).toBeGreaterThan(20));
  });

  test("goes to the next and the previous error", async () => {
    const errors = BUILD.flatMap(({ level }, at) => (level === "error" ? [at] : []));
    const seek: LogAnswer["seek"] = (target) => {
      if (target.kind !== "level") return null;
      const { from, back } = target;
      return (back ? errors.findLast((at) => at < from) : errors.find((at) => at > from)) ?? null;
    };
    await open({ ...recorded(), seek });
    await press("{Home}");
    await waitFor(() => expect(index(lines()[0])).toBe(1));
    const at = () => index(chosen() ?? undefined) - 1;
    await user.keyboard("e");
    await waitFor(() => expect(at()).toBe(errors[0]));
    await user.keyboard("e");
    await waitFor(() => expect(at()).toBe(errors[1]));
    await user.keyboard("E");
    await waitFor(() => expect(at()).toBe(errors[0]));
  });
});

describe("reading", () => {
  test("shows a line whole, with its tree, and opens links only on a click", async () => {
    const { backend } = await open(recorded());
    const hint = [{ text: "HINT: run the migrations first" }];
    backend.on.logText = (_, row) => ({
      text: textOf(BUILD[row]!),
      more: 0,
      lines: BUILD[row]!.below > 0 ? [BUILD[row]!.spans, hint] : [BUILD[row]!.spans],
      json: BUILD[row]!.fields.length > 0 ? '{"user":{"id":"u-104"}}' : null,
    });
    await user.click(within(grid()).getByRole("link", { name: /runbook/ }));
    const link = "https://example.com/runbook?id=oom&x=1";
    expect(backend.calls).toContainEqual({ name: "openLink", args: [link] });
    await fireEvent.click(lines().find((row) => row.textContent!.includes("request handled"))!);
    const detail = await screen.findByRole("region", { name: "Full line" });
    await within(detail).findByText("u-104");
    await user.click(within(detail).getByRole("button", { name: "Close line" }));
    await user.click(screen.getAllByRole("button", { name: "+3 lines" })[0]!);
    await screen.findByText("HINT: run the migrations first");
  });

  test("folds stack traces until they are wanted", async () => {
    const { backend } = await open(recorded());
    const trace = [{ text: "    at handle (/srv/app/src/jobs/handle.ts:88:17)" }];
    backend.on.logText = (_, row) => ({
      text: "",
      more: 0,
      lines: [BUILD[row]!.spans, trace],
      json: null,
    });
    expect(backend.open.findLast((spec) => spec.kind === "log")?.filter.fold).toBe(true);
    await user.click(screen.getAllByRole("button", { name: "+4 folded lines" })[0]!);
    const whole = await screen.findByRole("region", { name: "Full line" });
    await within(whole).findByText(/handle\.ts:88/);
    expect(text()).not.toContain("handle.ts:88");
  });

  test("leaves room for the source in every line once one of them names it", async () => {
    let origins: (string | null)[] = [null, "app", null, null];
    const { backend } = await open(() =>
      listed(origins.map((origin, at) => line(at, `line ${at}`, { origin }))),
    );
    const sources = () =>
      [...grid().querySelectorAll(".origin")].map((source) => source.textContent);
    await waitFor(() => expect(sources()).toEqual(["", "app", "", ""]));
    // It stays when the lines that name a source have scrolled away.
    origins = [null, null];
    backend.touch();
    await waitFor(() => expect(sources()).toEqual(["", ""]));
  });

  test("makes control characters visible", async () => {
    await open(recorded());
    const at = BUILD.findIndex((row) => textOf(row).startsWith("control characters"));
    await goTo(String(at + 1));
    await waitFor(() => expect(text()).toContain("⟨U+0007⟩ and ⟨U+202E⟩txt.exe"));
  });

  test("copies a range that was chosen by keyboard, with or without times, loaded or not", async () => {
    const { backend } = await open(numbered(HUGE));
    backend.on.logCopy = () => "processed a batch (2)";
    await press("{Home}");
    await waitFor(() => expect(index(lines()[0])).toBe(1));
    await press("j{Shift>}jj{/Shift}");
    await waitFor(() => expect(grid().querySelectorAll("[aria-selected=true]")).toHaveLength(3));
    await user.keyboard("{Control>}c{/Control}");
    await screen.findByText("3 lines copied.");
    expect(await navigator.clipboard.readText()).toBe("processed a batch (2)");
    await user.keyboard("{Control>}a{/Control}");
    await menu("More", /^Copy with times/);
    await screen.findByText(/^Copied the first 100,000 of 10,000,000 lines/);
    const copied = backend.calls.filter((call) => call.name === "logCopy");
    expect(copied.map((call) => call.args)).toEqual([
      [0, 3, "text"],
      [0, 100_000, "textWithTimes"],
    ]);
  });
});

describe("going to errors", () => {
  test("begins before the first line, and covers nothing of the last", async () => {
    const three = [0, 1, 2].map((at) =>
      line(at, `line ${at}`, { level: at === 0 ? "error" : "info" }),
    );
    const levels = [0, 0, 0, 2, 0, 1, 0];
    const seek: LogAnswer["seek"] = (target) =>
      target.kind === "level" && target.from < 0 ? 0 : null;
    await open(listed(three, { levels }, seek));
    await press("e");
    await waitFor(() => expect(lines()[0]!.getAttribute("aria-selected")).toBe("true"));
    expect(screen.queryByRole("alert")).toBeNull();
    expect(screen.queryByRole("button", { name: /^To the/ })).toBeNull();
  });
});

describe("what is not here", () => {
  test("asks for earlier lines when the very top is reached, and stays where it was", async () => {
    let [rows, earlier]: [LogRow[], LogState["earlier"]] = [BUILD, "maybe"];
    const seek: LogAnswer["seek"] = (target) =>
      target.kind === "time" ? rows.findIndex(({ at }) => (at ?? 0) >= target.at) : null;
    const { backend } = await open(() => listed(rows, { earlier }, seek));
    const fetches = () => backend.calls.filter((call) => call.name === "logFetch");
    backend.on.logFetch = () => (earlier = "asking");
    await press("{Home}");
    await waitFor(() => expect(fetches()).toHaveLength(1));
    await screen.findByText("Loading earlier lines…");
    const before = Array.from({ length: 200 }, (_, at) =>
      line(at - 200, `resolved package ${at}`, { id: `before ${at}` }),
    );
    [rows, earlier] = [[...before, ...BUILD], "never"];
    backend.touch();
    await screen.findByText(`${rows.length} lines`);
    await waitFor(() => expect(text()).toContain("Building"));
    expect(screen.getByRole("button", { name: "To the newest" })).toBeTruthy();
    // Lines inserted before are not new; lines appended afterwards are.
    rows = [...rows, line(BUILD.length, "fresh")];
    backend.touch();
    await screen.findByRole("button", { name: "1 new line" });
  });

  test("shows a gap with its times, and fetches it", async () => {
    let rows = BUILD;
    const at = rows.findIndex(({ gap }) => gap !== null);
    const { backend } = await open(() => listed(rows));
    const put = (row: LogRow) => (rows = rows.with(at, row));
    backend.on.logFetch = () => put({ ...rows[at]!, gap: { ...rows[at]!.gap!, fetching: true } });
    await goTo(String(at + 1));
    const times = /^No lines received from \d\d:\d\d:\d\d to \d\d:\d\d:\d\d$/;
    const row = (await screen.findByText(times)).closest<HTMLElement>("[role=row]")!;
    await user.click(within(row).getByRole("button", { name: "Fetch" }));
    await screen.findByText("Fetching…");
    put(line(at, "heard late: linking"));
    backend.touch();
    await waitFor(() => expect(text()).toContain("heard late: linking"));
    expect(backend.calls.filter(({ name }) => name === "logFetch")).toHaveLength(1);
  });

  test("shows that the beginning is missing and cannot be fetched", async () => {
    const to = START;
    const gap = { beginning: true, from: to, to, fetchable: false, fetching: false };
    await open(listed([line(0, "", { at: null, gap }), line(1, "one"), line(2, "two")]));
    const row = (
      await screen.findByText(/^The server has no lines before \d\d:\d\d:\d\d$/)
    ).closest<HTMLElement>("[role=row]")!;
    expect(within(row).queryByRole("button")).toBeNull();
  });

  test("shows how many older lines are no longer kept", async () => {
    await open(numbered(HUGE, { dropped: 120_400 }));
    await press("{Home}");
    await screen.findByText("120,400 older lines are no longer kept");
  });
});

describe("several jobs and the way out", () => {
  test("shows a parent with its children in one click, adds another and removes one", async () => {
    const { backend, job } = await open(recorded());
    const [, one, other] = backend.jobs;
    job.row = { ...job.row, name: "publish release" };
    job.children = [one!.row, other!.row];
    const colours = recordedJob(50, "completed", {
      row: recordedRow(50, "completed", { name: "build with colours" }),
    });
    backend.jobsFor = ({ search }) => (search === "build with" ? [colours] : backend.jobs);
    backend.touch();
    await user.click(await screen.findByRole("button", { name: "Log with 2 children" }));
    const jobs = await screen.findByRole("list", { name: "Jobs in this log" });
    await waitFor(() => expect(within(jobs).getAllByRole("listitem")).toHaveLength(3));
    await menu("More", /^Add a job/);
    const dialog = await screen.findByRole("dialog", { name: "Add a job to this log" });
    const field = within(dialog).getByRole("searchbox", { name: "Search jobs" });
    await user.type(field, "build with");
    await user.click(await within(dialog).findByRole("button", { name: /^build with colours/ }));
    await waitFor(() => expect(within(jobs).getAllByRole("listitem")).toHaveLength(4));
    await user.click(screen.getByRole("button", { name: `Remove ${one!.row.name} from this log` }));
    await waitFor(() =>
      expect(backend.open.findLast((spec) => spec.kind === "log")?.jobs).toHaveLength(3),
    );
  });

  test("saves with progress and shows the path, or cancels and keeps no file", async () => {
    const { backend } = await open(recorded());
    const path = "/home/ada/logs/job.log";
    const saving = { rows: 10, total: 67, path, ended: false, cancelled: false, problem: null };
    let end: (saving: LogSaving) => void = () => undefined;
    backend.on.logSave = (...[, , , onProgress]) => {
      onProgress(saving);
      return new Promise((done) => (end = done));
    };
    backend.on.logSaveCancel = () => end({ ...saving, ended: true, cancelled: true });
    await menu("More", /^Save the log/);
    const format = await screen.findByRole("combobox", { name: "Format" });
    await user.selectOptions(format, "NDJSON, one object per line");
    await user.click(screen.getByRole("button", { name: "Save…" }));
    await screen.findByRole("progressbar", { name: "Saving" });
    end({ ...saving, rows: 67, ended: true });
    await screen.findByText("67 lines saved to");
    await screen.findByText(path);
    expect(backend.calls.find((call) => call.name === "logSave")?.args).toEqual([false, "ndjson"]);
    const dialog = screen.getByRole("dialog");
    await user.click(within(dialog).getAllByRole("button", { name: "Close" }).at(-1)!);
    await menu("More", /^Save the log/);
    await user.click(await screen.findByRole("button", { name: "Save…" }));
    await user.click(await screen.findByRole("button", { name: "Stop" }));
    await screen.findByText("Cancelled. No file was saved.");
  });

  test("goes to a time in the histogram by keyboard, and marks a range", async () => {
    await open(recorded());
    const plot = screen.getByRole("slider", { name: /^Lines over time/ });
    await waitFor(() => expect(plot.getAttribute("aria-valuetext")).toMatch(/\d line/));
    plot.focus();
    await user.keyboard("{Home}{ArrowRight}{Shift>}{ArrowRight}{ArrowRight}{/Shift}{Enter}");
    await screen.findByRole("button", { name: "Select marked lines" });
    await waitFor(() => expect(grid().querySelectorAll(".marked").length).toBeGreaterThan(0));
  });
});

test("the log passes axe, with everything open", async () => {
  await open(recorded());
  await user.click(screen.getByRole("button", { name: "Filters" }));
  await user.keyboard("{Control>}f{/Control}");
  await user.click(lines().at(-1)!);
  await screen.findByRole("region", { name: "Full line" });
  const faults = async () => {
    const { violations } = await axe.run(document.body, {
      rules: { "color-contrast": { enabled: false }, region: { enabled: false } },
      resultTypes: ["violations"],
      preload: false,
    });
    return violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 200)).join(" | ")}`,
    );
  };
  expect(await faults()).toEqual([]);
  await user.click(screen.getByRole("button", { name: "More" }));
  expect(await faults()).toEqual([]);
  await user.keyboard("{Escape}");
  await user.click(screen.getByRole("button", { name: "View options" }));
  expect(await faults()).toEqual([]);
});
