// Whole-file and directory operations of the runtime on the host, through our own system calls; never on paths in a rootfs.

import { errnos } from "../abi/errno.ts";
import { AT_FDCWD, atFlags, F_OK, openFlags } from "../abi/file.ts";
import { raise } from "../base/fault.ts";
import { execute, executeForOutput, must, raiseErrno } from "../ffi/execute.ts";
import {
  close,
  faccessat2,
  getdents64,
  mkdirat,
  openat,
  read,
  renameat,
  unlinkat,
  write,
  writeText as writeTextCall,
} from "../syscall/files.ts";

/** A descriptor that closes itself at the end of its `using` block. */
export type OwnedFd = Disposable & { readonly fd: number };

/** Takes ownership of an open descriptor. */
export function own(fd: number): OwnedFd {
  return {
    fd,
    [Symbol.dispose]: () => {
      execute(close(fd));
    },
  };
}

/**
 * Opens a file of the host with O_CLOEXEC added.
 *
 * @throws `syscall` fault
 */
export function openFile(
  path: string,
  options: { readonly flags: number; readonly mode?: number; readonly doing: string },
): OwnedFd {
  const { flags, mode = 0, doing } = options;
  return own(must(openat(AT_FDCWD, path, { flags: flags | openFlags.O_CLOEXEC, mode }), doing));
}

/** The largest file read whole unless the caller says otherwise: config.json has the same limit. */
const readMaxBytes = 64 * 1024 * 1024;
const chunkBytes = 16 * 1024;

/** ESRCH is a file of /proc whose process is being reaped between the steps of the path to it. */
const absences: readonly number[] = [errnos.ENOENT, errnos.ENOTDIR, errnos.ESRCH];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Reads a whole text file.
 *
 * @returns undefined when it does not exist
 * @throws `syscall` fault; `refused` when it is larger than the limit
 */
export function readTextIfPresent(
  path: string,
  doing: string,
  maxBytes = readMaxBytes,
): string | undefined {
  // A fifo in the place of a config would have us wait for its writer.
  const call = openat(AT_FDCWD, path, { flags: openFlags.O_CLOEXEC | openFlags.O_NONBLOCK });
  const fd = execute(call);
  if (absences.includes(-fd)) return undefined;
  if (fd < 0) raiseErrno(call, doing, fd);
  using file = own(fd);
  return readAll(file.fd, { doing, path, maxBytes });
}

/**
 * Reads a whole text file.
 *
 * @throws `syscall` fault; `refused` when it is larger than the limit
 */
export function readText(path: string, doing: string, maxBytes = readMaxBytes): string {
  using file = openFile(path, { flags: 0, doing });
  const text = readAll(file.fd, { doing, path, maxBytes });
  return text ?? raiseErrno(read(file.fd, 0), doing, -errnos.ESRCH);
}

/**
 * Reads a text from an open descriptor to its end.
 *
 * @throws `syscall` fault; `refused` when it is longer than the limit
 */
export function readDescriptor(fd: number, doing: string): string {
  const text = readAll(fd, { doing, path: `descriptor ${fd}`, maxBytes: readMaxBytes });
  return text ?? raiseErrno(read(fd, 0), doing, -errnos.ESRCH);
}

/** The whole text; undefined for a file of /proc whose process has been reaped since it was opened (ESRCH). */
function readAll(
  fd: number,
  options: { readonly doing: string; readonly path: string; readonly maxBytes: number },
): string | undefined {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const call = read(fd, chunkBytes);
    const { result, output } = executeForOutput(call);
    if (result === -errnos.ESRCH) return undefined;
    if (result < 0) raiseErrno(call, options.doing, result);
    // A regular file of one short chunk still needs the second read: only 0 says that it is over.
    if (result === 0) break;
    total += result;
    if (total > options.maxBytes) {
      raise({
        kind: "refused",
        message: `${options.doing}: ${options.path} is larger than ${options.maxBytes} bytes`,
      });
    }
    chunks.push(output.subarray(0, result));
  }
  return decoder.decode(chunks.length === 1 ? chunks[0] : concatenate(chunks, total));
}

function concatenate(chunks: readonly Uint8Array[], total: number): Uint8Array {
  const whole = new Uint8Array(total);
  let done = 0;
  for (const chunk of chunks) {
    whole.set(chunk, done);
    done += chunk.byteLength;
  }
  return whole;
}

/**
 * Writes a text to an existing file in one write(2), as cgroup and proc files want it.
 *
 * @returns 0 or more, or -errno: callers of these files know which refusals mean something
 */
export function tryWrite(path: string, content: string): number {
  const fd = execute(openat(AT_FDCWD, path, { flags: openFlags.O_WRONLY | openFlags.O_CLOEXEC }));
  if (fd < 0) return fd;
  using file = own(fd);
  return execute(writeTextCall(file.fd, content));
}

/**
 * Replaces a file's content so that a reader sees the old or the new text, never a part: temporary file, then rename(2).
 *
 * @throws `syscall` fault
 */
export function replaceFile(
  path: string,
  content: string,
  options: { readonly mode: number; readonly doing: string; readonly temporary: string },
): void {
  const { mode, doing, temporary } = options;
  const flags = openFlags.O_WRONLY | openFlags.O_CREAT | openFlags.O_EXCL | openFlags.O_NOFOLLOW;
  execute(unlinkat(AT_FDCWD, temporary));
  try {
    using file = openFile(temporary, { flags, mode, doing });
    writeAll(file.fd, content, doing);
    must(renameat(temporary, path), doing);
  } catch (error) {
    execute(unlinkat(AT_FDCWD, temporary));
    throw error;
  }
}

/**
 * Writes the whole text, in as many write(2) calls as it takes.
 *
 * @throws `syscall` fault
 */
export function writeAll(fd: number, content: string, doing: string): void {
  const data = encoder.encode(content);
  for (let done = 0; done < data.byteLength; ) {
    done += must(write(fd, data.subarray(done, done + 1024 * 1024)), doing);
  }
}

/** Whether the path exists, symbolic links followed. */
export function exists(path: string): boolean {
  return execute(faccessat2(AT_FDCWD, path, { mode: F_OK, flags: 0 })) === 0;
}

/**
 * Makes a directory and its missing parents.
 *
 * @throws `syscall` fault
 */
export function makeDirectories(path: string, mode: number, doing: string): void {
  const call = mkdirat(AT_FDCWD, path, mode);
  const result = execute(call);
  if (result === 0 || result === -errnos.EEXIST) return;
  const parent = path.slice(0, path.lastIndexOf("/"));
  if (result !== -errnos.ENOENT || parent === "") raiseErrno(call, doing, result);
  makeDirectories(parent, mode, doing);
  must(call, doing);
}

/** One entry of a directory; the type is unknown on file systems that do not tell. */
export type DirectoryEntry = {
  readonly name: string;
  readonly type: "directory" | "other" | "unknown";
};

const DT_UNKNOWN = 0;
const DT_DIR = 4;

/**
 * Lists a directory without "." and "..".
 *
 * @returns undefined when it does not exist
 * @throws `syscall` fault
 */
export function listDirectory(path: string, doing: string): DirectoryEntry[] | undefined {
  const call = openat(AT_FDCWD, path, { flags: openFlags.O_DIRECTORY | openFlags.O_CLOEXEC });
  const fd = execute(call);
  if (fd === -errnos.ENOENT) return undefined;
  if (fd < 0) raiseErrno(call, doing, fd);
  using directory = own(fd);
  const entries: DirectoryEntry[] = [];
  for (;;) {
    const answer = executeForOutput(getdents64(directory.fd, 32 * 1024));
    if (answer.result < 0) raiseErrno(getdents64(directory.fd, 0), doing, answer.result);
    if (answer.result === 0) return entries;
    entries.push(...readEntries(answer.output.subarray(0, answer.result)));
  }
}

/** Parses `struct linux_dirent64` records: ino u64, off u64, reclen u16, type u8, name. */
function* readEntries(buffer: Uint8Array): Generator<DirectoryEntry> {
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  for (let offset = 0; offset < buffer.byteLength; ) {
    const lengthBytes = view.getUint16(offset + 16, true);
    const type = view.getUint8(offset + 18);
    const nameEnd = buffer.indexOf(0, offset + 19);
    const name = new TextDecoder().decode(buffer.subarray(offset + 19, nameEnd));
    offset += lengthBytes;
    if (name === "." || name === "..") continue;
    yield {
      name,
      type: type === DT_DIR ? "directory" : type === DT_UNKNOWN ? "unknown" : "other",
    };
  }
}

/**
 * Removes a file; that it is already gone is fine.
 *
 * @throws `syscall` fault
 */
export function removeFile(path: string, doing: string): void {
  const call = unlinkat(AT_FDCWD, path);
  const result = execute(call);
  if (result < 0 && result !== -errnos.ENOENT) raiseErrno(call, doing, result);
}

/** rmdir(2). Returns 0 or -errno. */
export function tryRemoveDirectory(path: string): number {
  return execute(unlinkat(AT_FDCWD, path, atFlags.AT_REMOVEDIR));
}

/**
 * Removes one of our own state directories with all that is in it, without following links out of it.
 *
 * @throws `syscall` fault
 */
export function removeTree(path: string, doing: string): void {
  for (const entry of listDirectory(path, doing) ?? []) {
    const inner = `${path}/${entry.name}`;
    if (entry.type === "directory") removeTree(inner, doing);
    else removeFile(inner, doing);
  }
  const call = unlinkat(AT_FDCWD, path, atFlags.AT_REMOVEDIR);
  const result = execute(call);
  if (result < 0 && result !== -errnos.ENOENT) raiseErrno(call, doing, result);
}
