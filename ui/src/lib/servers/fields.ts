import { createAttachmentKey } from "svelte/attachments";

/**
 * Fields at which a remedy can open the server's form: URL, kind, key, sign-in, where the key is
 * sent, socket and API URLs, and the certificate of a private authority.
 */
export type ServerField =
  "url" | "kind" | "key" | "signIn" | "keyPlace" | "socket" | "api" | "certificate";

/**
 * Attributes that give the control `here` the focus if the form was opened for it, even when it
 * appears after the dialog.
 */
export function first(opened: ServerField | null, here: ServerField): Record<string, unknown> {
  if (opened !== here) return {};
  return { "data-first": "", [createAttachmentKey()]: (element: HTMLElement) => element.focus() };
}
