import type { KeyState } from "../generated/KeyState";

/** Describes where a server's key is stored. */
export const KEY_MESSAGES: Record<KeyState, string> = {
  none: "No key is set.",
  waiting: "Waiting for the keyring. It may be showing a prompt.",
  stored: "A key is in the keyring.",
  session: "A key is kept in memory until Jobwatch quits.",
  locked:
    "The key is in the keyring, which is locked or not responding. Unlock it, or enter the key for this session only.",
  missing:
    "A key was stored, but the keyring is not available. Enter the key for this session only.",
};
