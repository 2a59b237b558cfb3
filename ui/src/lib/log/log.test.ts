import { fireEvent, screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, describe, expect, test, vi } from "vitest";

import { HEIGHT, show, stall } from "../shared/testing";

const OVERSCAN = 8;
const MOST = Math.ceil(HEIGHT / 20) + 1 + 2 * OVERSCAN;
const user = userEvent.setup({ delay: null });
const grid = () => screen.getByRole("grid", { name: "Lines" });
const lines = () =>
  within(grid())
    .queryAllByRole("row")
    .filter((row) => row.hasAttribute("aria-rowindex"));
const text = () => grid().textContent ?? "";
const index = (row: Element | undefined) => Number(row?.getAttribute("aria-rowindex"));

beforeEach(() => vi.restoreAllMocks());

/** Opens the log of a job: 1 has everything, 2 ten million lines, 3 is a parent of 4 and 5. */
async function open(which: number) {
  const mock = await show();
  const job = mock.world.jobs[which]!;
  mock.touch({ kind: "job", server: job.row.server, job: job.row.id, log: false });
  await user.click(await screen.findByRole("tab", { name: /^Logs/ }));
  await screen.findByRole("log", { name: "Log" });
  await waitFor(() => expect(lines().length).toBeGreaterThan(5));
  return { mock, job };
}

/** Presses keys with the focus on the list of lines. */
async function press(keys: string) {
  grid().focus();
  await user.keyboard(keys);
}

/** Drags the scroll bar. */
async function scroll(top: number) {
  await fireEvent.pointerDown(grid());
  grid().scrollTop = top;
  await fireEvent.scroll(grid());
  await fireEvent.pointerUp(grid());
}

async function menu(label: string, item: RegExp) {
  await user.click(screen.getByRole("button", { name: label }));
  await user.click(await screen.findByRole("menuitem", { name: item }));
}

describe("the viewport", () => {
  test.each([
    ["rows of one height", false],
    ["wrapped rows", true],
  ])(
    "never has more %s in the page than are visible and the overscan, in ten million",
    async (_, wrapped) => {
      const { mock } = await open(2);
      if (wrapped) await user.keyboard("w");
      await waitFor(() => expect(text()).toContain("(10000000)"));
      expect(lines().length).toBeLessThanOrEqual(MOST);
      for (const top of [0, 7_000_000, 14_000_000, 40, 15_000_000 - HEIGHT]) {
        await scroll(top);
        const part = top / (15_000_000 - HEIGHT);
        await waitFor(() =>
          expect(Math.abs(index(lines()[0]) - part * 10_000_000)).toBeLessThan(60),
        );
        mock.touch();
        expect(lines().length).toBeLessThanOrEqual(MOST);
      }
      expect(mock.widest).toBeLessThanOrEqual(500);
      expect(grid().getAttribute("aria-rowcount")).toBe("10000000");
    },
  );

  test.each(["failed", "completed"] as const)(
    "of a job that %s begins at its last error where it failed, else at its end",
    async (kind) => {
      const mock = await show();
      const job = mock.world.jobs[2]!;
      job.row.state = { kind, name: null };
      mock.touch({ kind: "job", server: job.row.server, job: job.row.id, log: true });
      await screen.findByRole("log", { name: "Log" });
      await waitFor(() => expect(lines().length).toBeGreaterThan(5));
      const chosen = () => lines().find((line) => line.getAttribute("aria-selected") === "true");
      if (kind === "completed") {
        await waitFor(() => expect(text()).toContain("(10000000)"));
        expect(chosen()).toBeUndefined();
        return;
      }
      await waitFor(() => expect(chosen()?.textContent).toMatch(/error/i));
      // Later movements of the user are kept.
      await press("{Home}");
      await waitFor(() => expect(index(lines()[0])).toBe(1));
      mock.touch();
      await waitFor(() => expect(index(lines()[0])).toBe(1));
    },
  );

  test("stands where it stood, with its filter, after another part of the job was looked at", async () => {
    const { mock } = await open(2);
    await press("{Control>}f{/Control}");
    await user.type(await screen.findByRole("textbox", { name: "Find" }), "progress");
    await waitFor(() => expect(screen.getByRole("search").textContent).toContain("matches"));
    await press("g");
    await user.type(
      await screen.findByRole("textbox", { name: "Line, time or percentage" }),
      "1234567{Enter}",
    );
    await waitFor(() => expect(text()).toContain("(1234567)"));
    const before = index(lines()[0]);
    await user.click(screen.getByRole("tab", { name: "Overview" }));
    await waitFor(() => expect(screen.queryByRole("log", { name: "Log" })).toBeNull());
    const pulls = () => mock.calls.filter((call) => call.name === "viewWindow").length;
    const pulled = pulls();
    mock.touch();
    await user.click(screen.getByRole("tab", { name: /^Logs/ }));
    await waitFor(() => expect(text()).toContain("(1234567)"));
    expect(Math.abs(index(lines()[0]) - before)).toBeLessThanOrEqual(1);
    expect(screen.getByRole<HTMLInputElement>("textbox", { name: "Find" }).value).toBe("progress");
    expect(pulls() - pulled).toBeLessThan(8);
  });

  test("goes to a line, a time and a part of ten million", async () => {
    const { mock, job } = await open(2);
    const go = async (typed: string) => {
      await user.keyboard("g");
      await user.type(
        await screen.findByRole("textbox", { name: "Line, time or percentage" }),
        `${typed}{Enter}`,
      );
      await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    };
    await go("1,234,567");
    await waitFor(() => expect(text()).toContain("(1234567)"));
    await go("50%");
    await waitFor(() => expect(text()).toContain("(5000001)"));
    await go("+65s");
    await waitFor(() => expect(text()).toContain("(501)"));
    expect(
      mock.calls.find(
        (call) => call.name === "logSeek" && (call.args[0] as { kind: string }).kind === "time",
      )?.args,
    ).toEqual([{ kind: "time", at: job.row.startedAt! + 65_000 }]);
    await press("{Home}");
    await waitFor(() => expect(index(lines()[0])).toBe(1));
    await press("{End}");
    await waitFor(() => expect(text()).toContain("(10000000)"));
  });

  test("keeps filter, place and selection when times and wrapping are toggled", async () => {
    await open(1);
    await scroll(400);
    await waitFor(() => expect(index(lines()[0])).toBeLessThan(30));
    await fireEvent.click(lines()[14]!);
    const chosen = lines()[14]!.textContent!.slice(-20);
    await user.keyboard("w");
    await user.click(screen.getByRole("button", { name: "View options" }));
    await user.selectOptions(screen.getByRole("combobox", { name: "Times" }), "None");
    await user.keyboard("{Escape}");
    await waitFor(() => expect(grid().querySelector(".at")).toBeNull());
    expect(grid().querySelector("[aria-selected=true]")!.textContent).toContain(chosen);
    expect(JSON.parse(localStorage.getItem("jobwatch.log")!)).toMatchObject({
      wrap: true,
      time: "none",
    });
  });
});

describe("following", () => {
  test("lets go when scrolled up, counts what comes, and goes back with one click", async () => {
    const { mock, job } = await open(0);
    const end = job.logLines;
    await waitFor(() => expect(text()).toContain(`(${end})`));
    await scroll(100);
    job.logLines += 3;
    mock.touch();
    await user.click(await screen.findByRole("button", { name: "3 new lines" }));
    await waitFor(() => expect(text()).toContain(`(${end + 3})`));
    expect(screen.getByRole("button", { name: "Following" }).getAttribute("aria-pressed")).toBe(
      "true",
    );
  });

  test("pauses with Space while the store goes on, and says how much came", async () => {
    const { mock, job } = await open(0);
    const end = job.logLines;
    await waitFor(() => expect(text()).toContain(`(${end})`));
    await user.keyboard(" ");
    job.logLines += 1200;
    mock.touch();
    await screen.findByRole("button", { name: "Paused · 1,200 new lines · Resume" });
    expect(text()).toContain(`(${end})`);
    expect(text()).not.toContain(`(${end + 1})`);
    await user.keyboard(" ");
    await waitFor(() => expect(text()).toContain(`(${end + 1200})`));
  });

  test("does not say that it follows while it is paused, nor of a job that has ended", async () => {
    const { mock, job } = await open(0);
    expect(screen.getByRole("button", { name: "Following" }).getAttribute("aria-pressed")).toBe(
      "true",
    );
    await user.keyboard(" ");
    await screen.findByRole("button", { name: "Paused · Resume" });
    expect(screen.queryByRole("button", { name: "Following" })).toBeNull();
    await user.click(screen.getByRole("button", { name: "Paused · Resume" }));
    await screen.findByRole("button", { name: "Following" });
    job.row.state = { kind: "completed", name: null };
    mock.touch();
    await screen.findByRole("button", { name: "At the end" });
    expect(screen.queryByRole("button", { name: "Following" })).toBeNull();
  });

  test("clears the view without deleting, and takes it back", async () => {
    const { mock, job } = await open(0);
    const end = job.logLines;
    await user.click(screen.getByRole("button", { name: "Clear the view" }));
    await screen.findByText("View cleared");
    job.logLines += 2;
    mock.touch();
    await waitFor(() => expect(lines()).toHaveLength(2));
    await user.click(screen.getByRole("button", { name: "Undo" }));
    await waitFor(() => expect(text()).toContain(`(${end})`));
  });
});

describe("finding and filtering", () => {
  test("counts matches, goes from one to the next and around, and closes with Escape", async () => {
    await open(1);
    await user.keyboard("/");
    await user.type(await screen.findByRole("textbox", { name: "Find" }), "serde");
    await screen.findByText("24 matches");
    await user.keyboard("{Enter}");
    await screen.findByText(/^\d+ of 24$/);
    await user.keyboard("{Shift>}{Enter}{/Shift}");
    await screen.findByText(/^\d+ of 24$/);
    expect(grid().querySelector("mark")!.textContent).toBe("serde");
    await user.click(screen.getByRole("checkbox", { name: "Matches only" }));
    await waitFor(() => expect(lines()).toHaveLength(24));
    await user.click(screen.getByRole("textbox", { name: "Find" }));
    await user.keyboard("{Escape}");
    await waitFor(() => expect(grid().querySelector("mark")).toBeNull());
    expect(screen.queryByRole("search")).toBeNull();
  });

  test("says at the field why a regular expression cannot be used", async () => {
    await open(1);
    await user.keyboard("{Control>}f{/Control}");
    await user.type(await screen.findByRole("textbox", { name: "Find" }), "(serde");
    await user.click(screen.getByRole("button", { name: "Regular expression" }));
    await screen.findAllByText(/a bracket or a parenthesis is not closed/);
    expect(screen.getByRole("textbox", { name: "Find" }).getAttribute("aria-invalid")).toBe("true");
  });

  test("combines levels and chips, says what is filtered, and removes all at once", async () => {
    const { mock } = await open(1);
    await user.click(screen.getByRole("button", { name: "Filters" }));
    await user.click(screen.getByRole("button", { name: /^Error/ }));
    await user.click(screen.getByRole("button", { name: /^Warning/ }));
    await waitFor(() => expect(lines()).toHaveLength(15));
    await user.click(screen.getByRole("button", { name: "Filter" }));
    await user.type(screen.getByRole("textbox", { name: "Text" }), "unused variable{Enter}");
    await waitFor(() => expect(lines()).toHaveLength(8));
    await user.click(screen.getByRole("button", { name: "with “unused variable”" }));
    await user.selectOptions(screen.getByRole("combobox", { name: "Lines" }), "Lines without");
    await user.click(screen.getByRole("button", { name: "Change" }));
    await waitFor(() => expect(lines()).toHaveLength(7));
    const spec = mock.open.findLast((spec) => spec.kind === "log");
    expect(spec?.filter).toMatchObject({
      levels: ["warn", "error"],
      include: [],
      exclude: [{ text: "unused variable" }],
    });
    await user.click(screen.getByRole("button", { name: "Remove all filters" }));
    await waitFor(() => expect(lines().length).toBeGreaterThan(20));
  });

  test("an answer of no line is a screen with a way out", async () => {
    await open(1);
    await user.click(screen.getByRole("button", { name: "Filters" }));
    await user.click(screen.getByRole("button", { name: "Filter" }));
    await user.type(screen.getByRole("textbox", { name: "Text" }), "nothing like this{Enter}");
    await screen.findByRole("heading", { name: "No line matches the filter" });
    // The old message stays until the next answer, and a loading message appears if that takes long.
    const go = stall();
    await user.click(screen.getByRole("button", { name: /^Error/ }));
    expect(screen.getByText(/^Only lines: with “nothing like this”\. /)).toBeTruthy();
    await screen.findByText("Loading the log…");
    go();
    await screen.findByText(/^Only lines: level error, with “nothing like this”\. /);
    await user.click(screen.getAllByRole("button", { name: "Remove all filters" })[0]!);
    await waitFor(() => expect(lines().length).toBeGreaterThan(20));
  });

  test("goes to the next and the previous error", async () => {
    await open(1);
    await press("{Home}");
    await waitFor(() => expect(index(lines()[0])).toBe(1));
    await user.keyboard("e");
    await waitFor(() =>
      expect(grid().querySelector("[aria-selected=true] .level")?.textContent?.trim()).toBe(
        "error",
      ),
    );
    const first = index(grid().querySelector("[aria-selected=true]")!);
    await user.keyboard("e");
    await waitFor(() =>
      expect(index(grid().querySelector("[aria-selected=true]")!)).toBeGreaterThan(first),
    );
    await user.keyboard("E");
    await waitFor(() => expect(index(grid().querySelector("[aria-selected=true]")!)).toBe(first));
  });
});

describe("reading", () => {
  test("shows a line whole, with its tree, and opens links only on a click", async () => {
    const { mock } = await open(1);
    const link = within(grid()).getByRole("link", { name: /runbook/ });
    await user.click(link);
    expect(mock.calls.at(-1)).toEqual({
      name: "openLink",
      args: ["https://example.com/runbook?id=oom&x=1"],
    });
    await fireEvent.click(lines().find((row) => row.textContent!.includes("request handled"))!);
    const detail = await screen.findByRole("region", { name: "Full line" });
    await within(detail).findByText("u-104");
    await user.click(within(detail).getByRole("button", { name: "Close line" }));
    await user.click(screen.getAllByRole("button", { name: "+3 lines" })[0]!);
    await screen.findByText("HINT: run the migrations first");
  });

  test("folds stack traces until they are wanted", async () => {
    await open(1);
    expect(text()).not.toContain("handle.ts:88");
    await user.click(screen.getAllByRole("button", { name: "+4 folded lines" })[0]!);
    const whole = await screen.findByRole("region", { name: "Full line" });
    await within(whole).findByText(/handle\.ts:88/);
    expect(text()).not.toContain("handle.ts:88");
  });

  test("leaves room for the source in every line once one of them names it", async () => {
    const { mock, job } = await open(0);
    const entries = (origins: (string | null)[]) =>
      origins.map((origin, n) => ({
        id: `o${n}`,
        line: n + 1,
        at: (job.row.startedAt ?? 0) + n,
        level: "info" as const,
        origin,
        text: `line ${n}`,
      }));
    const sources = () =>
      [...grid().querySelectorAll(".origin")].map((source) => source.textContent);
    const tell = (origins: (string | null)[]) => {
      job.log = entries(origins);
      job.logLines = origins.length;
      job.logStamp = (job.logStamp ?? 0) + 1;
      mock.touch();
    };
    tell([null, "app", null, null]);
    await waitFor(() => expect(sources()).toEqual(["", "app", "", ""]));
    // It stays when the lines that name a source have scrolled away.
    tell([null, null]);
    await waitFor(() => expect(sources()).toEqual(["", ""]));
  });

  test("makes control characters visible", async () => {
    const { job } = await open(1);
    const at = job.log!.findIndex((entry) => entry.text.startsWith("control characters"));
    await user.keyboard("g");
    await user.type(
      await screen.findByRole("textbox", { name: "Line, time or percentage" }),
      `${at + 1}{Enter}`,
    );
    await waitFor(() => expect(text()).toContain("⟨U+0007⟩ and ⟨U+202E⟩txt.exe"));
  });

  test("copies a range that was chosen by keyboard, with or without times, loaded or not", async () => {
    const { mock } = await open(2);
    await press("{Home}");
    await waitFor(() => expect(index(lines()[0])).toBe(1));
    await press("j{Shift>}jj{/Shift}");
    await waitFor(() => expect(grid().querySelectorAll("[aria-selected=true]")).toHaveLength(3));
    await user.keyboard("{Control>}c{/Control}");
    await screen.findByText("3 lines copied.");
    expect(await navigator.clipboard.readText()).toContain("(2)");
    await user.keyboard("{Control>}a{/Control}");
    await menu("More", /^Copy with times/);
    await screen.findByText(/^Copied the first 100,000 of 10,000,000 lines/);
    expect(mock.calls.filter((call) => call.name === "logCopy").map((call) => call.args)).toEqual([
      [0, 3, "text"],
      [0, 100_000, "textWithTimes"],
    ]);
  });
});

describe("going to errors", () => {
  test("begins before the first line, and covers nothing of the last", async () => {
    const { mock, job } = await open(0);
    job.log = [0, 1, 2].map((n) => ({
      id: `e${n}`,
      line: n + 1,
      at: (job.row.startedAt ?? 0) + n,
      level: n === 0 ? "error" : "info",
      origin: null,
      text: `line ${n}`,
    }));
    job.logLines = 3;
    job.logStamp = (job.logStamp ?? 0) + 1;
    mock.touch();
    await waitFor(() => expect(lines()).toHaveLength(3));
    await press("e");
    await waitFor(() => expect(lines()[0]!.getAttribute("aria-selected")).toBe("true"));
    expect(screen.queryByRole("alert")).toBeNull();
    expect(screen.queryByRole("button", { name: /^To the/ })).toBeNull();
  });
});

describe("what is not here", () => {
  test("asks for earlier lines when the very top is reached, and stays where it was", async () => {
    const { mock, job } = await open(1);
    await press("{Home}");
    await waitFor(() =>
      expect(mock.calls.filter((call) => call.name === "logFetch")).toHaveLength(1),
    );
    await screen.findByText("Loading earlier lines…");
    await screen.findByText("347 lines");
    await waitFor(() => expect(text()).toContain("Building"));
    expect(screen.getByRole("button", { name: "To the newest" })).toBeTruthy();
    // Lines inserted before are not new; lines appended afterwards are.
    const last = job.log!.at(-1)!;
    job.log = [...job.log!, { ...last, id: "fresh", line: last.line + 1 }];
    job.logLines += 1;
    job.logStamp = (job.logStamp ?? 0) + 1;
    mock.touch();
    await screen.findByRole("button", { name: "1 new line" });
  });

  test("shows a gap with its times, and fetches it", async () => {
    const { mock, job } = await open(1);
    job.earlier = "never";
    const at = job.log!.findIndex((entry) => entry.gap);
    await user.keyboard("g");
    await user.type(
      await screen.findByRole("textbox", { name: "Line, time or percentage" }),
      `${at + 1}{Enter}`,
    );
    const row = (
      await screen.findByText(/^No lines received from \d\d:\d\d:\d\d to \d\d:\d\d:\d\d$/)
    ).closest<HTMLElement>("[role=row]")!;
    await user.click(within(row).getByRole("button", { name: "Fetch" }));
    await screen.findByText("Fetching…");
    await waitFor(() => expect(text()).toContain("heard late: linking"));
    expect(mock.calls.some((call) => call.name === "logFetch")).toBe(true);
  });

  test("says that the beginning is missing, which nobody can fetch", async () => {
    const { mock, job } = await open(1);
    job.earlier = "never";
    const at = job.log!.findIndex((entry) => entry.gap);
    const gap = job.log![at]!.gap!;
    Object.assign(gap, { beginning: true, from: gap.to, fetchable: false });
    mock.touch();
    await user.keyboard("g");
    await user.type(
      await screen.findByRole("textbox", { name: "Line, time or percentage" }),
      `${at + 1}{Enter}`,
    );
    const row = (
      await screen.findByText(/^The server has no lines before \d\d:\d\d:\d\d$/)
    ).closest<HTMLElement>("[role=row]")!;
    expect(within(row).queryByRole("button")).toBeNull();
  });

  test("says how many older lines are no longer kept", async () => {
    await open(2);
    await press("{Home}");
    await screen.findByText("120,400 older lines are no longer kept");
  });
});

describe("several jobs and the way out", () => {
  test("shows a parent with its children in one click, adds another and removes one", async () => {
    const { mock } = await open(3);
    await user.click(screen.getByRole("button", { name: "Log with 2 children" }));
    const jobs = await screen.findByRole("list", { name: "Jobs in this log" });
    await waitFor(() => expect(within(jobs).getAllByRole("listitem")).toHaveLength(3));
    await menu("More", /^Add a job/);
    const dialog = await screen.findByRole("dialog", { name: "Add a job to this log" });
    await user.type(within(dialog).getByRole("searchbox", { name: "Search jobs" }), "build with");
    await user.click(await within(dialog).findByRole("button", { name: /^build with colours/ }));
    await waitFor(() => expect(within(jobs).getAllByRole("listitem")).toHaveLength(4));
    await user.click(screen.getByRole("button", { name: "Remove publish release from this log" }));
    await waitFor(() =>
      expect(mock.open.findLast((spec) => spec.kind === "log")?.jobs).toHaveLength(3),
    );
  });

  test("saves with progress and tells the path, or stops and keeps nothing", async () => {
    const { mock } = await open(1);
    await menu("More", /^Save the log/);
    await user.selectOptions(
      await screen.findByRole("combobox", { name: "Format" }),
      "NDJSON, one object per line",
    );
    await user.click(screen.getByRole("button", { name: "Save…" }));
    await screen.findByRole("progressbar", { name: "Saving" });
    await screen.findByText("/home/ada/logs/job.log");
    expect(mock.calls.find((call) => call.name === "logSave")?.args).toEqual([false, "ndjson"]);
    await user.click(
      within(screen.getByRole("dialog")).getAllByRole("button", { name: "Close" }).at(-1)!,
    );
    await menu("More", /^Save the log/);
    await user.click(await screen.findByRole("button", { name: "Save…" }));
    await user.click(await screen.findByRole("button", { name: "Stop" }));
    await screen.findByText("Cancelled. No file was saved.");
  });

  test("goes to a time in the histogram by keyboard, and marks a range", async () => {
    await open(1);
    const plot = screen.getByRole("slider", { name: /^Lines over time/ });
    await waitFor(() => expect(plot.getAttribute("aria-valuetext")).toMatch(/\d line/));
    plot.focus();
    await user.keyboard("{Home}{ArrowRight}{Shift>}{ArrowRight}{ArrowRight}{/Shift}{Enter}");
    await screen.findByRole("button", { name: "Select marked lines" });
    await waitFor(() => expect(grid().querySelectorAll(".marked").length).toBeGreaterThan(0));
  });
});

test("the log passes axe, with everything open", async () => {
  await open(1);
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
