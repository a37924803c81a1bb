// Whether the kernel knows the flags of a profile, which are set when its filter is loaded.

import { errnos } from "../../abi/errno.ts";
import { seccompFilterFlags } from "../../abi/seccomp.ts";
import { raise } from "../../base/fault.ts";
import { execute } from "../../ffi/execute.ts";
import type { Seccomp, SeccompFlag } from "../../spec/seccomp.ts";
import { seccompProbe } from "../../syscall/seccomp.ts";

/**
 * Makes sure that the kernel knows the flags of a profile.
 *
 * @throws `host` fault that names the flag
 */
export function requireFlags({ flags = [] }: Pick<Seccomp, "flags">): void {
  for (const flag of flags) {
    // The others are older than any kernel that we run on.
    if (flag !== "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" || isKnownFlag(flag)) continue;
    const message = `linux.seccomp.flags: the kernel does not know ${flag}, which came with Linux 5.19`;
    raise({ kind: "host", message });
  }
}

/** Whether the kernel knows a flag: it looks at the flags first, and then misses the filter. */
export function isKnownFlag(flag: SeccompFlag): boolean {
  const { SECCOMP_FILTER_FLAG_NEW_LISTENER } = seccompFilterFlags;
  const needed =
    flag === "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  return execute(seccompProbe(seccompFilterFlags[flag] | needed)) === -errnos.EFAULT;
}
