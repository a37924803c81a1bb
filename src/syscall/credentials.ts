// System calls that set who a process is and what it may do, as values.

import { LINUX_CAPABILITY_VERSION_3 } from "../abi/capability.ts";
import { capData, capHeader } from "../abi/struct.ts";
import { bytes, call, hex, number, type Operand, type Syscall, struct } from "./value.ts";

export function setresuid(uid: number): Syscall {
  return call("setresuid", number(uid), number(uid), number(uid));
}

export function setresgid(gid: number): Syscall {
  return call("setresgid", number(gid), number(gid), number(gid));
}

export function setgroups(gids: readonly number[]): Syscall {
  const list = new Uint8Array(new Uint32Array(gids).buffer);
  return call("setgroups", number(gids.length), gids.length === 0 ? number(0) : bytes(list));
}

/** The three per-thread sets as bit masks; bit n is capability n. */
export type CapabilitySets = {
  readonly effective: bigint;
  readonly permitted: bigint;
  readonly inheritable: bigint;
};

export function capset(sets: CapabilitySets): Syscall {
  const low = (set: bigint): Operand & { kind: "number" } => hex(set & 0xffff_ffffn);
  const high = (set: bigint): Operand & { kind: "number" } => hex(set >> 32n);
  return call(
    "capset",
    struct(capHeader, { version: hex(BigInt(LINUX_CAPABILITY_VERSION_3)), pid: number(0) }),
    struct(capData, {
      effective_low: low(sets.effective),
      permitted_low: low(sets.permitted),
      inheritable_low: low(sets.inheritable),
      effective_high: high(sets.effective),
      permitted_high: high(sets.permitted),
      inheritable_high: high(sets.inheritable),
    }),
  );
}
