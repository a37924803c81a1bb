// What the listings of both architectures share: the stub's stack frame, and numbers of the kernel; no instructions.

import { header } from "../layout.ts";

/** The stack frame, as offsets from the stack pointer. Its size keeps the pointer a multiple of 16, as arm64 demands. */
export const frame = {
  /** The six operands of the current record, fetched. */
  operands: 0,
  /** The header of the next batch, until it has been checked and there is an area to put it in. */
  header: 48,
  /** A `struct pollfd`. */
  pollfd: 48 + header.sizeBytes,
  pollfdEvents: 48 + header.sizeBytes + 4,
  sizeBytes: 80,
} as const;

export const operandCount = 6;
export const POLLIN = 1;
export const POLLOUT = 4;
export const PROT_READ_WRITE = 0x3;
export const MAP_PRIVATE_FIXED_ANONYMOUS = 0x32;

/** Exit status of a stub that has no runtime or was given nonsense. */
export const exitStatus = 1;
