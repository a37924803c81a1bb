// What the executable has noted before Bun's first instruction: the limit of open files that our caller has given us. Bun raises
// it before any code of ours runs, so the executable asks for it where it is entered; scripts/entry.ts puts the instructions there.

import { type Pointer, toArrayBuffer } from "bun:ffi";
import { type Architecture, architecture } from "../abi/architecture.ts";
import { readWideField, rlimit64 } from "../abi/struct.ts";

/** Where the `struct rlimit64` is: behind the last variable of Bun's own, in the rest of that page. The build checks it. */
export const entryRecordAddress: Readonly<Record<Architecture, number>> = {
  x86_64: 0x6a2_14e0,
  aarch64: 0x6a3_c430,
};

/** Where files of a compiled program seem to be. Bun that runs sources has noted nothing, and another Bun has no such place. */
const compiledRoot = "/$bunfs/";

/**
 * The limit of open files with which this process was executed, as a `struct rlimit64` (getrlimit(2)). Run by the runtime.
 *
 * @returns undefined where nothing was noted: in a program that scripts/entry.ts has not been at
 */
export function readEntryRecord(): Uint8Array | undefined {
  if (!Bun.main.startsWith(compiledRoot)) return undefined;
  // A Pointer is an address to Bun, and this one does not come from Bun.
  const address = entryRecordAddress[architecture] as Pointer;
  const bytes = new Uint8Array(toArrayBuffer(address, 0, rlimit64.sizeBytes));
  return readWideField(rlimit64, bytes, "rlim_max") === 0n ? undefined : bytes;
}
