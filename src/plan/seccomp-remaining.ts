// Whether init can go on under a filter until it executes the program: what the stub still has to call, and the first of it that
// the filter forbids; pure. Asked when a filter is compiled.

import { syscallNumber } from "../abi/syscall-numbers.ts";
import { closeAtExecve, leaveRuntime, park } from "../inside/process.ts";
import { limitsAtStart } from "../inside/rlimits.ts";
import { closeListener } from "../inside/seccomp.ts";
import { capset } from "../syscall/credentials.ts";
import { call, number, type Syscall } from "../syscall/value.ts";
import { nativeToken } from "./seccomp-request.ts";
import { filterVerdict, isMade, knownArguments } from "./seccomp-verdict.ts";

/** What init does between loading its filter and execve, whatever the container is like; which descriptors does not matter. */
const remaining: readonly Syscall[] = [
  // The stub reads and answers batches.
  call("read"),
  call("write"),
  call("munmap"),
  call("mmap", number(0), number(0), number(0x3), number(0x32), number(-1)),
  call("ppoll"),
  capset({ effective: 0n, permitted: 0n, inheritable: 0n }),
  ...[
    ...closeListener(),
    ...park({ doorbell: 3, listener: 4, exitAddress: 0, dumpable: true }),
    ...leaveRuntime(),
    ...limitsAtStart([{ type: "RLIMIT_NOFILE", soft: 256n, hard: 512n }]),
    ...closeAtExecve("", 3),
  ].map((step) => step.call),
];

/** The number of the first call that is not made under the filter; -1 when there is none. */
export function findForbidden(filter: Uint8Array): number {
  for (const { name, operands } of remaining) {
    const number = syscallNumber(name);
    const args = knownArguments({ name, operands });
    if (!isMade(filterVerdict(filter, { architecture: nativeToken, number, args }))) return number;
  }
  return -1;
}
