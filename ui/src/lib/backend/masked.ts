/** A secret split in two for sending: neither half reveals anything without the other. */
export interface Masked {
  masked: number[];
  pad: number[];
}

/**
 * Masks a secret with a random pad of its length. A message to the program is text in buffers that
 * nobody wipes, in this process and in the program's: the secret itself must not be in it.
 */
export function mask(secret: string): Masked {
  const bytes = new TextEncoder().encode(secret);
  const pad = new Uint8Array(bytes.length);
  // The limit of one `getRandomValues` call.
  for (let at = 0; at < pad.length; at += 65_536)
    crypto.getRandomValues(pad.subarray(at, at + 65_536));
  const sent = { masked: Array.from(bytes, (byte, at) => byte ^ pad[at]!), pad: Array.from(pad) };
  bytes.fill(0);
  return sent;
}
