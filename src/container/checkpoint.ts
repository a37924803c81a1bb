// checkpoint: saves the processes of a container as files, by CRIU, and ends them unless told to leave them running.

import {
  AT_FDCWD,
  atFlags,
  fcntlCommands,
  fileTypes,
  openFlags,
  resolveFlags,
} from "../abi/file.ts";
import { readField, readWideField, statxBuffer } from "../abi/struct.ts";
import { debug } from "../base/debug.ts";
import { during, FaultError, raise } from "../base/fault.ts";
import { wordFaultError } from "../base/word-fault.ts";
import { execute, executeForOutput, mustForOutput } from "../ffi/execute.ts";
import { thaw } from "../host/cgroups/freezer.ts";
import { readCgroupHost } from "../host/cgroups/host.ts";
import type { CriuDirectories } from "../host/criu/directories.ts";
import type { Notification } from "../host/criu/service.ts";
import { cgroupMountFacts } from "../host/facts.ts";
import { type OwnedFd, openFile, own, readText, replaceFile } from "../host/files.ts";
import { openProcess, readLink, waitForEnd } from "../host/processes.ts";
import { cgroupVersion } from "../plan/cgroup-version.ts";
import {
  type DumpChoices,
  descriptorsName,
  dumpFreezer,
  dumpLog,
  namespacesLeftAlone,
  planDump,
} from "../plan/checkpoint.ts";
import type { CriuFeature, CriuOptions, ExternalMount } from "../plan/criu.ts";
import { deviceMounts, externalMounts, maskName, notifyMount } from "../plan/external-mounts.ts";
import { recallConfig } from "../spec/load.ts";
import type { ValidatedSpec } from "../spec/validate.ts";
import { close, fcntl, openat2, statx, write } from "../syscall/files.ts";
import { refuseIdmapped, refuseRootless, requireCriu, requireLeavingAlone } from "./criu-caller.ts";
import { destroyContainer } from "./delete.ts";
import { observe, observeLocked } from "./observe.ts";
import { type ContainerRecord, initIdentity, readRecord } from "./record.ts";
import { requireStatus } from "./status.ts";
import { type ContainerPlace, containerPaths, lockDirectory } from "./store.ts";

export type CheckpointOptions = ContainerPlace &
  DumpChoices & {
    /** Absolute. */
    readonly imagePath: string;
    readonly workPath: string | undefined;
    /** Gets a NUL byte when lazy pages can be fetched. */
    readonly statusFd: number | undefined;
    readonly warn: (message: string) => void;
  };

/**
 * Saves the container. Unless it is left running, or this was only a look at its memory, it is deleted then.
 *
 * @throws `id`, `status` faults; `host` when CRIU is missing, too old, or fails; the container goes on then
 */
export async function checkpointContainer(options: CheckpointOptions): Promise<void> {
  refuseRootless("checkpoint", options.warn);
  const paths = containerPaths(options);
  requireStatus("checkpoint", options.id, observe(paths, readRecord(paths)));
  const criu = await import("../host/criu/service.ts");
  const { makeCriuDirectories } = await import("../host/criu/directories.ts");
  using directory = lockDirectory(options, "forever");
  const record = readRecord(paths);
  const status = observeLocked(paths, record);
  requireStatus("checkpoint", options.id, status);
  using pidfd = openProcess(initIdentity(record));
  const spec = recallConfig(readText(paths.config, "reading the container's config"));
  refuseIdmapped(spec);
  const { imagePath: images, workPath: work } = options;
  const userNamespace = (spec.linux?.namespaces ?? []).some(({ type }) => type === "user");
  using directories = makeCriuDirectories({ images, work }, { userNamespace });
  // Relative to a directory that may just have been made.
  checkParent(options);
  const version = requireCriu(criu.readCriuVersion);
  requireFeatures(options, criu.missingFeatures);
  const statusFd = checkStatusFd(options);
  const opts = dumpOptions(options, { record, spec, version, directories, statusFd });
  if (!options.preDump) keepDescriptors(images, record);
  try {
    criu.askCriu(
      { type: options.preDump ? "PRE_DUMP" : "DUMP", opts },
      {
        notified: (notification) => act(notification, statusFd),
        // It has its own by now, and who waits for the end of the file must not wait for us.
        answered: () => opts.status_fd !== undefined && execute(close(opts.status_fd)),
      },
    );
  } catch (error) {
    const { quoteCriuLog } = await import("../host/criu/log.ts");
    for (const line of quoteCriuLog(`${directories.logs}/${dumpLog}`)) options.warn(line);
    throw error;
  }
  debug(() => `${options.id} is saved in ${images}`);
  if (options.leaveRunning || options.preDump || directory === undefined) return;
  await destroy(options, { record, pidfd, frozen: status === "paused" });
}

/** The images are there: what is left of the container is a warning. */
async function destroy(
  options: CheckpointOptions,
  container: {
    readonly record: ContainerRecord;
    readonly pidfd: OwnedFd | undefined;
    readonly frozen: boolean;
  },
): Promise<void> {
  const { record, pidfd, frozen } = container;
  try {
    // What CRIU has killed while it was frozen dies when it is thawed.
    if (frozen) thaw(record.cgroup_paths);
    if (pidfd !== undefined && !waitForEnd(pidfd, endTimeoutMs)) {
      raise({ kind: "status", message: "container init still running" });
    }
    await destroyContainer(options, record);
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    options.warn(wordFaultError(error));
  }
}

const endTimeoutMs = 10_000;

/** @throws `refused` fault in runc's words */
function checkParent({ imagePath, parentPath }: CheckpointOptions): void {
  if (parentPath === undefined) return;
  if (parentPath.startsWith("/")) {
    raise({ kind: "refused", message: "--parent-path must be relative" });
  }
  const path = `${imagePath}/${parentPath}`;
  const { result, output } = executeForOutput(statx(AT_FDCWD, path));
  const reason =
    result < 0
      ? "no such file or directory"
      : fileType(output) === fileTypes.S_IFDIR
        ? undefined
        : "not a directory";
  if (reason !== undefined) {
    raise({ kind: "refused", message: `invalid --parent-path: stat ${path}: ${reason}` });
  }
}

function fileType(stat: Uint8Array): number {
  return readField(statxBuffer, stat, "stx_mode") & fileTypes.S_IFMT;
}

const featureNames: Readonly<Record<CriuFeature, string>> = {
  mem_track: "MemTrack",
  lazy_pages: "LazyPages",
};

/** @throws `host` fault in runc's words when CRIU, or the kernel, cannot do what is asked for */
function requireFeatures(
  { preDump, lazyPages }: CheckpointOptions,
  findMissing: (wanted: readonly CriuFeature[]) => readonly CriuFeature[],
): void {
  const wanted: readonly CriuFeature[] = [
    ...(preDump ? (["mem_track"] as const) : []),
    ...(lazyPages ? (["lazy_pages"] as const) : []),
  ];
  if (wanted.length === 0) return;
  const missing = during("CRIU feature check failed", () => findMissing(wanted));
  if (missing.length === 0) return;
  const names = missing.map((feature) => featureNames[feature]);
  raise({ kind: "host", message: `criu is missing features: [${names.join(" ")}]` });
}

const accessMode = openFlags.O_WRONLY | openFlags.O_RDWR;

/**
 * The descriptor that is told when lazy pages can be fetched, once it is known to be one that can be written.
 *
 * @throws `refused` fault
 */
function checkStatusFd({ statusFd, lazyPages }: CheckpointOptions): number | undefined {
  if (statusFd === undefined || !lazyPages) return undefined;
  const flags = execute(fcntl(statusFd, fcntlCommands.F_GETFL, 0));
  const refuse = (reason: string): never =>
    raise({ kind: "refused", message: `invalid --status-fd argument ${statusFd}: ${reason}` });
  // One that the caller has not opened may be the runtime's own.
  const isOwn = readLink(`/proc/self/fd/${statusFd}`)?.startsWith("anon_inode:") === true;
  if (flags < 0 || isOwn) refuse("bad file descriptor");
  if ((flags & accessMode) === 0) refuse("not writable");
  return statusFd;
}

/** From here on CRIU says by a notification when pages can be fetched. */
const notifiesReady = 31500;

function dumpOptions(
  options: CheckpointOptions,
  container: {
    readonly record: ContainerRecord;
    readonly spec: ValidatedSpec;
    readonly version: number;
    readonly directories: CriuDirectories;
    readonly statusFd: number | undefined;
  },
): CriuOptions {
  const { record, spec, version, directories, statusFd } = container;
  const { init_process_pid: pid, cgroup_paths: groups, tsRunc } = record;
  const external = namespacesLeftAlone(spec.linux ?? {});
  requireLeavingAlone(external, { version, process: "checkpointing" });
  return planDump(options, {
    imagesFd: directories.images.fd,
    workFd: directories.work?.fd,
    pid,
    rootfs: tsRunc.rootfs,
    annotations: spec.annotations ?? {},
    external: external.map(({ type, path }) => ({ type, inode: readInode(path) })),
    freezer: dumpFreezer(groups, { cgroups: cgroupVersion(groups), criu: version }),
    mounts: options.preDump ? [] : findExternalMounts(record, spec),
    statusFd: version < notifiesReady ? statusFd : undefined,
  });
}

function readInode(path: string): bigint {
  const { output } = mustForOutput(statx(AT_FDCWD, path), "looking at a namespace");
  return readWideField(statxBuffer, output, "stx_ino");
}

/** The mounts of the container that come from outside, by the paths at which they really are in it. */
function findExternalMounts(
  record: ContainerRecord,
  spec: ValidatedSpec,
): readonly ExternalMount[] {
  const { bundle, notifies } = record.tsRunc;
  const linux = spec.linux ?? {};
  const cgroup = cgroupMountFacts(linux, readCgroupHost(), { paths: record.cgroup_paths });
  using root = openFile(`/proc/${record.init_process_pid}/root`, {
    flags: openFlags.O_PATH | openFlags.O_DIRECTORY,
    doing: "opening the container's root",
  });
  const mounts = [
    ...externalMounts(spec, { bundle, cgroup }),
    ...(notifies ? [notifyMount("")] : []),
    ...deviceMounts(spec),
  ];
  return [
    ...mounts.map(({ destination }) => {
      const path = resolveIn(root, destination)?.path ?? destination;
      return { key: path, val: path };
    }),
    ...(linux.maskedPaths ?? [])
      .map((path) =>
        // A directory is masked by a tmpfs, which is the container's.
        resolveIn(root, path)?.type === "other" ? [{ key: path, val: maskName }] : [],
      )
      .flat(),
  ];
}

/** Where a path of the container leads; undefined where nothing is there. */
function resolveIn(
  root: OwnedFd,
  path: string,
): { readonly path: string; readonly type: "directory" | "other" } | undefined {
  const resolve = resolveFlags.RESOLVE_IN_ROOT | resolveFlags.RESOLVE_NO_MAGICLINKS;
  const flags = openFlags.O_PATH | openFlags.O_CLOEXEC;
  const fd = execute(openat2(root.fd, path, { flags, resolve }));
  if (fd < 0) return undefined;
  using found = own(fd);
  const { output } = executeForOutput(statx(found.fd, "", atFlags.AT_EMPTY_PATH));
  return {
    path: readLink(`/proc/self/fd/${found.fd}`) ?? path,
    type: fileType(output) === fileTypes.S_IFDIR ? "directory" : "other",
  };
}

function keepDescriptors(images: string, record: ContainerRecord): void {
  const path = `${images}/${descriptorsName}`;
  replaceFile(path, JSON.stringify(record.external_descriptors), {
    mode: 0o600,
    doing: "writing what the standard streams are",
    temporary: `${path}.new`,
  });
}

/**
 * What is done when CRIU says something. Networks are not locked: runtimes give a container no devices but the loopback's.
 */
function act({ script }: Notification, statusFd: number | undefined): void {
  if (script !== "status-ready" || statusFd === undefined) return;
  // Who waited may have gone.
  execute(write(statusFd, new Uint8Array(1)));
  execute(close(statusFd));
}
