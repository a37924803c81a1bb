// Starts a process with libc's posix_spawn(3): the init stub, a hook; never a copy of this runtime.

import { ptr } from "bun:ffi";
import { errnoName } from "../abi/errno.ts";
import { assert } from "../base/assert.ts";
import { raise } from "../base/fault.ts";
import { spawnLibc } from "./libc.ts";

export type SpawnRequest = {
  readonly path: string;
  readonly argv: readonly string[];
  readonly env: readonly string[];
  /** Descriptors the child gets, in order; each `from` must be out of the way of every earlier `to`. */
  readonly descriptors: readonly { readonly from: number; readonly to: number }[];
  /** For the fault: what is being started. */
  readonly doing: string;
};

const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
// Opaque in libc: glibc has 336 bytes for the attributes, 80 for the file actions, 128 for a signal set.
const attributesBytes = 512;
const fileActionsBytes = 256;
const signalSetBytes = 128;

/**
 * Starts `path` with default signal dispositions, an empty signal mask, and exactly the given argv and environment.
 * Run by the runtime, from the main thread: a parent-death signal is tied to the thread that spawned.
 *
 * Descriptors without close-on-exec are inherited besides the given ones; the caller sees to them.
 *
 * Safety: all buffers are local and referenced until posix_spawn has returned; it copies what it keeps.
 *
 * @returns the child's pid
 * @throws `syscall` fault
 */
export function spawn(request: SpawnRequest): number {
  const c = spawnLibc();
  const actions = new Uint8Array(fileActionsBytes);
  const attributes = new Uint8Array(attributesBytes);
  const defaults = new Uint8Array(signalSetBytes).fill(0xff);
  const mask = new Uint8Array(signalSetBytes);
  const pid = new Int32Array(1);
  const path = cString(request.path);
  const argv = cStrings(request.argv);
  const env = cStrings(request.env);
  c.posix_spawn_file_actions_init(ptr(actions));
  for (const { from, to } of request.descriptors) {
    c.posix_spawn_file_actions_adddup2(ptr(actions), from, to);
  }
  c.posix_spawnattr_init(ptr(attributes));
  c.posix_spawnattr_setflags(ptr(attributes), POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  c.posix_spawnattr_setsigdefault(ptr(attributes), ptr(defaults));
  c.posix_spawnattr_setsigmask(ptr(attributes), ptr(mask));
  const error = c.posix_spawn(
    ptr(pid),
    ptr(path),
    ptr(actions),
    ptr(attributes),
    ptr(argv.vector),
    ptr(env.vector),
  );
  c.posix_spawn_file_actions_destroy(ptr(actions));
  // Named behind the call, so that the strings which the vectors point to are referenced until then.
  assert(argv.strings.length + env.strings.length >= 0, "the strings have gone");
  if (error !== 0) {
    raise({
      kind: "syscall",
      doing: request.doing,
      call: "posix_spawn",
      target: JSON.stringify(request.path),
      errno: errnoName(error),
      where: "runtime",
    });
  }
  return pid[0] ?? 0;
}

function cString(value: string): Uint8Array {
  return new TextEncoder().encode(`${value}\0`);
}

/** A NULL-terminated vector of C strings, with the strings it points to so that they stay referenced. */
function cStrings(values: readonly string[]): {
  readonly vector: BigUint64Array;
  readonly strings: readonly Uint8Array[];
} {
  const strings = values.map(cString);
  const vector = new BigUint64Array(values.length + 1);
  for (const [index, string] of strings.entries()) vector[index] = BigInt(ptr(string));
  return { vector, strings };
}
