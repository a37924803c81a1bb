// Has newuidmap and newgidmap write an id map that an ordinary user may not write: they are set-uid programs that ask
// /etc/subuid and /etc/subgid whether the ids are the caller's; newuidmap(1).

import { closeRangeFlags, fcntlCommands, lastFd, memfdFlags, openFlags } from "../abi/file.ts";
import { signals, waitOptions, waitTypes } from "../abi/process.ts";
import { readField, siginfo } from "../abi/struct.ts";
import { raise } from "../base/fault.ts";
import { execute, must, mustForOutput } from "../ffi/execute.ts";
import { spawn } from "../ffi/spawn.ts";
import type { IDMapping } from "../spec/types.ts";
import { closeRange, fcntl, memfdCreate } from "../syscall/files.ts";
import { pidfdOpen, pidfdSendSignal, waitid } from "../syscall/processes.ts";
import { type OwnedFd, openFile, own, readText } from "./files.ts";
import { waitForEnd } from "./processes.ts";

/** Whose map, and by which program. */
export type MappingTool = "newuidmap" | "newgidmap";

/** Directories that are asked may be slow; one that never answers is not waited for. */
const toolTimeoutMs = 60_000;
/** Out of the way of the numbers that the child gets. */
const movedFrom = 100;

/**
 * Writes the map of a process of ours. Run by the runtime; the program is looked up in the caller's PATH, and no shell sees
 * its arguments.
 *
 * @throws `host` fault when the program is missing; `refused` with what it says when it refuses
 */
export function writeMapByTool(
  tool: MappingTool,
  pid: number,
  mappings: readonly IDMapping[],
): void {
  const path = Bun.which(tool);
  if (path === null) {
    raise({
      kind: "host",
      message: `writing an id map of more than the caller's own id takes ${tool} (Debian package uidmap): exec: "${tool}": executable file not found in $PATH`,
    });
  }
  const doing = `running ${tool}`;
  const ids = mappings.map(({ containerID, hostID, size }) => [containerID, hostID, size]).flat();
  using nowhere = openFile("/dev/null", { flags: openFlags.O_RDWR, doing });
  using words = own(must(memfdCreate("mapping-words", memfdFlags.MFD_CLOEXEC), doing));
  using input = moveUp(nowhere, doing);
  using output = moveUp(words, doing);
  // What the container gets from the caller is not the program's; the stub has its own by now.
  must(closeRange(3, lastFd, closeRangeFlags.CLOSE_RANGE_CLOEXEC), doing);
  const child = spawn({
    path,
    argv: [tool, `${pid}`, ...ids.map(String)],
    env: [],
    descriptors: [
      { from: input.fd, to: 0 },
      { from: output.fd, to: 1 },
      { from: output.fd, to: 2 },
    ],
    doing,
  });
  const how = awaitEnd(child, doing);
  if (how === undefined) return;
  const said = readText(`/proc/self/fd/${words.fd}`, doing, outputMaxBytes).trim();
  raise({ kind: "refused", message: `${tool} failed: ${how}${said === "" ? "" : `: ${said}`}` });
}

const outputMaxBytes = 64 * 1024;
/** si_code of a process that has called exit; wait(2). */
const exitedCode = 1;

/** Waits for a child. Returns how it failed, or undefined. */
function awaitEnd(child: number, doing: string): string | undefined {
  using pidfd = own(must(pidfdOpen(child), doing));
  const ended = waitForEnd(pidfd, toolTimeoutMs);
  // Being set-uid it may be out of our reach; what cannot be killed is left to itself.
  if (!ended && execute(pidfdSendSignal(pidfd.fd, signals.SIGKILL)) < 0) {
    return `no answer after ${toolTimeoutMs / 1000} s`;
  }
  const call = waitid(waitTypes.P_PID, child, waitOptions.WEXITED | waitOptions.__WALL);
  const { output: info } = mustForOutput(call, doing);
  const status = readField(siginfo, info, "si_status");
  if (readField(siginfo, info, "si_code") !== exitedCode) return `signal ${status}`;
  return status === 0 ? undefined : `exit status ${status}`;
}

function moveUp({ fd }: OwnedFd, doing: string): OwnedFd {
  return own(must(fcntl(fd, fcntlCommands.F_DUPFD_CLOEXEC, movedFrom), doing));
}
