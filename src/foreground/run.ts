// run: create and start in one; in the foreground it stays with the container until that ends.

import { prctlOptions } from "../abi/process.ts";
import { during, FaultError } from "../base/fault.ts";
import { openConsole, sendTerminal } from "../container/console.ts";
import { destroyContainer } from "../container/delete.ts";
import { type MadeContainer, makeContainer } from "../container/make.ts";
import { writePidFile } from "../container/pid-file.ts";
import { openPidfdSocket, sendPidfd } from "../container/pidfd-socket.ts";
import { type CreateOptions, type Prepared, prepare } from "../container/prepare.ts";
import { startInit } from "../container/start-init.ts";
import { lockAgain, unlock } from "../container/store.ts";
import { execute, must } from "../ffi/execute.ts";
import { type OwnedFd, own } from "../host/files.ts";
import { pidfdReceiverOf } from "../spec/annotations.ts";
import { getpid, pidfdOpen, prctl } from "../syscall/processes.ts";
import { attend } from "./attend.ts";
import { findHostTerminal, relayTerminal } from "./terminal.ts";

export type RunOptions = CreateOptions & {
  readonly detach: boolean;
  /** Leave the container's directory and cgroup when it has ended. */
  readonly keep: boolean;
  readonly noSubreaper: boolean;
};

/**
 * Runs the container.
 *
 * @returns the exit status of the container's program, 128 and the signal when one ended it; 0 when detached
 * @throws FaultError; nothing is left then
 */
export async function runContainer(options: RunOptions): Promise<number> {
  const { detach, keep } = options;
  const prepared = await prepare(options, { detached: detach, fate: "started" });
  using console = openConsole(options.consoleSocket);
  using pidfdReceiver = openPidfdSocket(options.pidfdSocket ?? pidfdReceiverOf(prepared.spec));
  const host = !detach && prepared.spec.process.terminal === true ? findHostTerminal() : undefined;
  if (!detach && !options.noSubreaper) {
    // What the container's processes leave behind comes to us and is reaped here.
    execute(prctl(prctlOptions.PR_SET_CHILD_SUBREAPER, 1));
  }
  const notifying = prepared.facts.notifies ? await import("./notify.ts") : undefined;
  const made = await makeContainer(options, prepared, "started");
  const start = (): Promise<void> =>
    startContainer(options, { prepared, made, console, pidfdReceiver });
  const openNotifier = (mainPid: number) =>
    notifying?.openNotifier(made.directory, { mainPid, warn: options.warn });
  if (detach) {
    using notifier = await orUndo(made, () => openNotifier(made.init.pid));
    using pidfd = notifier && own(must(pidfdOpen(made.init.pid), "watching the container"));
    await orUndo(made, start);
    await runPoststartHooks(prepared, made);
    if (notifier === undefined || pidfd === undefined) return 0;
    unlock(made.directory);
    notifying?.awaitReady(notifier, pidfd);
    return 0;
  }
  using attendant = attend(made.init.pid);
  using notifier = await orUndo(made, () => openNotifier(execute(getpid())));
  const { terminal } = made;
  const { pidfd } = attendant;
  using relay =
    host === undefined || terminal === undefined
      ? undefined
      : relayTerminal(host, { master: terminal, pidfd, notifier });
  await orUndo(made, start);
  await runPoststartHooks(prepared, made);
  // While it runs it is everybody's: update, start and delete must not wait for its end.
  unlock(made.directory);
  const status = await attendant.ended(
    relay?.turn ?? (notifier && notifying?.notifierTurn(notifier, pidfd)),
  );
  // A `delete --force` may have been faster, and another container have the name since.
  if (!keep && lockAgain(made.directory)) {
    await destroyContainer(options, made.record);
  }
  return status;
}

/** Does what has to succeed, or the container is taken back. */
async function orUndo<T>(made: MadeContainer, action: () => T | Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    await made.undo();
    throw error;
  }
}

/** Runs the poststart hooks, or the container is taken back. Without any, nothing is done. */
async function runPoststartHooks({ spec, hooks }: Prepared, made: MadeContainer): Promise<void> {
  const { poststart = [] } = spec.hooks ?? {};
  if (hooks === undefined || poststart.length === 0) return;
  unlock(made.directory);
  try {
    during(starting, () => hooks.runPoststartHooks(made.record, spec));
  } catch (error) {
    // One of them may have had it deleted, and another container have the name since.
    if (lockAgain(made.directory)) await made.undo();
    throw error;
  }
}

/** runc's words in front of what goes wrong then. */
const starting = "unable to start container process";

async function startContainer(
  options: RunOptions,
  container: {
    readonly prepared: Prepared;
    readonly made: MadeContainer;
    readonly console: OwnedFd | undefined;
    readonly pidfdReceiver: OwnedFd | undefined;
  },
): Promise<void> {
  const { prepared, made, console, pidfdReceiver } = container;
  sendTerminal(console, made.terminal);
  sendPidfd(pidfdReceiver, { pid: made.init.pid, origin: "standard" });
  if (options.pidFile !== undefined) writePidFile(options.pidFile, made.init.pid);
  const init = { doorbell: made.init.doorbell, record: made.record };
  const filterSteps = prepared.facts.filter?.atStart ?? [];
  try {
    await startInit(options, init, { spec: prepared.spec, filterSteps });
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    throw error.within(starting);
  }
}
