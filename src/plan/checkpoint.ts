// What CRIU is asked for a checkpoint: the dump's options as data, from what the caller wants and what the container is.

import { criuConfig } from "../spec/annotations.ts";
import type { Linux, Namespace, NamespaceType } from "../spec/types.ts";
import type { CriuCgroupMode, CriuOptions, ExternalMount } from "./criu.ts";

/** The options that checkpoint and restore share. */
export type CriuChoices = {
  readonly tcpEstablished: boolean;
  readonly externalUnixSockets: boolean;
  readonly shellJob: boolean;
  readonly fileLocks: boolean;
  readonly cgroupMode: CriuCgroupMode;
  readonly autoDedup: boolean;
  readonly lazyPages: boolean;
};

export type DumpChoices = CriuChoices & {
  /** Relative to the images of this dump. */
  readonly parentPath: string | undefined;
  readonly leaveRunning: boolean;
  readonly tcpSkipInFlight: boolean;
  readonly linkRemap: boolean;
  readonly preDump: boolean;
  readonly pageServer: { readonly address: string; readonly port: number } | undefined;
};

/** Why network devices are never CRIU's: runtimes neither make nor configure them. CLONE_NEWNET of clone(2). */
export const emptyNamespaces = 0x4000_0000;

/** The level at which CRIU says what it does. */
const logLevel = 4;
export const dumpLog = "dump.log";

/** Name of the file beside the images that says what the standard streams were; runc's. */
export const descriptorsName = "descriptors.json";

export type DumpFacts = {
  readonly imagesFd: number;
  readonly workFd: number | undefined;
  readonly pid: number;
  readonly rootfs: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** Namespaces of others, each with its inode. */
  readonly external: readonly { readonly type: NamespaceType; readonly inode: bigint }[];
  readonly freezer: string | undefined;
  /** Where the mounts are that come from outside. */
  readonly mounts: readonly ExternalMount[];
  /** For a CRIU that says by itself when its pages can be fetched. */
  readonly statusFd: number | undefined;
};

/** Plans the options of a dump, or of a pre-dump, which looks at memory alone. */
export function planDump(choices: DumpChoices, facts: DumpFacts): CriuOptions {
  const { pageServer, parentPath } = choices;
  return {
    ...sharedOptions(choices, facts),
    log_file: dumpLog,
    pid: facts.pid,
    root: facts.rootfs,
    leave_running: choices.leaveRunning,
    tcp_skip_in_flight: choices.tcpSkipInFlight,
    link_remap: choices.linkRemap,
    external: facts.external.map(
      ({ type, inode }) => `${namespaceName(type)}[${inode}]:${externalKey(type)}`,
    ),
    ...(facts.freezer === undefined ? {} : { freeze_cgroup: facts.freezer }),
    ...(pageServer === undefined ? {} : { ps: pageServer }),
    ...(parentPath === undefined ? {} : { parent_img: parentPath, track_mem: true }),
    ...(facts.statusFd === undefined ? {} : { status_fd: facts.statusFd }),
    ...(choices.preDump ? {} : { ext_mnt: facts.mounts }),
  };
}

/** What a dump and a restore say alike. */
export function sharedOptions(
  choices: CriuChoices,
  facts: Pick<DumpFacts, "imagesFd" | "workFd" | "annotations">,
): CriuOptions {
  return {
    images_dir_fd: facts.imagesFd,
    ...(facts.workFd === undefined ? {} : { work_dir_fd: facts.workFd }),
    log_level: logLevel,
    notify_scripts: true,
    // For a CRIU that does not know the mode.
    manage_cgroups: true,
    manage_cgroups_mode: choices.cgroupMode,
    shell_job: choices.shellJob,
    ext_unix_sk: choices.externalUnixSockets,
    tcp_established: choices.tcpEstablished,
    file_locks: choices.fileLocks,
    empty_ns: emptyNamespaces,
    orphan_pts_master: true,
    auto_dedup: choices.autoDedup,
    lazy_pages: choices.lazyPages,
    ...configFile(facts.annotations),
  };
}

/** A file whose settings stand above ours: the annotation's; none when that is empty; runc's own without it. */
function configFile(
  annotations: Readonly<Record<string, string>>,
): Pick<CriuOptions, "config_file"> {
  const file = annotations[criuConfig] ?? "/etc/criu/runc.conf";
  return file === "" ? {} : { config_file: file };
}

const namespaceNames: Readonly<Record<NamespaceType, string>> = {
  pid: "pid",
  network: "net",
  mount: "mnt",
  ipc: "ipc",
  uts: "uts",
  user: "user",
  cgroup: "cgroup",
  time: "time",
};

/** The kernel's name, as below /proc/PID/ns. */
export function namespaceName(type: NamespaceType): string {
  return namespaceNames[type];
}

/** What a namespace that is not the container's is called between dump and restore. */
export function externalKey(type: NamespaceType): string {
  const name = namespaceName(type);
  return `extRoot${name.charAt(0).toUpperCase()}${name.slice(1)}NS`;
}

/** Namespaces that CRIU can be told to leave alone, and since which version. */
const leftAlone: readonly (readonly [type: NamespaceType, sinceVersion: number])[] = [
  ["network", 31100],
  ["pid", 31500],
];

export type JoinedNamespace = Namespace & { readonly path: string; readonly sinceVersion: number };

/** The namespaces that the container shares with others and that stay as they are, while CRIU dumps and restores. */
export function namespacesLeftAlone({ namespaces = [] }: Linux): readonly JoinedNamespace[] {
  return leftAlone
    .map(([type, sinceVersion]) =>
      namespaces
        .map((namespace) => {
          const { path = "" } = namespace;
          return namespace.type === type && path !== "" ? [{ type, path, sinceVersion }] : [];
        })
        .flat(),
    )
    .flat();
}

/** The freezer that stops what is dumped: CRIU would otherwise stop one process after the other with ptrace(2). */
export function dumpFreezer(
  paths: Readonly<Record<string, string>>,
  version: { readonly cgroups: "v1" | "v2"; readonly criu: number },
): string | undefined {
  if (version.cgroups === "v1") return paths["freezer"];
  return version.criu >= 31400 ? paths[""] : undefined;
}
