// The state directory: one directory a container, whose making decides who wins, and a lock on it; not what the files say.

import { errnos } from "../abi/errno.ts";
import { AT_FDCWD, atFlags, lockOperations, openFlags } from "../abi/file.ts";
import { readField, statxBuffer } from "../abi/struct.ts";
import { debug } from "../base/debug.ts";
import { raise } from "../base/fault.ts";
import { execute, must, mustForOutput, raiseErrno } from "../ffi/execute.ts";
import {
  exists,
  listDirectory,
  makeDirectories,
  type OwnedFd,
  openFile,
  own,
  removeTree,
} from "../host/files.ts";
import { type ContainerId, parseContainerId } from "../spec/container-id.ts";
import { flock, mkdirat, openat, statx } from "../syscall/files.ts";
import { nanosleep } from "../syscall/processes.ts";
import { readRecord } from "./record.ts";

/** Where a container is kept. */
export type ContainerPlace = { readonly root: string; readonly id: ContainerId };

export type ContainerPaths = {
  readonly directory: string;
  /** state.json */
  readonly record: string;
  /** The config as it was at create; later edits of the bundle's do not count. */
  readonly config: string;
  /** The socket on which a parked init waits; it is there exactly while nobody has started the container. */
  readonly socket: string;
};

/** The names of a container's files in its directory of the state root. */
export function containerPaths({ root, id }: ContainerPlace): ContainerPaths {
  const directory = `${root}/${id}`;
  return {
    directory,
    record: `${directory}/state.json`,
    config: `${directory}/config.json`,
    socket: `${directory}/init.sock`,
  };
}

/**
 * Makes the container's directory: of two that try, one wins. Returns it opened and locked.
 *
 * @throws `id` fault when it exists
 */
export function claimDirectory(place: ContainerPlace): OwnedFd {
  const doing = "making the container's state directory";
  const { directory } = containerPaths(place);
  makeDirectories(place.root, 0o700, doing);
  const call = mkdirat(AT_FDCWD, directory, 0o711);
  const result = execute(call);
  if (result === -errnos.EEXIST) {
    return raise({ kind: "id", message: "container with given ID already exists" });
  }
  if (result < 0) raiseErrno(call, doing, result);
  const opened = openDirectory(directory, doing);
  must(flock(opened.fd, lockOperations.LOCK_EX), doing);
  debug(() => `claimed ${directory}`);
  return opened;
}

/** How long `delete --force` waits for another command that holds the container. */
const lockTimeoutMs = 10_000;
const lockPollMs = 10;

/**
 * Locks an existing container's directory.
 *
 * @param waits how long to wait for another holder: for ever, or as `delete --force`
 * @returns undefined when there is no such container
 * @throws `status` fault when the wait is over, or the container is still being created
 */
export function lockDirectory(
  place: ContainerPlace,
  waits: "forever" | "bounded",
): OwnedFd | undefined {
  const doing = "locking the container";
  const { directory } = containerPaths(place);
  const fd = execute(openat(AT_FDCWD, directory, { flags: directoryFlags }));
  if (fd === -errnos.ENOENT) return undefined;
  if (fd < 0) raiseErrno(openat(AT_FDCWD, directory, { flags: directoryFlags }), doing, fd);
  const opened = own(fd);
  if (waits === "forever") {
    const free = execute(flock(opened.fd, lockOperations.LOCK_EX | lockOperations.LOCK_NB)) === 0;
    if (!free && isBeingMade(place)) {
      opened[Symbol.dispose]();
      // Its hooks call us: waiting for their end would be waiting for ourselves.
      raise({ kind: "status", message: "container is still being created" });
    }
    if (free ? isThere(opened) : lockAgain(opened)) return opened;
    // Another command has removed it while we waited; somebody may have made one of this name since.
    opened[Symbol.dispose]();
    return lockDirectory(place, waits);
  }
  const tries = lockTimeoutMs / lockPollMs;
  for (let tried = 0; tried < tries; tried += 1) {
    if (execute(flock(opened.fd, lockOperations.LOCK_EX | lockOperations.LOCK_NB)) === 0) {
      if (isThere(opened)) return opened;
      opened[Symbol.dispose]();
      return undefined;
    }
    execute(nanosleep(lockPollMs));
  }
  opened[Symbol.dispose]();
  return raise({ kind: "status", message: "another command is still working on the container" });
}

/** Lets other commands work on a container whose directory we keep open. */
export function unlock(directory: OwnedFd): void {
  execute(flock(directory.fd, lockOperations.LOCK_UN));
}

/**
 * Locks an opened directory of a container, however long it takes.
 *
 * @returns whether it is still there: what has its name by now may be another container's
 */
export function lockAgain(directory: OwnedFd): boolean {
  while (execute(flock(directory.fd, lockOperations.LOCK_EX)) === -errnos.EINTR);
  return isThere(directory);
}

/** Whether a command works on the container at the moment; false where there is none. */
export function isHeld({ directory }: ContainerPaths): boolean {
  const fd = execute(openat(AT_FDCWD, directory, { flags: directoryFlags }));
  if (fd < 0) return false;
  using opened = own(fd);
  return execute(flock(opened.fd, lockOperations.LOCK_SH | lockOperations.LOCK_NB)) < 0;
}

function isBeingMade(place: ContainerPlace): boolean {
  const paths = containerPaths(place);
  // Without a record it is about to have one, or about to be gone, and we are no hook of it: those see a record, or no directory.
  return exists(paths.record) && readRecord(paths).tsRunc.phase === "intent";
}

function isThere(directory: OwnedFd): boolean {
  const { output } = mustForOutput(
    statx(directory.fd, "", atFlags.AT_EMPTY_PATH),
    "looking for the container's state directory",
  );
  return readField(statxBuffer, output, "stx_nlink") > 0;
}

const directoryFlags = openFlags.O_DIRECTORY | openFlags.O_NOFOLLOW | openFlags.O_CLOEXEC;

function openDirectory(path: string, doing: string): OwnedFd {
  return openFile(path, { flags: directoryFlags, doing });
}

/** Removes the container's directory and all that is in it. */
export function removeContainerDirectory(place: ContainerPlace): void {
  removeTree(containerPaths(place).directory, "removing the container's state directory");
}

/** Ids of the containers below the state root; undefined when the root does not exist. */
export function listContainerIds(root: string): readonly ContainerId[] | undefined {
  return listDirectory(root, "listing containers")
    ?.filter(({ type }) => type !== "other")
    .map(({ name }) => {
      try {
        return [parseContainerId(name)];
      } catch {
        // Not a directory of ours: no container can have this name.
        return [];
      }
    })
    .flat()
    .sort();
}
