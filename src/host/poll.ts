// Waiting for several descriptors at once.

import { executeForOutput } from "../ffi/execute.ts";
import { ppollAll } from "../syscall/sockets.ts";

export type Wanted = { readonly fd: number; readonly events: number };

/**
 * Waits until something happens to one of the descriptors, a signal comes or the time is over; a negative one is passed over.
 *
 * @returns what has happened to each; nothing when it was a signal or the time
 */
export function waitForAny(wanted: readonly Wanted[], timeoutMs: number): readonly number[] {
  const { result, output } = executeForOutput(ppollAll(wanted, Math.ceil(timeoutMs)));
  if (result <= 0) return [];
  // struct pollfd: the last two of its 8 bytes.
  return wanted.map(
    (_, index) => (output[8 * index + 6] ?? 0) | ((output[8 * index + 7] ?? 0) << 8),
  );
}
