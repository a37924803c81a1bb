// Which cgroup hierarchies the host has and where we are in them, from the texts of /proc; it reads nothing itself.

import { pathNames } from "../base/path.ts";

/** One mounted hierarchy. */
export type CgroupHierarchy = {
  /** What runc's state.json calls it: `["cpu", "cpuacct"]`, `["name=systemd"]`, `[""]` for the v2 tree of a hybrid host. */
  readonly controllers: readonly string[];
  readonly mountPoint: string;
  /** Absolute directory of the runtime's own cgroup. */
  readonly ownPath: string;
};

export type CgroupHost =
  /** At least one v1 hierarchy, or none at all; a v2 tree beside them ("hybrid") is one more hierarchy, without controllers. */
  | { readonly version: "v1"; readonly hierarchies: readonly CgroupHierarchy[] }
  /** /sys/fs/cgroup is cgroup v2. */
  | {
      readonly version: "v2";
      readonly hierarchy: CgroupHierarchy;
      /** Controllers that the root of the tree offers. */
      readonly controllers: readonly string[];
    };

/** Where hierarchies are mounted by convention; a v1 hierarchy elsewhere is used only if it is not here too. */
export const cgroupRoot = "/sys/fs/cgroup";

/**
 * Says where a process is in the v2 tree mounted at /sys/fs/cgroup.
 *
 * @param selfCgroup the text of /proc/self/cgroup
 * @param controllers the text of the root's cgroup.controllers
 */
export function parseCgroup2Host(selfCgroup: string, controllers: string): CgroupHost {
  const ownPath = unifiedGroup(selfCgroup);
  const hierarchy = { controllers: [""], mountPoint: cgroupRoot, ownPath };
  const words = controllers.trim();
  return { version: "v2", hierarchy, controllers: words === "" ? [] : words.split(" ") };
}

/** The directory of a process's group in the v2 tree mounted at /sys/fs/cgroup, from the text of /proc/PID/cgroup. */
export function unifiedGroup(cgroup: string): string {
  return joinPath(cgroupRoot, parseOwnCgroups(cgroup).get("") ?? "/");
}

/**
 * Lists the v1 hierarchies, and the v2 tree beside them.
 *
 * @param mountinfo the text of /proc/self/mountinfo
 * @param selfCgroup the text of /proc/self/cgroup
 */
export function parseCgroup1Host(mountinfo: string, selfCgroup: string): CgroupHost {
  const own = parseOwnCgroups(selfCgroup);
  const hierarchies: CgroupHierarchy[] = [];
  const places = new Map<string, number>();
  // Hosts with a thousand mounts are common and a dozen lines of them matter: the lines are found, not split.
  for (let at = mountinfo.indexOf(" - cgroup"); at !== -1; ) {
    const start = mountinfo.lastIndexOf("\n", at) + 1;
    const newline = mountinfo.indexOf("\n", at);
    const end = newline === -1 ? mountinfo.length : newline;
    const hierarchy = parseMount(mountinfo.slice(start, end), own);
    const name = hierarchy?.controllers.join(",");
    if (hierarchy !== undefined && name !== undefined) {
      const place = places.get(name) ?? hierarchies.length;
      const earlier = hierarchies[place];
      if (earlier === undefined || (!isConventional(earlier) && isConventional(hierarchy))) {
        hierarchies[place] = hierarchy;
        places.set(name, place);
      }
    }
    at = mountinfo.indexOf(" - cgroup", end);
  }
  return { version: "v1", hierarchies };
}

function isConventional(hierarchy: CgroupHierarchy): boolean {
  return hierarchy.mountPoint.startsWith(`${cgroupRoot}/`);
}

/** Controller (or `name=...`, or "" for v2) to our path in its hierarchy, from lines like `4:cpu,cpuacct:/user.slice`. */
function parseOwnCgroups(selfCgroup: string): Map<string, string> {
  const own = new Map<string, string>();
  for (const line of selfCgroup.split("\n")) {
    const first = line.indexOf(":");
    const second = line.indexOf(":", first + 1);
    if (second === -1) continue;
    const path = line.slice(second + 1);
    for (const controller of line.slice(first + 1, second).split(",")) own.set(controller, path);
  }
  return own;
}

/** Parses `40 31 0:37 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu`; proc_pid_mountinfo(5). */
function parseMount(line: string, own: ReadonlyMap<string, string>): CgroupHierarchy | undefined {
  const separator = line.indexOf(" - ");
  const [, , , root = "/", mountPoint = ""] = line.slice(0, separator).split(" ");
  const [type, , options = ""] = line.slice(separator + 3).split(" ");
  // runc joins a v2 tree beside v1 hierarchies too: some daemons look their clients up there.
  const controllers =
    type === "cgroup2" ? [""] : options.split(",").filter((option) => own.has(option));
  const [controller] = controllers;
  if (controller === undefined) return undefined;
  if (type === "cgroup2" && !mountPoint.startsWith(`${cgroupRoot}/`)) return undefined;
  const directory = unescapeMount(mountPoint);
  const inner = relativeTo(unescapeMount(root), own.get(controller) ?? "/");
  return { controllers, mountPoint: directory, ownPath: joinPath(directory, inner) };
}

/** In a container without a cgroup namespace, /proc shows the host's paths while only a part of the tree is mounted. */
function relativeTo(root: string, path: string): string {
  if (root === "/") return path;
  return path.startsWith(`${root}/`) ? path.slice(root.length) : "/";
}

/** A field of a mount table as it is: the kernel writes blanks, line ends and backslashes as octal numbers. */
export function unescapeMount(field: string): string {
  if (!field.includes("\\")) return field;
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/**
 * Joins a directory and a path below it; `..` stops at the directory.
 * The result has no trailing slash, no empty component, no `.` and no `..`.
 */
export function joinPath(directory: string, inner: string): string {
  return [directory, ...pathNames(inner)].join("/");
}
