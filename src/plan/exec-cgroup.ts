// Where the process of `exec` belongs among the container's cgroups, and what `--cgroup` changes of it; pure.

import { raise } from "../base/fault.ts";
import { pathNames } from "../base/path.ts";
import type { CgroupPlaces } from "../inside/cgroup.ts";
import type { CgroupPaths } from "./cgroup.ts";

/** Controller to path below the container's group; "" stands for every hierarchy. */
export type SubCgroups = ReadonlyMap<string, string>;

/**
 * Parses the values of `--cgroup`: one path for all hierarchies, or `controller[,controller]:path`, more than once.
 *
 * @throws `refused` fault in runc's words
 */
export function parseSubCgroups(given: readonly string[]): SubCgroups {
  const refuse = (message: string): never => raise({ kind: "refused", message });
  const paths = new Map<string, string>();
  for (const argument of given) {
    const at = argument.indexOf(":");
    const controllers = at < 0 ? [""] : argument.slice(0, at).split(",");
    if (at < 0 && given.length > 1) {
      refuse(`invalid --cgroup argument: ${argument} (missing <controller>: prefix)`);
    }
    for (const controller of controllers) {
      if (at >= 0 && controller === "") {
        refuse(`invalid --cgroup argument: ${argument} (empty <controller> prefix)`);
      }
      if (paths.has(controller)) {
        refuse(`invalid --cgroup argument(s): controller ${controller} specified multiple times`);
      }
      paths.set(controller, argument.slice(at + 1));
    }
  }
  return paths;
}

/**
 * The directories that the process joins: the container's own groups, or those below them that were asked for.
 *
 * @throws `refused` fault in runc's words for a controller that the container has not, and a path that leaves its group
 */
export function execCgroupPlaces(paths: CgroupPaths, subCgroups: SubCgroups): CgroupPlaces {
  const chosen = { ...paths };
  for (const [controller, path] of subCgroups) {
    const keys = controller === "" ? Object.keys(paths) : [controller];
    for (const key of keys) chosen[key] = subCgroup(paths, key, path);
  }
  const { "": v2, ...v1 } = chosen;
  return { v1: [...new Set(Object.values(v1))], v2 };
}

function subCgroup(paths: CgroupPaths, controller: string, path: string): string {
  const own = paths[controller];
  if (own === undefined) {
    return raise({
      kind: "refused",
      message: `unknown controller ${controller} in SubCgroupPaths`,
    });
  }
  const directory = `/${pathNames(`${own}/${path}`).join("/")}`;
  if (directory === own || directory.startsWith(`${own}/`)) return directory;
  return raise({ kind: "refused", message: `${path} is not a sub cgroup path` });
}
