// Stops and continues all processes of a cgroup, and says whether they are stopped.
//
//   readFrozen(paths: CgroupPaths): boolean       freeze(paths): void       thaw(paths): void

import { pollEvents } from "../../abi/socket.ts";
import { raise } from "../../base/fault.ts";
import { execute, mustForOutput } from "../../ffi/execute.ts";
import type { CgroupPaths } from "../../plan/cgroup.ts";
import { cgroupVersion } from "../../plan/cgroup-version.ts";
import { read } from "../../syscall/files.ts";
import { nanosleep } from "../../syscall/processes.ts";
import { ppoll } from "../../syscall/sockets.ts";
import { openFile, tryWrite } from "../files.ts";
import { raiseWrite, readCgroupCounter, readCgroupFile } from "./cgroup-file.ts";

const freezeTimeoutMs = 10_000;
const eventsBytes = 1024;

type Freezer =
  | { readonly version: "v1"; readonly directory: string }
  | { readonly version: "v2"; readonly directory: string };

/** A hybrid host's v2 tree could freeze as well; runc looks at the v1 freezer there. */
function findFreezer(paths: CgroupPaths): Freezer | undefined {
  const { freezer, "": unified } = paths;
  if (freezer !== undefined) return { version: "v1", directory: freezer };
  return unified !== undefined && cgroupVersion(paths) === "v2"
    ? { version: "v2", directory: unified }
    : undefined;
}

/** Whether someone has frozen this very group: the container is paused. False when the group is gone. */
export function readFrozen(paths: CgroupPaths): boolean {
  const freezer = findFreezer(paths);
  if (freezer === undefined) return false;
  if (freezer.version === "v1") return isStopped(paths);
  return readCgroupFile(`${freezer.directory}/cgroup.freeze`) === "1" && isStopped(paths);
}

/** Whether processes in the group cannot run, be it frozen itself or through a group above. */
export function isStopped(paths: CgroupPaths): boolean {
  const freezer = findFreezer(paths);
  if (freezer === undefined) return false;
  if (freezer.version === "v2") {
    return readCgroupCounter(`${freezer.directory}/cgroup.events`, "frozen") === 1;
  }
  const state = readCgroupFile(`${freezer.directory}/freezer.state`);
  return state === "FROZEN" || state === "FREEZING";
}

/**
 * Stops every process of the group and waits until all have stopped.
 *
 * @throws `status` when there is no group; `host` when they do not stop; `syscall`
 */
export function freeze(paths: CgroupPaths): void {
  const freezer = requireFreezer(paths);
  if (freezer.version === "v1") freezeV1(freezer.directory);
  else freezeV2(freezer.directory);
}

/**
 * Lets every process of the group run again.
 *
 * @throws `status` when there is no group; `syscall`
 */
export function thaw(paths: CgroupPaths): void {
  const freezer = requireFreezer(paths);
  if (freezer.version === "v1") writeFreezer(`${freezer.directory}/freezer.state`, "THAWED");
  else writeFreezer(`${freezer.directory}/cgroup.freeze`, "0");
}

function requireFreezer(paths: CgroupPaths): Freezer {
  const freezer = findFreezer(paths);
  if (freezer === undefined) {
    const none = Object.keys(paths).length === 0;
    const message = none
      ? "cannot toggle freezer: cgroups not configured for container"
      : "cgroup not exist";
    raise({ kind: "status", message });
  }
  return freezer;
}

function freezeV2(directory: string): void {
  writeFreezer(`${directory}/cgroup.freeze`, "1");
  const deadline = performance.now() + freezeTimeoutMs;
  const events = `${directory}/cgroup.events`;
  for (;;) {
    // Polling reports what has changed since this descriptor was read, so each round has its own.
    using file = openFile(events, { flags: 0, doing: "waiting for the cgroup to freeze" });
    const { output } = mustForOutput(
      read(file.fd, eventsBytes),
      "waiting for the cgroup to freeze",
    );
    if (new TextDecoder().decode(output).includes("frozen 1")) return;
    const leftMs = Math.ceil(deadline - performance.now());
    if (leftMs <= 0) {
      writeFreezer(`${directory}/cgroup.freeze`, "0");
      raise({ kind: "host", message: "unable to freeze the container's cgroup: it did not stop" });
    }
    execute(ppoll(file.fd, pollEvents.POLLPRI, leftMs));
  }
}

const freezeTriesV1 = 1000;

/** v1 has nothing to poll, and a process that is forking can escape one round: the state is written until it holds. */
function freezeV1(directory: string): void {
  const file = `${directory}/freezer.state`;
  for (let tries = 0; tries < freezeTriesV1; tries += 1) {
    // As runc does: some kernels get stuck in FREEZING until the group has run for a moment.
    if (tries % 50 === 49) {
      writeFreezer(file, "THAWED");
      execute(nanosleep(10));
    }
    writeFreezer(file, "FROZEN");
    if (tries % 25 === 24) execute(nanosleep(0.01));
    if (readCgroupFile(file) === "FROZEN") return;
  }
  writeFreezer(file, "THAWED");
  raise({ kind: "host", message: "unable to freeze the container's cgroup: it did not stop" });
}

function writeFreezer(file: string, value: string): void {
  const result = tryWrite(file, value);
  if (result < 0) raiseWrite(file, `writing ${value} to the freezer`, result);
}
