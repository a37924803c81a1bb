// What is said, in runc's words, before a command that needs a cgroup, to a caller that may have no right to it.

import { isRootlessForCgroups } from "../host/rootless.ts";
import type { Invocation } from "./invocation.ts";

/** Warns a rootless caller; callers that parse standard error look for these words. */
export function warnOfRights(
  command: "pause" | "ps" | "resume",
  { globals, log }: Pick<Invocation, "globals" | "log">,
): void {
  if (!isRootlessForCgroups(globals.rootless)) return;
  log.warning(`runc ${command} may fail if you don't have the full access to cgroups`);
}
