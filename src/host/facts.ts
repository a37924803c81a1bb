// Gathers what planning a container needs to know about the host and the caller; each fact is read once.

import { capabilityMax } from "../abi/capability.ts";
import { AT_FDCWD, atFlags, FD_CLOEXEC, fcntlCommands, fileTypes } from "../abi/file.ts";
import { prctlOptions } from "../abi/process.ts";
import { readField, readWideField, rlimit64, statxBuffer } from "../abi/struct.ts";
import { raise } from "../base/fault.ts";
import { pathNames } from "../base/path.ts";
import { readEntryRecord } from "../ffi/entry-record.ts";
import { execute, executeForOutput, mustForOutput } from "../ffi/execute.ts";
import type { CgroupPlaces } from "../inside/cgroup.ts";
import type { CgroupMountFacts } from "../inside/mounts/cgroup.ts";
import type { RootFacts } from "../inside/rootfs.ts";
import type { CgroupPaths, CgroupPlan } from "../plan/cgroup.ts";
import { type CgroupHost, cgroupRoot, unescapeMount } from "../plan/cgroup-host.ts";
import type { Linux, Spec } from "../spec/types.ts";
import { fcntl, statx } from "../syscall/files.ts";
import { getpid, prctl, prlimitRead } from "../syscall/processes.ts";
import { readTextIfPresent } from "./files.ts";
import { readLink } from "./processes.ts";

/**
 * Looks at the rootfs: it must be a directory, and no link.
 *
 * Spec: config.md#root: path MUST be a directory that exists.
 *
 * @throws `refused` fault
 */
export function readRootFacts(path: string, propagation: string | undefined): RootFacts {
  const { result, output } = executeForOutput(statx(AT_FDCWD, path, atFlags.AT_SYMLINK_NOFOLLOW));
  if (result < 0) {
    return raise({ kind: "refused", message: `rootfs (${path}) does not exist` });
  }
  const type = readField(statxBuffer, output, "stx_mode") & fileTypes.S_IFMT;
  if (type === fileTypes.S_IFLNK) {
    return raise({ kind: "refused", message: `rootfs (${path}) must not be a symbolic link` });
  }
  if (type !== fileTypes.S_IFDIR) {
    return raise({ kind: "refused", message: `rootfs (${path}) is not a directory` });
  }
  const major = readField(statxBuffer, output, "stx_dev_major");
  const minor = readField(statxBuffer, output, "stx_dev_minor");
  return {
    path,
    device: `${major}:${minor}`,
    inode: readWideField(statxBuffer, output, "stx_ino"),
    // Only a shared root asks for it, and a mount table can be long.
    parentMount: propagation?.endsWith("shared") === true ? mountPointOf(path) : "/",
  };
}

/** The mount point that the path lies on: the longest one in the mount table that it starts with. */
function mountPointOf(path: string): string {
  return readMountTable("finding the mount below the rootfs")
    .map(mountPointIn)
    .filter((point) => isWithin(path, point))
    .reduce((longest, point) => (point.length > longest.length ? point : longest), "/");
}

/** Where proc and sysfs are mounted whole on the host, outside of the rootfs: with nothing of them masked, they tell all. */
export function readWholeMounts(rootfs: string): readonly string[] {
  return readMountTable("finding what --no-pivot would leave in sight")
    .filter((line) => line.split(" ")[3] === "/" && / - (proc|sysfs) /.test(line))
    .map(mountPointIn)
    .filter((point) => !isWithin(point, rootfs));
}

function readMountTable(doing: string): readonly string[] {
  const table = readTextIfPresent("/proc/self/mountinfo", doing) ?? "";
  return table.split("\n").filter((line) => line !== "");
}

/** The mount point in a line of mountinfo. */
function mountPointIn(line: string): string {
  return unescapeMount(line.split(" ")[4] ?? "");
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === "/" ? "/" : `${directory}/`);
}

/** What a mount of type cgroup shows, from where the container's groups will be. */
export function cgroupMountFacts(
  linux: Linux,
  host: CgroupHost,
  plan: { readonly paths: CgroupPaths; readonly wanted?: CgroupPaths },
): CgroupMountFacts {
  const has = (wanted: string) => (linux.namespaces ?? []).some(({ type }) => type === wanted);
  const ownNamespace = has("cgroup");
  if (host.version === "v2") {
    if (plan.paths[""] === undefined) {
      return { version: "v2", ownNamespace, shown: undefined, hidden: true };
    }
    // All of it, as with runc; but not to a user who may own more of it than this group (CVE-2023-25809).
    const owned = has("user") || isInUserNamespace();
    return {
      version: "v2",
      ownNamespace,
      shown: owned ? plan.paths[""] : cgroupRoot,
    };
  }
  const hierarchies = host.hierarchies
    .map(({ controllers, mountPoint, ownPath }) => {
      const [first = ""] = controllers;
      // The unused v2 tree of a hybrid host is not shown, as with runc.
      if (first === "") return [];
      const directory = mountPoint.slice(mountPoint.lastIndexOf("/") + 1);
      const links = controllers.length > 1 ? controllers.filter((name) => name !== directory) : [];
      // Where it may have no group of its own it is in ours.
      const group = plan.paths[first] ?? (plan.wanted?.[first] === undefined ? undefined : ownPath);
      return [{ directory, option: controllers.join(","), group, links }];
    })
    .flat();
  return { version: "v1", ownNamespace, hierarchies };
}

/** The groups that init joins: each directory once, since co-mounted controllers share one. */
export function cgroupPlaces({ version, paths }: CgroupPlan): CgroupPlaces {
  const v1 = Object.entries(paths).filter(([controller]) => controller !== "");
  return {
    v1: version === "v2" ? [] : [...new Set(v1.map(([, path]) => path))],
    v2: paths[""],
  };
}

/** Which of the standard streams are the null device. */
export function readNullStreams(): number[] {
  return [0, 1, 2].filter((fd) => {
    const { result, output } = executeForOutput(statx(fd, "", atFlags.AT_EMPTY_PATH));
    return (
      result === 0 &&
      (readField(statxBuffer, output, "stx_mode") & fileTypes.S_IFMT) === fileTypes.S_IFCHR &&
      readField(statxBuffer, output, "stx_rdev_major") === 1 &&
      readField(statxBuffer, output, "stx_rdev_minor") === 3
    );
  });
}

/** What the standard streams are, as runc's state.json tells: for restoring them. */
export function readStandardStreams(): string[] {
  return [0, 1, 2].map((fd) => readLink(`/proc/self/fd/${fd}`) ?? "");
}

/** The limit of open files that our caller has given us: Bun raises the soft one before any code of ours runs. */
export function readCallerOpenFiles(): { readonly soft: bigint; readonly hard: bigint } {
  const noted = readEntryRecord();
  return noted === undefined ? readOpenFiles() : openFilesIn(noted);
}

/** Our own limit of open files, as Bun has raised it. */
export function readOpenFiles(): { readonly soft: bigint; readonly hard: bigint } {
  const call = prlimitRead(0, "RLIMIT_NOFILE");
  return openFilesIn(mustForOutput(call, "reading the limit of open files").output);
}

function openFilesIn(output: Uint8Array): { readonly soft: bigint; readonly hard: bigint } {
  return {
    soft: readWideField(rlimit64, output, "rlim_cur"),
    hard: readWideField(rlimit64, output, "rlim_max"),
  };
}

/** Number of the last capability that the kernel has: asked for from the last one on that we have a name for. */
export function readLastCapability(): number {
  let last = capabilityMax;
  while (execute(prctl(prctlOptions.PR_CAPBSET_READ, last + 1)) >= 0) last += 1;
  while (last > 0 && execute(prctl(prctlOptions.PR_CAPBSET_READ, last)) < 0) last -= 1;
  return last;
}

/** Inode of the initial user namespace, which the kernel promises to tools (PROC_USER_INIT_INO). */
const initialUserNamespace = 0xefff_fffd;

/** Whether we are in a user namespace other than the initial one: then device nodes cannot be made. */
export function isInUserNamespace(): boolean {
  const { result, output } = executeForOutput(statx(AT_FDCWD, "/proc/self/ns/user"));
  return result === 0 && readField(statxBuffer, output, "stx_ino") !== initialUserNamespace;
}

/** What Bun opens first when it starts: it gets the lowest number that its caller has left free. */
const firstOfBun = "anon_inode:[eventpoll]";

/**
 * Lets the container have the descriptors from 3 on: Bun has marked them close-on-exec.
 *
 * One that the caller has not opened is not free: Bun's own, or one of ours, has taken the number, and must not get into the
 * container (CVE-2024-21626). Of several that are missing, the first is Bun's.
 *
 * @param count how many, those of socket activation included
 * @throws `refused` fault when one of them is not open
 */
export function releasePreservedFds(count: number): void {
  for (let fd = 3; fd < 3 + count; fd += 1) {
    const flags = execute(fcntl(fd, fcntlCommands.F_GETFD, 0));
    if (flags < 0 || readLink(`/proc/self/fd/${fd}`) === firstOfBun) {
      raise({
        kind: "refused",
        message: `unable to preserve fd ${fd}: it is not open (check --preserve-fds and $LISTEN_FDS)`,
      });
    }
    execute(fcntl(fd, fcntlCommands.F_SETFD, flags & ~FD_CLOEXEC));
  }
}

/**
 * The number of sockets that a service manager has handed to us, sd_listen_fds(3): to us only if LISTEN_PID says so, for
 * the variables are inherited by processes that the descriptors are not for.
 */
export function readListenFds(): number {
  const { LISTEN_FDS, LISTEN_PID } = process.env;
  if (LISTEN_FDS === undefined || LISTEN_PID !== `${execute(getpid())}`) return 0;
  const count = Number(LISTEN_FDS);
  return Number.isInteger(count) && count > 0 && count < 1024 ? count : 0;
}

/** Absolute path of the rootfs. Spec: config.md#root: a relative path is relative to the bundle. */
export function rootfsPath(spec: Spec, bundle: string): string {
  const path = spec.root?.path ?? "";
  return `/${pathNames(path.startsWith("/") ? path : `${bundle}/${path}`).join("/")}`;
}
