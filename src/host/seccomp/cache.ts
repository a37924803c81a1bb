// Compiled filters by what they were made of, in the state root: compiling takes milliseconds, finding takes one hundredth.
//
// Nothing depends on it: what cannot be read is compiled, and what cannot be written is compiled again the next time.

import { errnos } from "../../abi/errno.ts";
import { AT_FDCWD, atFlags, fileTypes, openFlags } from "../../abi/file.ts";
import { readField, statxBuffer } from "../../abi/struct.ts";
import { debug } from "../../base/debug.ts";
import { FaultError } from "../../base/fault.ts";
import { wordFaultError } from "../../base/word-fault.ts";
import { execute, executeForOutput } from "../../ffi/execute.ts";
import { mkdirat, openat, statx, unlinkat } from "../../syscall/files.ts";
import { listDirectory, makeDirectories, type OwnedFd, own } from "../files.ts";
import { type CompiledProgram, isOurs, readProgram, writeProgram } from "./program-file.ts";

/** A name that no container can have. */
export const cacheName = "@seccomp";

/** So many filters are kept; hosts have a handful of profiles, and a profile of its own for each container is of no use here. */
export const cachedMax = 64;

/** The filter that is kept under the key. */
export function findCached(root: string, key: string): CompiledProgram | undefined {
  if (key === "") return undefined;
  using folder = openCache(root);
  return folder === undefined ? undefined : readProgram(folder.fd, key);
}

/** Keeps a filter for the next one who asks, if that is possible. */
export function keepCached(root: string, key: string, program: CompiledProgram): void {
  try {
    makeDirectories(root, 0o700, "making the state root");
    execute(mkdirat(AT_FDCWD, `${root}/${cacheName}`, 0o700));
    using folder = openCache(root);
    if (folder === undefined) return;
    writeProgram(folder.fd, key, program);
    dropOldest(`${root}/${cacheName}`, folder);
  } catch (error) {
    // A full disk, a read-only file system: the container does not need the cache.
    if (!(error instanceof FaultError)) throw error;
    debug(() => `seccomp: the filter is not cached: ${wordFaultError(error)}`);
  }
}

/** Opens the directory; undefined when it is missing, or when somebody else could have put something there. */
function openCache(root: string): OwnedFd | undefined {
  const flags = openFlags.O_DIRECTORY | openFlags.O_NOFOLLOW | openFlags.O_CLOEXEC;
  const fd = execute(openat(AT_FDCWD, `${root}/${cacheName}`, { flags }));
  if (fd < 0) {
    if (fd !== -errnos.ENOENT) debug(() => "seccomp: the cache is no directory, and not used");
    return undefined;
  }
  const folder = own(fd);
  if (isOurs(folder.fd, fileTypes.S_IFDIR)) return folder;
  debug(() => "seccomp: the cache is not ours, and not used");
  folder[Symbol.dispose]();
  return undefined;
}

function dropOldest(path: string, folder: OwnedFd): void {
  const names = (listDirectory(path, "looking through the cache") ?? []).map(({ name }) => name);
  if (names.length <= cachedMax) return;
  const changed = (name: string): number => {
    const { output } = executeForOutput(statx(folder.fd, name, atFlags.AT_SYMLINK_NOFOLLOW));
    const seconds = readField(statxBuffer, output, "stx_ctime.tv_sec");
    return seconds + readField(statxBuffer, output, "stx_ctime.tv_nsec") / 1e9;
  };
  const oldestFirst = names
    .map((name) => ({ name, changed: changed(name) }))
    .sort((a, b) => a.changed - b.changed);
  for (const { name } of oldestFirst.slice(0, names.length - cachedMax)) {
    // Another one may have been faster.
    execute(unlinkat(folder.fd, name));
  }
}
