import { Channel, invoke } from "@tauri-apps/api/core";

import { commands } from "./commands";

/** Talks to the program over Tauri's IPC. */
export const tauri = commands(invoke, (onMessage) => new Channel(onMessage));
