import { SNOOZES, snoozed } from "../notices/snooze";
import type { App } from "../app/app.svelte";
import { CONNECTIONS } from "../status/labels";
import { sanitize } from "../shared/sanitize";

/** A command of the palette. */
export interface Command {
  key: string;
  group: string;
  name: string;
  hint: string;
  run: () => void;
}

/** The commands available now, apart from opening jobs. */
export function commands(app: App): Command[] {
  const { overview } = app;
  if (overview === null) return [];
  const action = (name: string, run: () => void, hint = "Action"): Command => ({
    key: `action ${name}`,
    group: "Actions",
    name,
    hint,
    run,
  });
  const all: Command[] = [
    action("All jobs", () => app.go({ kind: "jobs", server: null, queue: null }), "Go to"),
    action("Queues", () => app.go({ kind: "queues" }), "Go to"),
    action("Notices", () => app.go({ kind: "notices" }), "Go to"),
    action("Settings", () => app.go({ kind: "settings" }), "Go to"),
  ];
  for (const server of overview.servers) {
    const { id } = server;
    const name = sanitize(server.name);
    all.push({
      key: `server ${id}`,
      group: "Servers",
      name,
      hint: `${CONNECTIONS[server.status.link].word} · server`,
      run: () => app.go({ kind: "jobs", server: id, queue: null }),
    });
    if (server.status.link === "paused")
      all.push(action(`Resume ${name}`, () => void app.run(() => app.backend.resumeServer(id))));
    else {
      all.push(action(`Reconnect ${name}`, () => app.reconnect(id)));
      all.push(action(`Pause ${name}`, () => void app.run(() => app.backend.pauseServer(id))));
    }
    if (!server.demo)
      all.push(action(`Edit ${name}`, () => (app.overlay = { kind: "server", id })));
  }
  all.push(
    action("Connect a server", () => (app.overlay = { kind: "server", id: null })),
    action("Mark all notices read", () => void app.run(() => app.backend.markAllRead())),
    action(
      overview.demo ? "Stop the demo" : "Start the demo",
      () => void app.setDemo(!overview.demo),
    ),
    action("Theme: system", () => app.setPreferences({ theme: "system" }), "Setting"),
    action("Theme: light", () => app.setPreferences({ theme: "light" }), "Setting"),
    action("Theme: dark", () => app.setPreferences({ theme: "dark" }), "Setting"),
    action("Zoom in", () => app.zoom(1), "Ctrl +"),
    action("Zoom out", () => app.zoom(-1), "Ctrl −"),
    action("Reset the zoom", () => app.zoom(0), "Ctrl 0"),
    ...SNOOZES.map(([words, to]) =>
      action(
        `Snooze popups ${words}`,
        () => app.setPreferences({ snoozedUntil: to(Date.now()) }),
        "Setting",
      ),
    ),
    ...(snoozed(overview)
      ? [action("End the snooze", () => app.setPreferences({ snoozedUntil: null }), "Setting")]
      : []),
    action(
      overview.preferences.popups ? "Turn popups off" : "Turn popups on",
      () => app.setPreferences({ popups: !overview.preferences.popups }),
      "Setting",
    ),
    action("Help: keys and columns", () => (app.overlay = { kind: "help" })),
  );
  return all;
}

/** Commands whose name contains every word typed, best first; a default list if nothing is typed. */
export function matching(all: Command[], text: string): Command[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  if (words.length === 0)
    return all.filter((command) => command.hint === "Go to" || command.group === "Servers");
  const begins = (command: Command) =>
    command.name.toLowerCase().startsWith(words[0] ?? "") ? 0 : 1;
  return all
    .filter((command) => words.every((word) => command.name.toLowerCase().includes(word)))
    .sort((a, b) => begins(a) - begins(b))
    .slice(0, 8);
}
