import ArrowDownUp from "@lucide/svelte/icons/arrow-down-up";
import KeyRound from "@lucide/svelte/icons/key-round";
import Pause from "@lucide/svelte/icons/pause";
import RefreshCw from "@lucide/svelte/icons/refresh-cw";
import Wifi from "@lucide/svelte/icons/wifi";
import WifiOff from "@lucide/svelte/icons/wifi-off";

import type { LinkView } from "../generated/LinkView";
import type { StatusView } from "../generated/StatusView";
import { visible } from "../shared/visible";

/** How a status is said and drawn: never by its colour alone. */
export interface LinkLook {
  word: string;
  tone: "good" | "warn" | "plain" | "bad" | "faint";
  icon: typeof Wifi;
}

export const LINKS: Record<LinkView, LinkLook> = {
  live: { word: "Live", tone: "good", icon: Wifi },
  connecting: { word: "Connecting…", tone: "warn", icon: RefreshCw },
  polling: { word: "API mode", tone: "plain", icon: ArrowDownUp },
  offline: { word: "Offline", tone: "bad", icon: WifiOff },
  refused: { word: "Key not accepted", tone: "bad", icon: KeyRound },
  paused: { word: "Paused", tone: "faint", icon: Pause },
};

/** The reason in a sentence. */
export function sentence(status: StatusView): string {
  const reason = status.reason ? finished(visible(status.reason)) : null;
  switch (status.link) {
    case "live":
      return reason ?? "Updates arrive over the socket as they happen.";
    case "connecting":
      return reason ?? (status.attempt > 1 ? `Connecting, attempt ${status.attempt}.` : "Opening the connection.");
    case "polling":
      return `Using polling fallback: ${lowered(reason ?? "the socket is closed.")}`;
    case "offline":
      return reason ?? "The server does not answer.";
    case "refused":
      return reason ?? "The server did not accept the key.";
    case "paused":
      return reason ?? "Not connected until you resume it.";
  }
}

/** What a connection that is not live does to the age of what it last said. */
export function isStale(link: LinkView): boolean {
  return link === "offline" || link === "refused" || link === "paused";
}

function finished(text: string): string {
  const trimmed = text.trim();
  return /[.!?…]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

/** A sentence continued after a colon: small first letter unless the word is a name or an acronym. */
function lowered(text: string): string {
  return /^(The|A|An|No|Nothing|It|Its)\b/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}
