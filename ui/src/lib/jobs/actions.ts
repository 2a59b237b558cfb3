import type { ActionKind } from "../generated/ActionKind";
import type { AskedView } from "../generated/AskedView";
import { isTerminal } from "./states";
import type { StateKind } from "../generated/StateKind";

/** The server's own name for an action, where it differs. */
const NAMES: Record<string, Partial<Record<ActionKind, string>>> = {
  kecs: { cancel: "Stop task" },
};

export function actionName(dialect: string | undefined, action: ActionKind): string {
  return NAMES[dialect ?? ""]?.[action] ?? (action === "cancel" ? "Cancel" : "Retry");
}

/** Why a kind of server lacks an action. */
const ABSENT: Record<string, Partial<Record<ActionKind, string>>> = {
  triggerx: { retry: "TriggerX has no retry: its next trigger starts a new task." },
  "study-buddy": {
    retry: "AI Study Buddy has no retry: create the content again there.",
    cancel: "AI Study Buddy cannot cancel a job.",
  },
  analyzer: { retry: "The analyzer has no retry: submit the request again there." },
  kecs: {
    retry:
      "Amazon ECS cannot retry a task: run its task definition again, or let its service start another.",
  },
};

/** Why an action is not available for a job; null if there is nothing to explain. */
export function whyNot(
  dialect: string | undefined,
  action: ActionKind,
  state: StateKind,
): string | null {
  const ended = isTerminal(state);
  if (action === "cancel" && ended) return null;
  if (action === "retry" && !(state === "failed" || state === "cancelled")) return null;
  const absent = ABSENT[dialect ?? ""]?.[action];
  if (absent) return absent;
  return action === "retry"
    ? "The server does not allow a retry of this job right now."
    : "The server does not allow cancelling this job right now.";
}

/** Describes the state of a requested action. */
export function describeAction(
  dialect: string | undefined,
  { action, state, message }: AskedView,
): string {
  const name = actionName(dialect, action);
  switch (state) {
    case "asked":
      return `${name} requested`;
    case "accepted":
      return `${name} accepted`;
    case "refused":
      return `${name} failed${message === null ? "" : `: ${message}`}`;
  }
}
