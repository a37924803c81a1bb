// seccomp(2) as values: loading a filter, and asking what the kernel can do.

import {
  classicBpfInstructionBytes,
  seccompFilterFlags,
  seccompOperations,
} from "../abi/seccomp.ts";
import { type StructLayout, sockFprog } from "../abi/struct.ts";
import { bytes, call, flags, number, type Syscall, struct } from "./value.ts";

const operation = (name: keyof typeof seccompOperations) =>
  flags({ [name]: seccompOperations[name] }, seccompOperations[name]);

/** SECCOMP_SET_MODE_FILTER; the result is a descriptor with SECCOMP_FILTER_FLAG_NEW_LISTENER, and 0 otherwise. */
export function seccompLoad(filter: Uint8Array, filterFlags: number): Syscall {
  const block: StructLayout = {
    name: "struct sock_filter[]",
    header: "linux/filter.h",
    sizeBytes: filter.byteLength,
    fields: { filter: { offset: 0, sizeBytes: filter.byteLength } },
  };
  return call(
    "seccomp",
    operation("SECCOMP_SET_MODE_FILTER"),
    flags(seccompFilterFlags, filterFlags),
    struct(sockFprog, {
      len: number(filter.byteLength / classicBpfInstructionBytes),
      filter: struct(block, { filter: bytes(filter) }),
    }),
  );
}

/** SECCOMP_SET_MODE_FILTER without a filter: EFAULT says that the kernel knows the flags, EINVAL that it does not. */
export function seccompProbe(filterFlags: number): Syscall {
  return call(
    "seccomp",
    operation("SECCOMP_SET_MODE_FILTER"),
    flags(seccompFilterFlags, filterFlags),
    number(0),
  );
}
