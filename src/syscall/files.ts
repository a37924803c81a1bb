// System calls on files, directories and descriptors, as values.

import {
  AT_FDCWD,
  accessModes,
  atFlags,
  closeRangeFlags,
  type DeviceNumber,
  fileTypes,
  lockOperations,
  makeDevice,
  memfdFlags,
  openFlags,
  resolveFlags,
  statxMasks,
} from "../abi/file.ts";
import { openHow, statfsBuffer, statxBuffer } from "../abi/struct.ts";
import {
  bytes,
  call,
  directoryOperand,
  type Fd,
  fdOperand,
  flags,
  hex,
  number,
  type Operand,
  octal,
  outputOperand,
  type Syscall,
  struct,
  text,
  textBytes,
} from "./value.ts";

const fileModes = {
  S_IFSOCK: fileTypes.S_IFSOCK,
  S_IFBLK: fileTypes.S_IFBLK,
  S_IFREG: fileTypes.S_IFREG,
  S_IFDIR: fileTypes.S_IFDIR,
  S_IFCHR: fileTypes.S_IFCHR,
  S_IFIFO: fileTypes.S_IFIFO,
} as const;

export function openat(
  directory: Fd,
  path: string,
  options: { readonly flags: number; readonly mode?: number },
): Syscall {
  return call(
    "openat",
    directoryOperand(directory),
    text(path),
    flags(openFlags, options.flags),
    octal(options.mode ?? 0),
  );
}

export function openat2(directory: Fd, path: string, how: How): Syscall {
  return call(
    "openat2",
    directoryOperand(directory),
    text(path),
    howOperand(how),
    number(openHow.sizeBytes),
  );
}

type How = { readonly flags: number; readonly resolve: number; readonly mode?: number };

/** The few combinations that are used hundreds of times are made, and encoded, once. */
const hows = new Map<number, Operand>();

function howOperand(how: How): Operand {
  // Every resolve flag is below 64, and flags below 2^25.
  const key = how.mode === undefined ? how.flags * 64 + how.resolve : -1;
  const known = hows.get(key);
  if (known !== undefined) return known;
  const operand = struct(openHow, {
    flags: flags(openFlags, how.flags),
    mode: octal(how.mode ?? 0),
    resolve: flags(resolveFlags, how.resolve),
  });
  if (key !== -1) hows.set(key, operand);
  return operand;
}

export function close(fd: Fd): Syscall {
  return call("close", fdOperand(fd));
}

export function closeRange(first: Fd, last: number, rangeFlags = 0): Syscall {
  return call("close_range", fdOperand(first), number(last), flags(closeRangeFlags, rangeFlags));
}

/** pipe2(2); the output is two 32-bit descriptors, the end to read from first. */
export function pipe2(pipeFlags: number): Syscall {
  return call("pipe2", outputOperand(8), flags(openFlags, pipeFlags));
}

export function dup3(from: Fd, to: number, dupFlags = 0): Syscall {
  return call("dup3", fdOperand(from), number(to), flags(openFlags, dupFlags));
}

export function fcntl(fd: Fd, command: number, argument: number): Syscall {
  return call("fcntl", fdOperand(fd), number(command), number(argument));
}

export function read(fd: Fd, sizeBytes: number): Syscall {
  return call("read", fdOperand(fd), outputOperand(sizeBytes), number(sizeBytes));
}

export function write(fd: Fd, data: Uint8Array): Syscall {
  return call("write", fdOperand(fd), bytes(data), number(data.byteLength));
}

/** write(2) of a text; its length is counted in UTF-8 bytes. */
export function writeText(fd: Fd, content: string): Syscall {
  return call("write", fdOperand(fd), text(content), textBytes(content));
}

export function mkdirat(directory: Fd, path: string, mode: number): Syscall {
  return call("mkdirat", directoryOperand(directory), text(path), octal(mode));
}

export function mknodat(
  directory: Fd,
  path: string,
  node: { readonly type: number; readonly mode: number; readonly device?: DeviceNumber },
): Syscall {
  return call(
    "mknodat",
    directoryOperand(directory),
    text(path),
    flags(fileModes, node.type | node.mode),
    hex(node.device === undefined ? 0 : makeDevice(node.device)),
  );
}

export function symlinkat(target: string, directory: Fd, path: string): Syscall {
  return call("symlinkat", text(target), directoryOperand(directory), text(path));
}

export function unlinkat(directory: Fd, path: string, unlinkFlags = 0): Syscall {
  return call(
    "unlinkat",
    directoryOperand(directory),
    text(path),
    flags({ AT_REMOVEDIR: atFlags.AT_REMOVEDIR }, unlinkFlags),
  );
}

export function renameat(from: string, to: string): Syscall {
  return call(
    "renameat2",
    directoryOperand(AT_FDCWD),
    text(from),
    directoryOperand(AT_FDCWD),
    text(to),
    number(0),
  );
}

export function fchmod(fd: Fd, mode: number): Syscall {
  return call("fchmod", fdOperand(fd), octal(mode));
}

export function fchmodat(directory: Fd, path: string, mode: number): Syscall {
  return call("fchmodat", directoryOperand(directory), text(path), octal(mode));
}

export function fchownat(
  directory: Fd,
  path: string,
  owner: { readonly uid: number; readonly gid: number; readonly flags?: number },
): Syscall {
  return call(
    "fchownat",
    directoryOperand(directory),
    text(path),
    number(owner.uid),
    number(owner.gid),
    flags(
      { AT_EMPTY_PATH: atFlags.AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW: atFlags.AT_SYMLINK_NOFOLLOW },
      owner.flags ?? 0,
    ),
  );
}

export function statx(directory: Fd, path: string, statFlags = 0): Syscall {
  return call(
    "statx",
    directoryOperand(directory),
    text(path),
    flags(
      { AT_EMPTY_PATH: atFlags.AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW: atFlags.AT_SYMLINK_NOFOLLOW },
      statFlags,
    ),
    flags(statxMasks, statxMasks.STATX_BASIC_STATS | statxMasks.STATX_MNT_ID),
    outputOperand(statxBuffer.sizeBytes),
  );
}

/** fsetxattr(2) of a text without a final NUL. */
export function fsetxattr(fd: Fd, name: string, value: string): Syscall {
  return call("fsetxattr", fdOperand(fd), text(name), text(value), textBytes(value), number(0));
}

export function fstatfs(fd: Fd): Syscall {
  return call("fstatfs", fdOperand(fd), outputOperand(statfsBuffer.sizeBytes));
}

export function faccessat2(
  directory: Fd,
  path: string,
  options: { readonly mode: number; readonly flags: number },
): Syscall {
  return call(
    "faccessat2",
    directoryOperand(directory),
    text(path),
    flags(accessModes, options.mode),
    flags(
      { AT_EACCESS: atFlags.AT_EACCESS, AT_SYMLINK_NOFOLLOW: atFlags.AT_SYMLINK_NOFOLLOW },
      options.flags,
    ),
  );
}

export function readlinkat(directory: Fd, path: string, sizeBytes: number): Syscall {
  return call(
    "readlinkat",
    directoryOperand(directory),
    text(path),
    outputOperand(sizeBytes),
    number(sizeBytes),
  );
}

export function getdents64(fd: Fd, sizeBytes: number): Syscall {
  return call("getdents64", fdOperand(fd), outputOperand(sizeBytes), number(sizeBytes));
}

export function chdir(path: string): Syscall {
  return call("chdir", text(path));
}

export function fchdir(fd: Fd): Syscall {
  return call("fchdir", fdOperand(fd));
}

export function chroot(path: string): Syscall {
  return call("chroot", text(path));
}

export function getcwd(sizeBytes: number): Syscall {
  return call("getcwd", outputOperand(sizeBytes), number(sizeBytes));
}

export function umask(mask: number): Syscall {
  return call("umask", octal(mask));
}

export function flock(fd: Fd, operation: number): Syscall {
  return call("flock", fdOperand(fd), flags(lockOperations, operation));
}

export function fsync(fd: Fd): Syscall {
  return call("fsync", fdOperand(fd));
}

export function memfdCreate(name: string, createFlags: number): Syscall {
  return call("memfd_create", text(name), flags(memfdFlags, createFlags));
}
