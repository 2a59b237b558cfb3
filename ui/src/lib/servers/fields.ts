import { createAttachmentKey } from "svelte/attachments";

/**
 * Where the form of a server can be opened, for the remedies that lead there: its URL, its kind, the
 * key, signing in, where the key is sent, the URLs of socket and API, and the certificate of an own
 * authority.
 */
export type ServerField = "url" | "kind" | "key" | "signIn" | "keyPlace" | "socket" | "api" | "certificate";

/**
 * Attributes of the control `here`: it takes the focus where the form was opened for it, also when it
 * appears after its dialog has opened.
 */
export function first(opened: ServerField | null, here: ServerField): Record<string, unknown> {
  if (opened !== here) return {};
  return { "data-first": "", [createAttachmentKey()]: (element: HTMLElement) => element.focus() };
}
