// exec: a process in a container that is there; in the foreground we stay with it until it ends.

import { isCapabilityName } from "../abi/capability.ts";
import { checkConsole, openConsole, sendTerminal } from "../container/console.ts";
import { type ExecTarget, findTarget, makeProcess, type TargetOptions } from "../container/exec.ts";
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
import type { ValidatedProcess, ValidatedSpec } from "../spec/validate.ts";
import { attend } from "./attend.ts";
import { findHostTerminal, relayTerminal } from "./terminal.ts";

export type ExecOptions = TargetOptions & {
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
  const target = await findTarget(options);
  const { readProcess, initialAffinity } = await processReader(options, target);
  const joinResctrl = await resctrlJoiner(target);
  let host: ReturnType<typeof findHostTerminal> | undefined;
  // Open as long as we live, which is not long where they are used.
  let console: OwnedFd | undefined;
  let pidfdReceiver: OwnedFd | undefined;
  const made = makeProcess({ ...options, initialAffinity, joinResctrl }, target, (config) => {
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

/** What to execute, once the config is known, and where to run until then. The validators are loaded only for a file. */
async function processReader(
  options: ExecOptions,
  { record }: ExecTarget,
): Promise<{
  readonly readProcess: (config: ValidatedSpec) => ExecProcess;
  readonly initialAffinity: string | undefined;
}> {
  const { process } = options;
  const { initialAffinity } = record.tsRunc;
  if (process.kind === "changes") {
    const { changes } = process;
    if (changes.selinuxLabel !== undefined) (await selinux()).requireSelinux(changes.selinuxLabel);
    return { readProcess: (config) => changeProcess(config.process, changes), initialAffinity };
  }
  const { validateProcess } = await import("../spec/validate.ts");
  const text = readText(process.path, "reading the process");
  const read = (): ValidatedProcess =>
    validateProcess(parseConfig(text, process.path), { document: process.path });
  const labels = text.includes("selinuxLabel") ? await selinux() : undefined;
  // Mostly there is nothing to be known of it before the stub is started, and then it is read beside that.
  const early = text.includes("execCPUAffinity") ? read() : undefined;
  const readProcess = (config: ValidatedSpec): ExecProcess => {
    const given = early ?? read();
    labels?.requireSelinux(given.selinuxLabel);
    return completeProcess(given, config.process);
  };
  const asked = early?.execCPUAffinity;
  return { readProcess, initialAffinity: asked === undefined ? initialAffinity : asked.initial };
}

async function resctrlJoiner({ record }: ExecTarget): Promise<((pid: number) => void) | undefined> {
  const { intel_rdt_path: group, intel_rdt_mon_path: monitoring } = record;
  if (group === "") return undefined;
  const { joinResctrl } = await import("../host/resctrl.ts");
  return (pid) => joinResctrl(pid, monitoring === undefined ? [group] : [group, monitoring]);
}

/** Loaded where a label is given. */
function selinux(): Promise<typeof import("../host/selinux.ts")> {
  return import("../host/selinux.ts");
}

/** Spec: config.md#linux-process: a capability that cannot be mapped to the kernel SHOULD be warned of. */
function warnOfCapabilities({ warn }: ExecOptions, { capabilities = {} }: ExecProcess): void {
  const named = Object.values(capabilities).flat();
  const unknown = new Set(named.filter((name) => !isCapabilityName(name)));
  if (unknown.size === 0) return;
  warn(`ignoring unknown or unavailable capabilities: [${[...unknown].join(" ")}]`);
}
