// Memory whose address the kernel is told inside a structure, where an output operand cannot stand; not for anything else.

import { ptr } from "bun:ffi";

export type PinnedBuffer = { readonly bytes: Uint8Array; readonly address: number };

/**
 * Makes a zeroed buffer for the kernel to read or fill.
 *
 * Safety: the address holds as long as the returned object is referenced; the caller keeps it until the call is over.
 * Typed arrays of 4 KiB and more lie outside the heap that the garbage collector moves.
 */
export function pinBuffer(sizeBytes: number): PinnedBuffer {
  const bytes = new Uint8Array(Math.max(sizeBytes, 4096));
  return { bytes, address: Number(ptr(bytes)) };
}
