import { screen, waitFor, within } from "@testing-library/svelte";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { describe, expect, test } from "vitest";

import type { NoticeRow } from "../generated/NoticeRow";
import type { Preferences } from "../generated/Preferences";
import type { RecordedBackend } from "../testing/backend";
import { show, stall } from "../testing/show";
import { tomorrow } from "./snooze";

const user = userEvent.setup({ delay: null });

function saved(backend: RecordedBackend): Preferences {
  return backend.calls.filter((call) => call.name === "setPreferences").at(-1)!
    .args[0] as Preferences;
}

test("tomorrow begins at eight, also over the end of a month and of summer time", () => {
  for (const [now, then] of [
    [new Date(2026, 10, 26, 23, 59), new Date(2026, 10, 27, 8)],
    [new Date(2026, 10, 30, 0, 1), new Date(2026, 11, 1, 8)],
    [new Date(2026, 9, 24, 12, 0), new Date(2026, 9, 25, 8)],
  ] as const) {
    expect(new Date(tomorrow(now.getTime()))).toEqual(then);
  }
});

describe("popups are held back", () => {
  test("for an hour, from the notices, with a way back", async () => {
    const backend = await show();
    await user.click(screen.getByRole("button", { name: /^Notices/ }));
    await user.click(await screen.findByRole("button", { name: "Snooze" }));
    await user.click(screen.getByRole("menuitem", { name: "For 1 hour" }));
    await waitFor(() =>
      expect(saved(backend).snoozedUntil! - Date.now()).toBeGreaterThan(3_500_000),
    );
    const button = await screen.findByRole("button", { name: /^Quiet until/ });
    await user.click(button);
    await user.click(screen.getByRole("menuitem", { name: "Resume popups" }));
    await waitFor(() => expect(saved(backend).snoozedUntil).toBeNull());
    await screen.findByRole("button", { name: "Snooze" });
  });

  test("in hours that are added, changed and removed in the settings", async () => {
    const backend = await show();
    await user.click(screen.getByRole("button", { name: "Settings" }));
    await user.click(await screen.findByRole("button", { name: "Add quiet hours" }));
    const hours = await screen.findByRole("group", { name: "Quiet hours 1" });
    expect(saved(backend).quietHours).toEqual([
      { days: ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], from: "22:00", to: "07:00" },
    ]);
    await user.click(within(hours).getByRole("button", { name: "Sunday" }));
    await waitFor(() =>
      expect(saved(backend).quietHours[0]!.days).toEqual([
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
      ]),
    );
    expect(within(hours).getByRole("button", { name: "Sunday" }).getAttribute("aria-pressed")).toBe(
      "false",
    );
    await user.click(screen.getByRole("checkbox", { name: "Let failures through" }));
    await waitFor(() => expect(saved(backend).quietLetsFailures).toBe(true));
    const { violations } = await axe.run(document.body, {
      rules: { "color-contrast": { enabled: false }, region: { enabled: false } },
      preload: false,
    });
    expect(violations.map(({ id }) => id)).toEqual([]);
    await user.click(screen.getByRole("button", { name: "Remove quiet hours 1" }));
    await waitFor(() => expect(saved(backend).quietHours).toEqual([]));
  });
});

test("what was muted from a popup is listed in the settings, and can be unmuted", async () => {
  const backend = await show();
  const server = backend.servers[0]!;
  const warm = { server: server.id, name: "warm", error: null, queue: null };
  const late = { server: "gone", name: null, error: "timeout after … ms", queue: null };
  backend.preferences = { ...backend.preferences, muted: [warm, late] };
  backend.touch();
  await user.click(screen.getByRole("button", { name: "Settings" }));
  const muted = await screen.findByRole("list", { name: "Muted" });
  expect(
    within(muted)
      .getAllByRole("listitem")
      .map((item) => item.textContent?.replace(/\s+/g, " ").trim()),
  ).toEqual([
    `Jobs named “warm” ${server.name}`,
    "Failures with “timeout after … ms” a removed server",
  ]);
  await user.click(within(muted).getByRole("button", { name: "Unmute warm" }));
  await waitFor(() =>
    expect(saved(backend), "nothing else is written").toEqual({ unmute: [warm] }),
  );
});

test("a server's warning has the icon of a warning, which a screen reader names", async () => {
  const backend = await show();
  const [newest, ...others] = backend.notices;
  backend.notices = [
    { ...newest!, title: "Disk almost full", tone: "warn", read: true },
    ...others,
  ];
  backend.touch();
  await user.click(screen.getByRole("button", { name: /^Notices/ }));
  const row = await screen.findByRole("row", { name: "Warning: Disk almost full" });
  expect(row.querySelector(".icon.warn svg.lucide-triangle-alert")).not.toBeNull();
});

test("notices are searched, and narrowed to failures and to what was not read", async () => {
  const backend = await show();
  const failures = backend.notices.filter((notice) => notice.tone === "bad");
  const [failure] = failures;
  backend.noticesFor = ({ search }) =>
    search === "" ? failures : search === failure!.title.toUpperCase() ? [failure!] : [];
  await user.click(screen.getByRole("button", { name: /^Notices/ }));
  const list = await screen.findByRole("grid", { name: "Notices" });
  const count = () => within(list).queryAllByRole("row").length;
  const asked = () => backend.open.findLast((spec) => spec.kind === "notices");
  await user.click(screen.getByRole("checkbox", { name: "Failures" }));
  await waitFor(() => expect(count()).toBe(failures.length));
  expect(asked()).toMatchObject({ failures: true, unread: false, search: "" });
  const field = screen.getByRole("searchbox", { name: "Search notices" });
  await user.type(field, failure!.title.toUpperCase());
  await waitFor(() => expect(count()).toBe(1));
  await user.click(screen.getByRole("checkbox", { name: "Unread" }));
  await waitFor(() => expect(asked()).toMatchObject({ failures: true, unread: true }));
  await user.type(field, "zzz");
  await screen.findByText("No notice matches");
  await user.click(screen.getByRole("button", { name: "Show all notices" }));
  await waitFor(() => expect(screen.getAllByRole("row").length).toBeGreaterThan(1));
  expect(asked()).toMatchObject({ failures: false, unread: false, search: "" });
  expect(screen.getByRole<HTMLInputElement>("checkbox", { name: "Failures" }).checked).toBe(false);
});

test("where no notice is listed, the reason is that of the question answered", async () => {
  const backend = await show();
  backend.noticesFor = ({ search }) => (search === "" ? backend.notices : []);
  await user.click(screen.getByRole("button", { name: /^Notices/ }));
  await screen.findByRole("grid", { name: "Notices" });
  await user.type(screen.getByRole("searchbox", { name: "Search notices" }), "zzz");
  await screen.findByText("No notice matches");
  const go = stall(backend);
  await user.click(screen.getByRole("button", { name: "Show all notices" }));
  expect(screen.getByText("No notice matches")).toBeTruthy();
  await screen.findByText("Loading notices…");
  go();
  await waitFor(() => expect(screen.getAllByRole("row").length).toBeGreaterThan(1));
});

describe("a group", () => {
  test("is one row that is expanded, read and dismissed as a whole", async () => {
    const backend = await show();
    const [newest, ...others] = backend.notices;
    backend.notices = [{ ...newest!, group: 7, folded: [8, 7], read: false }, ...others];
    backend.touch();
    await user.click(screen.getByRole("button", { name: /^Notices/ }));
    const more = await screen.findByRole("button", { name: "+2 similar" });
    const row = more.closest<HTMLElement>("[role=row]")!;
    await user.click(within(row).getByRole("button", { name: "Mark read" }));
    await waitFor(() =>
      expect(backend.calls.find((call) => call.name === "markRead")?.args).toEqual([
        [newest!.id, 8, 7],
        true,
      ]),
    );
    // A group opens no job.
    await user.click(within(row).getByText(newest!.title));
    expect(screen.queryByRole("region", { name: /^Job / })).toBeNull();
    await user.click(within(row).getByRole("button", { name: "Dismiss" }));
    await screen.findByText("3 notices dismissed.");
  });

  test("shows the output of its rule’s program", async () => {
    const backend = await show();
    const [newest, ...others] = backend.notices;
    backend.notices = [{ ...newest!, output: "lamp: done, after 12 ms." }, ...others];
    backend.touch();
    await user.click(screen.getByRole("button", { name: /^Notices/ }));
    await screen.findByText("lamp: done, after 12 ms.");
  });
});

describe("a notice", () => {
  const first = async (change: Partial<NoticeRow> = {}) => {
    const backend = await show();
    const notice = backend.notices.find(({ tone }) => tone === "bad")!;
    Object.assign(notice, change);
    backend.touch();
    await user.click(screen.getByRole("button", { name: /^Notices/ }));
    const title = await screen.findByText(notice.title, { selector: ".title" });
    return { backend, notice, row: title.closest<HTMLElement>("[role=row]")! };
  };

  test("offers its log, a retry where the server accepts one, and to mute what it is about", async () => {
    const { backend, notice, row } = await first({ queue: "mail" });
    const mute = { server: notice.server, name: null, error: null, queue: "mail" };
    backend.on.act = () =>
      (notice.asked = { action: "retry", state: "accepted", message: null, run: null });
    backend.on.mute = () => mute;
    await user.click(within(row).getByRole("button", { name: "Retry" }));
    await within(row).findByText("Retry accepted");
    expect(backend.calls.find(({ name }) => name === "act")?.args).toEqual([
      notice.server,
      notice.job,
      "retry",
    ]);
    await user.click(within(row).getByRole("button", { name: "Mute" }));
    const words = within(row)
      .getAllByRole("menuitem")
      .map((item) => item.textContent);
    expect(words).toEqual([
      expect.stringContaining("Mute “"),
      "Mute this error",
      "Mute the queue “mail”",
    ]);
    await user.click(within(row).getByRole("menuitem", { name: "Mute the queue “mail”" }));
    await screen.findByText("Muted the queue “mail”. Unmute in Settings.");
    await user.click(screen.getByRole("button", { name: "Undo" }));
    await waitFor(() => expect(saved(backend)).toEqual({ unmute: [mute] }));
    await user.click(within(row).getByRole("button", { name: "Open log" }));
    const detail = await screen.findByRole("region", { name: /^Job / });
    await waitFor(() =>
      expect(within(detail).getByRole("tab", { name: /^Logs/ }).getAttribute("aria-selected")).toBe(
        "true",
      ),
    );
  });

  test("offers no retry where there is none, and names its server once", async () => {
    const { notice, row } = await first({ actions: [], body: "SMTP 550" });
    expect(within(row).queryByRole("button", { name: "Retry" })).toBeNull();
    expect(row.textContent?.split(notice.serverName).length).toBe(2);
  });
});
