// Watches a container's cgroup for want of memory, and for its end; it waits for nothing itself, but says what to poll.

import { errnos } from "../../abi/errno.ts";
import { AT_FDCWD, openFlags } from "../../abi/file.ts";
import { eventfdFlags, pollEvents } from "../../abi/socket.ts";
import { raise } from "../../base/fault.ts";
import { execute, executeForOutput, must, raiseErrno } from "../../ffi/execute.ts";
import type { CgroupPaths } from "../../plan/cgroup.ts";
import { parseCounters } from "../../plan/cgroup-stats.ts";
import { cgroupVersion } from "../../plan/cgroup-version.ts";
import { openat, read } from "../../syscall/files.ts";
import { pidfdOpen } from "../../syscall/processes.ts";
import { eventfd } from "../../syscall/sockets.ts";
import { exists, type OwnedFd, openFile, own, tryWrite } from "../files.ts";
import type { Wanted } from "../poll.ts";
import { openProcess, type ProcessIdentity, waitForEnd } from "../processes.ts";
import { raiseWrite } from "./cgroup-file.ts";
import { listProcesses } from "./processes.ts";

/** What has happened since the last look. */
export type Happened = {
  /** How often memory has run out. */
  readonly ooms: number;
  /** No process of the container is left. */
  readonly ended: boolean;
};

export type OomWatch = Disposable & {
  /** What to poll; not the same after a look as before it. */
  readonly wanted: () => readonly Wanted[];
  /** To be called when something has happened to one of them. */
  readonly look: () => Happened;
};

const doing = "watching the container's memory";

/**
 * Begins to watch.
 *
 * @param init with v1 hierarchies, the end of the container is that of its processes
 * @throws `host` fault without a memory controller; `syscall`
 */
export function watchMemory(paths: CgroupPaths, init: ProcessIdentity): OomWatch {
  const { memory, "": unified } = paths;
  if (unified !== undefined && cgroupVersion(paths) === "v2") return watchUnified(unified);
  // runc's words.
  if (memory === undefined) return raise({ kind: "host", message: "memory controller missing" });
  return watchV1(memory, { paths, init });
}

/**
 * The kernel counts in an eventfd how often memory ran out; it adds one when the group is removed (memory.rst, section 9).
 */
function watchV1(
  directory: string,
  container: { readonly paths: CgroupPaths; readonly init: ProcessIdentity },
): OomWatch {
  const { EFD_CLOEXEC, EFD_NONBLOCK } = eventfdFlags;
  const counter = own(must(eventfd(EFD_CLOEXEC | EFD_NONBLOCK), doing));
  const control = `${directory}/cgroup.event_control`;
  try {
    using file = openFile(`${directory}/memory.oom_control`, { flags: 0, doing });
    const result = tryWrite(control, `${counter.fd} ${file.fd} `);
    if (result < 0) raiseWrite(control, doing, result);
  } catch (error) {
    counter[Symbol.dispose]();
    throw error;
  }
  let living = openProcess(container.init) ?? openAnyProcess(container.paths);
  return {
    wanted: () => [
      { fd: counter.fd, events: pollEvents.POLLIN },
      { fd: living?.fd ?? -1, events: pollEvents.POLLIN },
    ],
    look: () => {
      const { result, output } = executeForOutput(read(counter.fd, 8));
      const count = result === 8 ? Number(new DataView(output.buffer).getBigUint64(0, true)) : 0;
      if (!exists(control)) return { ooms: Math.max(count - 1, 0), ended: true };
      if (living !== undefined && waitForEnd(living, 0)) {
        living[Symbol.dispose]();
        living = openAnyProcess(container.paths);
      }
      return { ooms: count, ended: living === undefined };
    },
    [Symbol.dispose]: () => {
      living?.[Symbol.dispose]();
      counter[Symbol.dispose]();
    },
  };
}

/** A process of the group to wait for next: what init leaves behind outside of a pid namespace lives on. */
function openAnyProcess(paths: CgroupPaths): OwnedFd | undefined {
  for (const pid of listProcesses(paths)) {
    const fd = execute(pidfdOpen(pid));
    // One that has ended since it was listed, or a number of another pid namespace.
    if (fd >= 0) return own(fd);
  }
  return undefined;
}

/** The kernel says that a file of the group has changed, to those who have read it (cgroup-v2.rst, "events"). */
function watchUnified(directory: string): OomWatch {
  const memoryPath = `${directory}/memory.events`;
  let memory = openCounters(memoryPath) ?? raiseMissing(memoryPath);
  let group = openCounters(`${directory}/cgroup.events`);
  return {
    wanted: () =>
      [memory, group].map((file) => ({ fd: file?.fd ?? -1, events: pollEvents.POLLPRI })),
    look: () => {
      const before = memory.count("oom_kill");
      group?.[Symbol.dispose]();
      group = openCounters(`${directory}/cgroup.events`);
      const now = openCounters(memoryPath);
      if (now !== undefined) {
        memory[Symbol.dispose]();
        memory = now;
      }
      return {
        ooms: Number(memory.count("oom_kill") - before),
        ended: group === undefined || group.count("populated") === 0n,
      };
    },
    [Symbol.dispose]: () => {
      group?.[Symbol.dispose]();
      memory[Symbol.dispose]();
    },
  };
}

type OpenCounters = OwnedFd & { readonly count: (key: string) => bigint };

const eventsBytes = 4096;

/** Opens and reads a file of counters; polling the descriptor tells of changes since. Undefined when it is not there. */
function openCounters(path: string): OpenCounters | undefined {
  const fd = execute(openat(AT_FDCWD, path, { flags: openFlags.O_CLOEXEC }));
  if (fd < 0) return undefined;
  const file = own(fd);
  const { result, output } = executeForOutput(read(fd, eventsBytes));
  if (result < 0) {
    file[Symbol.dispose]();
    return undefined;
  }
  const counters = parseCounters(new TextDecoder().decode(output.subarray(0, result)));
  return { ...file, count: (key) => counters.get(key) ?? 0n };
}

function raiseMissing(path: string): never {
  const call = openat(AT_FDCWD, path, { flags: openFlags.O_CLOEXEC });
  return raiseErrno(call, doing, -errnos.ENOENT);
}
