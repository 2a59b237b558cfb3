import type { ConnectionState } from "../generated/ConnectionState";
import type { Remedy } from "../generated/Remedy";
import type { StatusView } from "../generated/StatusView";
import type { ServerField } from "../servers/fields";
import { sanitize } from "../shared/sanitize";

/** Label and tone of a connection state; its shape is in StatusDot. */
export interface ConnectionStyle {
  word: string;
  tone: "good" | "warn" | "orange" | "bad" | "faint";
}

export const CONNECTIONS: Record<ConnectionState, ConnectionStyle> = {
  live: { word: "Live", tone: "good" },
  partly: { word: "Partly connected", tone: "warn" },
  connecting: { word: "Connecting…", tone: "warn" },
  polling: { word: "API mode", tone: "orange" },
  offline: { word: "Offline", tone: "bad" },
  refused: { word: "Key not accepted", tone: "bad" },
  paused: { word: "Paused", tone: "faint" },
};

/** A remedy's button label, and the field at which it opens the server's form; null to reconnect. */
export const REMEDIES: Record<Remedy, { verb: string; field: ServerField | null }> = {
  enterKey: { verb: "Enter a key", field: "key" },
  signIn: { verb: "Sign in", field: "signIn" },
  setApiUrl: { verb: "Set API URL", field: "api" },
  setSocketUrl: { verb: "Set the URL", field: "url" },
  trustCertificate: { verb: "Trust its certificate", field: "certificate" },
  chooseKind: { verb: "Choose the kind", field: "kind" },
  reconnect: { verb: "Reconnect now", field: null },
};

/** Describes a status: its reason, and what is missing. */
export function describeStatus(status: StatusView): string {
  const reason = describeReason(status);
  return status.incomplete ? `${reason} ${finished(sanitize(status.incomplete))}` : reason;
}

function describeReason(status: StatusView): string {
  const reason = status.reason ? finished(sanitize(status.reason)) : null;
  switch (status.link) {
    case "live":
      return reason ?? "Updates arrive over the socket as they happen.";
    case "partly":
      return reason ?? "The server answers only some requests.";
    case "connecting":
      return (
        reason ??
        (status.attempt > 1 ? `Connecting, attempt ${status.attempt}.` : "Opening the connection.")
      );
    case "polling":
      return reason
        ? `Polling the API: the live connection is down (${lowered(reason).replace(/\.$/, "")}).`
        : "Polling the API: the live connection is down.";
    case "offline":
      return reason ?? "The server does not answer.";
    case "refused":
      return reason ?? "The server does not accept the key.";
    case "paused":
      return reason ?? "Not connected. Resume to connect.";
  }
}

/** Whether the connection is impaired, so that an empty list may be incomplete. */
export function troubled(status: StatusView): boolean {
  return status.link !== "live" && status.link !== "polling";
}

/** Whether data from a connection in this state is out of date. */
export function isStale(link: ConnectionState): boolean {
  return link === "offline" || link === "refused" || link === "paused";
}

function finished(text: string): string {
  const trimmed = text.trim();
  return /[.!?…]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

/** Lowers the first letter of a sentence within another, unless it is a name or an acronym. */
function lowered(text: string): string {
  return /^(The|A|An|No|Nothing|It|Its|Can't)\b/.test(text)
    ? text.charAt(0).toLowerCase() + text.slice(1)
    : text;
}
