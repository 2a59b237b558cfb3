import { mockIPC, clearMocks } from "@tauri-apps/api/mocks";
import { afterEach, expect, test } from "vitest";

import type { ServerDraft } from "../generated/ServerDraft";
import { mask, type Masked } from "./masked";
import { tauri } from "./tauri";

afterEach(() => clearMocks());

function unmask({ masked, pad }: Masked): string {
  return new TextDecoder().decode(Uint8Array.from(masked, (byte, at) => byte ^ pad[at]!));
}

test("what is masked is found again with the pad, and is different each time", () => {
  for (const secret of ["sk-1234", "schlüssel 🗝", ""]) {
    const [one, other] = [mask(secret), mask(secret)];
    expect(unmask(one)).toBe(secret);
    expect(unmask(other)).toBe(secret);
    if (secret !== "") expect(one.pad).not.toEqual(other.pad);
  }
});

test("no key, header, e-mail or password is in a message to the program", async () => {
  const sent: [string, Record<string, unknown>][] = [];
  mockIPC((command, args) => {
    sent.push([command, args as Record<string, unknown>]);
    return null;
  });
  const draft = { name: "x" } as ServerDraft;
  await tauri.saveServer(draft, "store", "sk-7f3a91c2", "X-Token: t-55d1");
  await tauri.saveServer(draft, "keep", null, null);
  await tauri.testServer(draft, "session", "sk-7f3a91c2", "X-Token: t-55d1", () => {});
  await tauri.signIn(draft, "ada@example.org", "correct horse", "X-Token: t-55d1", true);
  expect(sent.map(([command]) => command)).toEqual([
    "save_server",
    "save_server",
    "test_server",
    "sign_in",
  ]);
  const text = JSON.stringify(sent);
  for (const secret of ["sk-7f3a91c2", "ada@example.org", "correct horse", "t-55d1"])
    expect(text).not.toContain(secret);
  expect(unmask(sent[0]![1].key as Masked)).toBe("sk-7f3a91c2");
  expect(unmask(sent[0]![1].headers as Masked)).toBe("X-Token: t-55d1");
  expect(sent[1]![1]).toMatchObject({ key: null, headers: null });
  expect(unmask(sent[2]![1].key as Masked)).toBe("sk-7f3a91c2");
  expect(unmask(sent[3]![1].email as Masked)).toBe("ada@example.org");
  expect(unmask(sent[3]![1].password as Masked)).toBe("correct horse");
});
