// restore as a caller sees it: in the foreground it stays with the restored container until that ends.

import { prctlOptions } from "../abi/process.ts";
import { openConsole } from "../container/console.ts";
import { destroyContainer } from "../container/delete.ts";
import { writePidFile } from "../container/pid-file.ts";
import { prepare } from "../container/prepare.ts";
import { restoreContainer } from "../container/restore.ts";
import type { RestoreOptions } from "../container/start-criu.ts";
import { lockAgain, unlock } from "../container/store.ts";
import { execute } from "../ffi/execute.ts";
import { prctl } from "../syscall/processes.ts";
import { type Attendant, attend } from "./attend.ts";
import { findHostTerminal, relayTerminal } from "./terminal.ts";

export type AttendedRestoreOptions = RestoreOptions & {
  readonly detach: boolean;
  readonly noSubreaper: boolean;
};

/**
 * Restores the container and, unless detached, stays until it has ended.
 *
 * @returns the exit status of the container's program, 128 and the signal when one ended it; 0 when detached
 * @throws FaultError; nothing is left then
 */
export async function restoreAttended(options: AttendedRestoreOptions): Promise<number> {
  const { detach, pidFile } = options;
  const prepared = await prepare(options, { detached: detach, fate: "started" });
  using console = openConsole(options.consoleSocket);
  const host = !detach && prepared.spec.process.terminal === true ? findHostTerminal() : undefined;
  if (!detach && !options.noSubreaper) execute(prctl(prctlOptions.PR_SET_CHILD_SUBREAPER, 1));
  const seen: { attendant?: Attendant } = {};
  const made = await restoreContainer(options, prepared, {
    console,
    // Signals are forwarded from its first moment on.
    restored: (pid) => {
      if (!detach) seen.attendant = attend(pid);
    },
  });
  try {
    if (pidFile !== undefined) writePidFile(pidFile, made.pid);
  } catch (error) {
    await made.undo();
    throw error;
  }
  using attendant = seen.attendant;
  if (attendant === undefined) return 0;
  const { terminal: master } = made;
  using relay =
    host === undefined || master === undefined
      ? undefined
      : relayTerminal(host, { master, pidfd: attendant.pidfd });
  unlock(made.directory);
  const status = await attendant.ended(relay?.turn);
  // A `delete --force` may have been faster, and another container have the name since.
  if (lockAgain(made.directory)) await destroyContainer(options, made.record);
  return status;
}
