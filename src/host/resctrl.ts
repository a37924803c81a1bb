// Groups of the resctrl file system (Intel RDT, AMD QoS): shares of cache and memory bandwidth, and counting them; linux.intelRdt.

import { errnos } from "../abi/errno.ts";
import { AT_FDCWD, openFlags } from "../abi/file.ts";
import { debug } from "../base/debug.ts";
import { FaultError, raise } from "../base/fault.ts";
import { UndoStack } from "../base/undo-stack.ts";
import { must } from "../ffi/execute.ts";
import { unescapeMount } from "../plan/cgroup-host.ts";
import type { IntelRdt } from "../spec/types.ts";
import { mkdirat } from "../syscall/files.ts";
import {
  exists,
  openFile,
  readText,
  readTextIfPresent,
  tryRemoveDirectory,
  writeAll,
} from "./files.ts";

/** Where a container's processes are to be counted and limited, and what has to be made for it. */
export type ResctrlPlan = {
  readonly root: string;
  /** The class's directory, absolute. */
  readonly group: string;
  /** The directory of the monitoring group below it, if one is asked for. */
  readonly monitoring: string | undefined;
  /** Lines for the class's `schemata`. */
  readonly schemata: readonly string[];
  /** Those of the directories that are missing, the inner one first, as they are removed. */
  readonly missing: readonly string[];
};

/**
 * Finds out what a container needs; changes nothing. The words are runc's.
 *
 * Spec: config-linux.md#intelrdt.
 *
 * @throws `refused` fault where the host has no such thing, or the class is another one than was meant
 */
export function planResctrl(id: string, asked: IntelRdt): ResctrlPlan {
  const table = readText("/proc/self/mountinfo", "finding the resctrl file system");
  const root = findResctrl(table);
  const { closID, l3CacheSchema = "", memBwSchema = "", enableMonitoring = false } = asked;
  const refuse = (message: string): never => raise({ kind: "refused", message });
  if (l3CacheSchema !== "" && !(root !== undefined && hasInfo(root, "L3", "L3CODE"))) {
    refuse("intelRdt.l3CacheSchema is specified in config, but Intel RDT/CAT is not enabled");
  }
  if (memBwSchema !== "" && !(root !== undefined && hasInfo(root, "MB"))) {
    refuse("intelRdt.memBwSchema is specified in config, but Intel RDT/MBA is not enabled");
  }
  if (root === undefined) {
    return refuse(
      "intelRdt is specified in config, but Intel RDT is not supported or enabled (no resctrl file system is mounted)",
    );
  }
  const group = closID === "/" ? root : `${root}/${closID ?? id}`;
  const monitoring = enableMonitoring ? `${group}/mon_groups/${id}` : undefined;
  const simple = simpleSchemata(asked);
  const schemata = [...simple, ...(asked.schemata ?? [])];
  if (closID !== undefined && schemata.length === 0 && !exists(group)) {
    refuse(
      `clos dir not accessible (must be pre-created when l3CacheSchema and memBwSchema are empty): stat ${group}: no such file or directory`,
    );
  }
  if (closID !== undefined && exists(group)) requireSame(group, simple);
  const wanted = [...(monitoring === undefined ? [] : [monitoring]), group];
  return { root, group, monitoring, schemata, missing: wanted.filter((path) => !exists(path)) };
}

/** The mount point of resctrl in a mount table, mountinfo of proc_pid_mountinfo(5). */
export function findResctrl(table: string): string | undefined {
  for (const line of table.split("\n")) {
    const [mount = "", source = ""] = line.split(" - ");
    if (source.split(" ")[0] === "resctrl") return unescapeMount(mount.split(" ")[4] ?? "");
  }
  return undefined;
}

function hasInfo(root: string, ...names: readonly string[]): boolean {
  return names.some((name) => exists(`${root}/info/${name}`));
}

/** Spec: config-linux.md#intelrdt: memBwSchema says more than a line for bandwidth in l3CacheSchema. */
function simpleSchemata({ l3CacheSchema = "", memBwSchema = "" }: IntelRdt): readonly string[] {
  const cache = l3CacheSchema
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !(memBwSchema !== "" && line.startsWith("MB:")));
  return memBwSchema === "" ? cache : [...cache, memBwSchema];
}

/** Spec: config-linux.md#intelrdt MUST (an error when a class that is there has another schema). */
function requireSame(group: string, wanted: readonly string[]): void {
  if (wanted.length === 0) return;
  const found = readTextIfPresent(`${group}/schemata`, "reading the class's schemata") ?? "";
  const there = new Map(found.split("\n").map(readSchema).flat());
  for (const [key, value] of wanted.map(readSchema).flat()) {
    if (there.get(key) === value) continue;
    raise({
      kind: "refused",
      message: `intelRdt.closID: ${group} is there, with ${key}=${there.get(key) ?? "(nothing)"}, and the config wants ${value}`,
    });
  }
}

/** `L3:0=00f;1=3` as entries: bit masks of any length are compared by value, other numbers are as they are. */
function readSchema(line: string): readonly (readonly [key: string, value: string])[] {
  const [resource = "", domains = ""] = line.trim().split(":");
  return domains
    .split(";")
    .filter((domain) => domain.includes("="))
    .map((domain) => {
      const [number = "", value = ""] = domain.split("=").map((part) => part.trim());
      return [`${resource}:${number}`, value.toLowerCase().replace(/^0+(?=.)/, "")];
    });
}

/**
 * Makes the groups, gives the class its schemata and puts the process there, before it has made others. Run by the runtime.
 *
 * @returns takes back what was made
 * @throws `syscall` fault, with what resctrl says of it
 */
export function enterResctrl(pid: number, plan: ResctrlPlan): Disposable {
  const undo = new UndoStack();
  undo.defer(() => removeResctrl(plan.missing));
  try {
    const { group, monitoring } = plan;
    if (plan.missing.includes(group)) makeGroup(group);
    if (plan.schemata.length > 0) write(plan, `${group}/schemata`, `${plan.schemata.join("\n")}\n`);
    write(plan, `${group}/tasks`, `${pid}`);
    if (monitoring !== undefined) {
      if (plan.missing.includes(monitoring)) makeGroup(monitoring);
      write(plan, `${monitoring}/tasks`, `${pid}`);
    }
    return undo;
  } catch (error) {
    undo.dispose();
    throw error;
  }
}

function makeGroup(path: string): void {
  must(mkdirat(AT_FDCWD, path, 0o755), "making the resctrl group (linux.intelRdt)");
}

/** Writes as a shell does. What was wrong with it resctrl says in a file. */
function write({ root }: Pick<ResctrlPlan, "root">, path: string, content: string): void {
  const doing = `writing ${JSON.stringify(content.trim())} to ${path} (linux.intelRdt)`;
  const flags = openFlags.O_WRONLY | openFlags.O_CREAT | openFlags.O_TRUNC;
  using file = openFile(path, { flags, mode: 0o644, doing });
  try {
    writeAll(file.fd, content, doing);
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    const said = readTextIfPresent(`${root}/info/last_cmd_status`, doing)?.trim() ?? "";
    throw said === "" ? error : error.within(`last_cmd_status: ${said}`);
  }
}

/** What a container's class is to have from now on; undefined where nothing is said. */
export type NewSchemata = Pick<IntelRdt, "l3CacheSchema" | "memBwSchema">;

/**
 * Gives a class new schemata. What it had for other resources and domains stays: resctrl takes each line for itself.
 *
 * @returns puts the old ones back
 * @throws `syscall` fault, with what resctrl says of it
 */
export function changeSchemata(group: string, asked: NewSchemata): () => void {
  const path = `${group}/schemata`;
  const place = { root: findHostResctrl(asked) };
  const before = readText(path, "reading the class's schemata");
  write(place, path, `${simpleSchemata(asked).join("\n")}\n`);
  return () => write(place, path, before);
}

/**
 * Finds resctrl, with what is asked of it. The words are runc's.
 *
 * @throws `refused` fault
 */
export function findHostResctrl({ l3CacheSchema, memBwSchema }: NewSchemata): string {
  const root = findResctrl(readText("/proc/self/mountinfo", "finding the resctrl file system"));
  const refuse = (message: string): never => raise({ kind: "refused", message });
  if (l3CacheSchema !== undefined && (root === undefined || !hasInfo(root, "L3", "L3CODE"))) {
    return refuse("Intel RDT/CAT: l3 cache schema is not enabled");
  }
  if (root === undefined || (memBwSchema !== undefined && !hasInfo(root, "MB"))) {
    return refuse("Intel RDT/MBA: memory bandwidth schema is not enabled");
  }
  return root;
}

/** Puts a process of exec into the groups of its container; one that is gone limits nobody any more. */
export function joinResctrl(pid: number, groups: readonly string[]): void {
  for (const group of groups) {
    if (exists(group)) write({ root: group }, `${group}/tasks`, `${pid}`);
  }
}

/** Takes back what was made for a container that cannot be: why is what the caller has to know. */
function removeResctrl(directories: readonly string[]): void {
  for (const path of directories) {
    const result = tryRemoveDirectory(path);
    if (result < 0 && result !== -errnos.ENOENT) {
      debug(() => `the resctrl group ${path} cannot be removed: errno ${-result}`);
    }
  }
}
