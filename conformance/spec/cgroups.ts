// Where the cgroups of a process are on this machine, and what is written in them.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { Unmet } from "./expect.ts";
import { readText } from "./room.ts";

type Hierarchy = { readonly place: string; readonly controllers: readonly string[] };

/** The hierarchies that are mounted; that of v2 has no controllers here. */
function hierarchies(): readonly Hierarchy[] {
  return readText("/proc/self/mountinfo")
    .split("\n")
    .flatMap((line) => {
      const [front = "", back = ""] = line.split(" - ");
      const [type, , options = ""] = back.split(" ");
      const place = front.split(" ")[4] ?? "";
      if (type === "cgroup2") return [{ place, controllers: [] }];
      return type === "cgroup" ? [{ place, controllers: options.split(",") }] : [];
    });
}

/** Whether this machine has v2 only. */
export const isV2 = existsSync("/sys/fs/cgroup/cgroup.controllers");

/** The groups of a process, one for each hierarchy that is mounted. */
export function groupsOf(pid: number): readonly string[] {
  const all = hierarchies();
  return readText(`/proc/${pid}/cgroup`)
    .split("\n")
    .flatMap((line) => {
      const [, names = "", path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      const controllers = names.split(",").filter((name) => name !== "");
      const found = all.find((each) =>
        controllers.length === 0
          ? each.controllers.length === 0
          : controllers.every((name) => each.controllers.includes(name)),
      );
      return found === undefined || path === undefined ? [] : [join(found.place, path)];
    });
}

/** Whether a controller can be used. */
export function hasController(name: string): boolean {
  if (isV2) return readText("/sys/fs/cgroup/cgroup.controllers").split(/\s/).includes(name);
  return hierarchies().some(({ controllers }) => controllers.includes(name));
}

/** What a file of a process's group says: `memory.max` on v2, its older name on v1. */
export function groupSetting(
  pid: number,
  names: { readonly v1: string; readonly v2: string },
): string {
  const name = isV2 ? names.v2 : names.v1;
  const group = groupsOf(pid).find((each) => existsSync(join(each, name)));
  if (group === undefined) throw new Unmet(`no group of the process has ${name}`);
  return readText(join(group, name)).trim();
}
