// What is remembered of a container: state.json in its directory, with the keys that tools read from runc's.

import { raise } from "../base/fault.ts";
import { readTextIfPresent, replaceFile } from "../host/files.ts";
import type { ProcessIdentity } from "../host/processes.ts";
import type { UnitPlace } from "../host/systemd/unit.ts";
import type { CgroupPaths } from "../plan/cgroup.ts";
import type { Hook } from "../spec/types.ts";
import type { ContainerPaths } from "./store.ts";

/** The format of `tsRunc`; another one is refused by everything but `delete --force`. */
const formatVersion = 1;

/** What start and exec need to know of the container's seccomp filter. */
export type FilterRecord = {
  /** Of its program, among those that are cached. */
  readonly key: string;
  /** SECCOMP_FILTER_FLAG_* */
  readonly flags: number;
  readonly loadedBy: "create" | "start";
};

/** runc's keys, and ours under `tsRunc`. */
export type ContainerRecord = {
  readonly id: string;
  /** 0 until init is parked. */
  readonly init_process_pid: number;
  readonly init_process_start: number;
  readonly created: string;
  readonly rootless: boolean;
  readonly cgroup_paths: CgroupPaths;
  /** Type to /proc/PID/ns/NAME. */
  readonly namespace_paths: Readonly<Record<string, string>>;
  /** What descriptors 0 to 2 were. */
  readonly external_descriptors: readonly string[];
  /** Its class in resctrl; empty without one. */
  readonly intel_rdt_path: string;
  readonly intel_rdt_mon_path?: string;
  readonly tsRunc: {
    readonly formatVersion: number;
    readonly ociVersion: string;
    readonly bundle: string;
    readonly rootfs: string;
    readonly annotations: Readonly<Record<string, string>>;
    readonly ownerUid: number;
    /** `intent` is written before the first effect, `created` when init is about to be parked. */
    readonly phase: "intent" | "created";
    /** The runtime that makes the container, while hooks run that may keep it for ever. */
    readonly maker?: ProcessIdentity;
    /** Where the program was found, as the container's user. */
    readonly program: string;
    /** HOME for a config that has none. */
    readonly home: string;
    /** Descriptors from 3 on that the container keeps, those of socket activation included. */
    readonly preserveFds: number;
    readonly listenFds: number;
    /** Whether the container was left without a session keyring of its own. */
    readonly noNewKeyring: boolean;
    /** `process.execCPUAffinity.initial`, which exec obeys before it knows anything else of the config. */
    readonly initialAffinity?: string;
    /** The config's poststop hooks; absent when it has none. */
    readonly poststop?: readonly Hook[];
    /** Undefined without a seccomp filter. */
    readonly filter: FilterRecord | undefined;
    /** Init has been shown the directory of a notify socket. */
    readonly notifies: boolean;
    /** The end of init then ends every process of the container. */
    readonly ownPidNamespace: boolean;
    /** The cgroup directories that we made ourselves and may remove. */
    readonly madeCgroups: readonly string[];
    /** The directories of resctrl that we made ourselves and may remove, the inner one first. */
    readonly madeResctrl?: readonly string[];
    /** The unit of systemd that holds the container; absent where we made its groups ourselves. */
    readonly systemdUnit?: UnitPlace;
    /** The limit of open files that the caller of create had. */
    readonly callerOpenFiles: { readonly soft: string; readonly hard: string };
  };
};

/** A record in the format of this version. */
export function newRecord(
  fields: Omit<ContainerRecord, "tsRunc"> & {
    readonly tsRunc: Omit<ContainerRecord["tsRunc"], "formatVersion">;
  },
): ContainerRecord {
  return { ...fields, tsRunc: { formatVersion, ...fields.tsRunc } };
}

/** Name of the session keyring of a container's processes, which is runc's. */
export function keyringName(id: string): string {
  return `_ses.${id}`;
}

/** Init as the record knows it. */
export function initIdentity(record: ContainerRecord): ProcessIdentity {
  return { pid: record.init_process_pid, startTimeTicks: record.init_process_start };
}

/**
 * Writes the record, whole or not at all.
 *
 * @throws `syscall` fault
 */
export function writeRecord(paths: ContainerPaths, record: ContainerRecord): void {
  replaceFile(paths.record, JSON.stringify(record), {
    mode: 0o600,
    doing: "writing the container's state",
    temporary: `${paths.record}.new`,
  });
}

/**
 * Reads the record of a container.
 *
 * @throws `id` fault when there is none; `refused` when it is not ours or of another version
 */
export function readRecord(paths: ContainerPaths): ContainerRecord {
  const text = readTextIfPresent(paths.record, "reading the container's state");
  if (text === undefined) return raise({ kind: "id", message: "container does not exist" });
  const value: unknown = parse(text, paths.record);
  if (isRecord(value)) return value;
  return raise({
    kind: "refused",
    message: `${paths.record} was written by another version of ts-runc, or not by ts-runc`,
  });
}

/** Key in state.json, as runc writes it, and name below /proc/PID/ns. */
const namespaceNames: readonly (readonly [key: string, name: string])[] = [
  ["NEWNS", "mnt"],
  ["NEWNET", "net"],
  ["NEWUTS", "uts"],
  ["NEWIPC", "ipc"],
  ["NEWPID", "pid"],
  ["NEWUSER", "user"],
  ["NEWCGROUP", "cgroup"],
];

/**
 * Where the namespaces of a process can be found: tools that enter containers read it from state.json.
 *
 * @param time whether the container has a time namespace, for the kernel may have been built without them
 */
export function namespacePaths(pid: number, time: boolean): Readonly<Record<string, string>> {
  const names = time ? [...namespaceNames, ["NEWTIME", "time"] as const] : namespaceNames;
  const paths: Record<string, string> = {};
  for (const [key, name] of names) paths[key] = `/proc/${pid}/ns/${name}`;
  return paths;
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    return raise({ kind: "refused", message: `${path} is damaged: ${String(cause)}` }, cause);
  }
}

/** Checks what we rely on; the directory is root's, so the rest may be trusted to be as we wrote it. */
function isRecord(value: unknown): value is ContainerRecord {
  if (typeof value !== "object" || value === null || !("tsRunc" in value)) return false;
  const { tsRunc } = value;
  return (
    "init_process_pid" in value &&
    typeof value.init_process_pid === "number" &&
    "init_process_start" in value &&
    typeof value.init_process_start === "number" &&
    "cgroup_paths" in value &&
    typeof value.cgroup_paths === "object" &&
    typeof tsRunc === "object" &&
    tsRunc !== null &&
    "formatVersion" in tsRunc &&
    tsRunc.formatVersion === formatVersion
  );
}
