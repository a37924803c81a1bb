// Constants of the calls that open, make and look at files: open(2), openat2(2), statx(2), faccessat2(2), fcntl(2).

import { architecture } from "./architecture.ts";

// These two differ between the architectures that kept the alpha of the first port and the others.
const O_DIRECTORY = architecture === "aarch64" ? 0o40000 : 0o200000;
const O_NOFOLLOW = architecture === "aarch64" ? 0o100000 : 0o400000;

export const openFlags = {
  O_WRONLY: 0o1,
  O_RDWR: 0o2,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_NOCTTY: 0o400,
  O_TRUNC: 0o1000,
  O_APPEND: 0o2000,
  O_NONBLOCK: 0o4000,
  O_TMPFILE: 0o20000000 | O_DIRECTORY,
  O_SYNC: 0o4010000,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_CLOEXEC: 0o2000000,
  O_PATH: 0o10000000,
} as const;

export const resolveFlags = {
  RESOLVE_NO_XDEV: 0x01,
  RESOLVE_NO_MAGICLINKS: 0x02,
  RESOLVE_NO_SYMLINKS: 0x04,
  RESOLVE_BENEATH: 0x08,
  RESOLVE_IN_ROOT: 0x10,
} as const;

export const AT_FDCWD = -100;
export const atFlags = {
  AT_SYMLINK_NOFOLLOW: 0x100,
  AT_EACCESS: 0x200,
  AT_REMOVEDIR: 0x200,
  AT_SYMLINK_FOLLOW: 0x400,
  AT_EMPTY_PATH: 0x1000,
  AT_RECURSIVE: 0x8000,
} as const;

/** Bits of `faccessat2`'s mode. */
export const accessModes = { R_OK: 4, W_OK: 2, X_OK: 1 } as const;
export const F_OK = 0;

/** The type bits of a file's mode. */
export const fileTypes = {
  S_IFMT: 0o170000,
  S_IFSOCK: 0o140000,
  S_IFLNK: 0o120000,
  S_IFREG: 0o100000,
  S_IFBLK: 0o060000,
  S_IFDIR: 0o040000,
  S_IFCHR: 0o020000,
  S_IFIFO: 0o010000,
} as const;

export const statxMasks = {
  STATX_BASIC_STATS: 0x7ff,
  STATX_MNT_ID: 0x1000,
} as const;

export const fcntlCommands = {
  F_DUPFD: 0,
  F_GETFD: 1,
  F_SETFD: 2,
  F_GETFL: 3,
  F_SETFL: 4,
  F_DUPFD_CLOEXEC: 1030,
  F_ADD_SEALS: 1033,
  F_GET_SEALS: 1034,
} as const;
export const FD_CLOEXEC = 1;

export const sealFlags = {
  F_SEAL_SEAL: 1,
  F_SEAL_SHRINK: 2,
  F_SEAL_GROW: 4,
  F_SEAL_WRITE: 8,
} as const;
export const memfdFlags = { MFD_CLOEXEC: 1, MFD_ALLOW_SEALING: 2, MFD_EXEC: 0x10 } as const;

export const lockOperations = { LOCK_SH: 1, LOCK_EX: 2, LOCK_NB: 4, LOCK_UN: 8 } as const;

export const closeRangeFlags = { CLOSE_RANGE_UNSHARE: 2, CLOSE_RANGE_CLOEXEC: 4 } as const;
/** The `last` of close_range that means every descriptor from `first` on. */
export const lastFd = 0xffff_ffff;

/** Magic numbers of file systems, as statfs(2) reports them. */
export const fileSystemMagic = {
  PROC_SUPER_MAGIC: 0x9fa0,
  SYSFS_MAGIC: 0x62656572,
  TMPFS_MAGIC: 0x01021994,
  DEVPTS_SUPER_MAGIC: 0x1cd1,
  CGROUP_SUPER_MAGIC: 0x27e0eb,
  CGROUP2_SUPER_MAGIC: 0x63677270,
  SELINUX_MAGIC: 0xf97cff8c,
  NSFS_MAGIC: 0x6e736673,
} as const;

export type DeviceNumber = { readonly major: number; readonly minor: number };

/** Packs a device number as mknod(2) takes it: the kernel's 32-bit `new_encode_dev`. */
export function makeDevice({ major, minor }: DeviceNumber): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
