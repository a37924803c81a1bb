// Adds the maps of ids that a config leaves out, for an ordinary user: as crun does, which runc has no answer to.

import { execute } from "../ffi/execute.ts";
import { readTextIfPresent } from "../host/files.ts";
import { automaticMap, findSubordinateIds, findUserName } from "../plan/subordinate-ids.ts";
import type { IDMapping } from "../spec/types.ts";
import { getegid, geteuid } from "../syscall/processes.ts";

/**
 * Adds `linux.uidMappings` and `linux.gidMappings` to a config that asks for a new user namespace and has neither. What is
 * not a config is returned as it is: others say what is wrong with it. Run by the runtime.
 */
export function addAutomaticMaps(document: unknown): unknown {
  if (!isObject(document) || !isObject(document["linux"])) return document;
  const { linux } = document;
  if (!asksForUsers(linux["namespaces"]) || hasMaps(linux)) return document;
  const process = isObject(document["process"]) ? document["process"] : {};
  const user = isObject(process["user"]) ? process["user"] : {};
  const uid = execute(geteuid());
  const passwd = readTextIfPresent("/etc/passwd", "finding the name of the caller") ?? "";
  const owner = { name: findUserName(passwd, uid), id: uid };
  const map = (file: string, inside: unknown, outside: number): readonly IDMapping[] => {
    const text = readTextIfPresent(file, "finding the caller's subordinate ids") ?? "";
    const first = typeof inside === "number" ? inside : 0;
    return automaticMap(first, outside, findSubordinateIds(text, owner));
  };
  return {
    ...document,
    linux: {
      ...linux,
      uidMappings: map("/etc/subuid", user["uid"], uid),
      gidMappings: map("/etc/subgid", user["gid"], execute(getegid())),
    },
  };
}

function hasMaps({ uidMappings, gidMappings }: Readonly<Record<string, unknown>>): boolean {
  return [uidMappings, gidMappings].some((map) => !Array.isArray(map ?? []) || isFilled(map));
}

function isFilled(map: unknown): boolean {
  return Array.isArray(map) && map.length > 0;
}

function asksForUsers(namespaces: unknown): boolean {
  if (!Array.isArray(namespaces)) return false;
  return namespaces.some(
    (each: unknown) => isObject(each) && each["type"] === "user" && (each["path"] ?? "") === "",
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
