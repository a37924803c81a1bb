// exec: a process in a container that is there; in the foreground we stay with it until it ends.

import { isCapabilityName } from "../abi/capability.ts";
import { checkConsole, openConsole, sendTerminal } from "../container/console.ts";
import { findTarget, makeProcess, type ProcessOptions } from "../container/exec.ts";
import { writePidFile } from "../container/pid-file.ts";
import { openPidfdSocket, sendPidfd } from "../container/pidfd-socket.ts";
import { type OwnedFd, readText } from "../host/files.ts";
import {
  changeProcess,
  completeProcess,
  type ExecProcess,
  type ProcessChanges,
} from "../spec/exec-process.ts";
import { parseConfig } from "../spec/load.ts";
import type { ValidatedSpec } from "../spec/validate.ts";
import { attend } from "./attend.ts";
import { findHostTerminal, relayTerminal } from "./terminal.ts";

export type ExecOptions = ProcessOptions & {
  readonly process:
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "changes"; readonly changes: ProcessChanges };
  readonly detach: boolean;
  readonly consoleSocket: string | undefined;
  readonly pidfdSocket: string | undefined;
  readonly pidFile: string | undefined;
  /** Told what is odd in the process, in words, and not worth failing. */
  readonly warn: (message: string) => void;
};

/**
 * Runs the process.
 *
 * @returns the exit status of its program, 128 and the signal when one ended it; 0 when detached
 * @throws FaultError; the process is gone then
 */
export async function execInContainer(options: ExecOptions): Promise<number> {
  const { detach, consoleSocket, pidfdSocket } = options;
  const target = findTarget(options);
  const readProcess = await processReader(options);
  let host: ReturnType<typeof findHostTerminal> | undefined;
  // Open as long as we live, which is not long where they are used.
  let console: OwnedFd | undefined;
  let pidfdReceiver: OwnedFd | undefined;
  const made = makeProcess(options, target, (config) => {
    const process = readProcess(config);
    warnOfCapabilities(options, process);
    const terminal = process.terminal === true;
    checkConsole({ terminal, consoleSocket, detached: detach });
    if (terminal && !detach) host = findHostTerminal();
    console = openConsole(consoleSocket);
    pidfdReceiver = openPidfdSocket(pidfdSocket);
    return process;
  });
  const start = (): void => {
    try {
      sendTerminal(console, made.terminal);
      sendPidfd(pidfdReceiver, { pid: made.init.pid, origin: "setns" });
      made.start();
      if (options.pidFile !== undefined) writePidFile(options.pidFile, made.init.pid);
    } catch (error) {
      made.undo();
      throw error;
    }
  };
  if (detach) {
    start();
    return 0;
  }
  using attendant = attend(made.init.pid);
  const { terminal: master } = made;
  using relay =
    host === undefined || master === undefined
      ? undefined
      : relayTerminal(host, { master, pidfd: attendant.pidfd });
  start();
  return await attendant.ended(relay?.turn);
}

/** What to execute, once the config is known. The validators are loaded only for a file. */
async function processReader(
  options: ExecOptions,
): Promise<(config: ValidatedSpec) => ExecProcess> {
  const { process } = options;
  if (process.kind === "changes") {
    const { changes } = process;
    const isAsked = changes.apparmorProfile !== undefined || changes.selinuxLabel !== undefined;
    const refuse = isAsked ? await unsupportedRefuser() : undefined;
    return (config) => {
      const changed = changeProcess(config.process, changes);
      refuse?.(changed);
      return changed;
    };
  }
  const { validateProcess } = await import("../spec/validate.ts");
  const refuse = await unsupportedRefuser();
  return (config) => {
    const text = readText(process.path, "reading the process");
    const given = validateProcess(parseConfig(text, process.path), { document: process.path });
    refuse(given);
    return completeProcess(given, config.process);
  };
}

async function unsupportedRefuser(): Promise<(process: ExecProcess) => void> {
  const { findUnsupportedProcess, refuseUnsupported } = await import("../spec/unsupported.ts");
  return (process) => refuseUnsupported(findUnsupportedProcess(process));
}

/** Spec: config.md#linux-process: a capability that cannot be mapped to the kernel SHOULD be warned of. */
function warnOfCapabilities({ warn }: ExecOptions, { capabilities = {} }: ExecProcess): void {
  const named = Object.values(capabilities).flat();
  const unknown = new Set(named.filter((name) => !isCapabilityName(name)));
  if (unknown.size === 0) return;
  warn(`ignoring unknown or unavailable capabilities: [${[...unknown].join(" ")}]`);
}
