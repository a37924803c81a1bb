// What a stub's file is once it is assembled, and how it gets its doorbell's number; light, since every create needs it.

import { assert } from "../../base/assert.ts";

/** The name under which /proc/PID/exe of a stub shows. */
export const stubExecutable = "/memfd:ts-runc-init (deleted)";

export type StubImage = {
  /** The ELF file. */
  readonly bytes: Uint8Array;
  /** Where in `bytes` the four bytes stand that hold the number of the doorbell's descriptor. */
  readonly doorbellOffset: number;
  /**
   * The address, once the stub runs, of code that ends it with status 1: a handler for signals that would
   * otherwise not touch pid 1 of a pid namespace.
   */
  readonly exitAddress: number;
};

/** The file of a stub whose doorbell is another descriptor. */
export function withDoorbell(image: StubImage, fd: number): Uint8Array {
  assert(Number.isInteger(fd) && fd >= 0 && fd <= 0x7fff_ffff, `${fd} is a descriptor number`);
  const bytes = image.bytes.slice();
  new DataView(bytes.buffer, bytes.byteOffset).setInt32(image.doorbellOffset, fd, true);
  return bytes;
}
