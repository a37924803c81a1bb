// What a mount says of ids: the maps of an idmapped mount, given or inherited, in the spellings of the specification and of crun.

import type { IDMapping, Mount, Spec } from "./types.ts";

/** The two maps of a user namespace. */
export type IdMaps = {
  readonly uids: readonly IDMapping[];
  readonly gids: readonly IDMapping[];
};

/** What a mount asks for. */
export type Idmap = {
  /** The mounts below the source are mapped, too. */
  readonly recursive: boolean;
  /** `container`: those of the container's user namespace. */
  readonly maps: IdMaps | "container";
};

/** What is wrong with an option, in words. */
export type BadIdmap = { readonly wrong: string };

/** Whether an option asks for an idmapped mount: `idmap`, `ridmap`, and crun's `idmap=uids=...;gids=...`. */
export function isIdmapOption(option: string): boolean {
  const name = option.startsWith("r") ? option.slice(1) : option;
  return name === "idmap" || name.startsWith("idmap=");
}

/**
 * What the mount asks for; undefined where it asks for nothing. Maps of its own count for more than those of an option, and
 * these for more than the container's.
 *
 * Spec: config.md#posix-platform-mounts (uidMappings), config-linux.md#mount-options (idmap, ridmap).
 */
export function readIdmap(mount: Mount, spec: Spec): Idmap | BadIdmap | undefined {
  const { uidMappings: uids = [], gidMappings: gids = [] } = mount;
  const option = mount.options?.findLast(isIdmapOption);
  if (option === undefined && uids.length + gids.length === 0) return undefined;
  const recursive = option?.startsWith("r") === true;
  if (uids.length + gids.length > 0) return { recursive, maps: { uids, gids } };
  const text = option?.split("=").slice(1).join("=") ?? "";
  if (text === "") return { recursive, maps: "container" };
  const maps = parseMaps(text, spec);
  return "wrong" in maps ? maps : { recursive, maps };
}

/** The maps of crun's option: `uids=0-1000-10#10-2000-1;gids=...`, with `@` in front of a map in the container's ids. */
function parseMaps(text: string, { linux }: Spec): IdMaps | BadIdmap {
  const maps: { uids?: readonly IDMapping[]; gids?: readonly IDMapping[] } = {};
  for (const item of text.split(";")) {
    const at = item.indexOf("=");
    const key = item.slice(0, Math.max(at, 0));
    if (key !== "uids" && key !== "gids")
      return { wrong: `has neither uids= nor gids= in ${item}` };
    if (maps[key] !== undefined) return { wrong: `has ${key} twice` };
    const outer = (key === "uids" ? linux?.uidMappings : linux?.gidMappings) ?? [];
    const map = parseMap(item.slice(at + 1), outer);
    if ("wrong" in map) return map;
    maps[key] = map.ranges;
  }
  const { uids, gids } = maps;
  if (uids === undefined || gids === undefined) return { wrong: "must have both uids and gids" };
  return { uids, gids };
}

type Ranges = { readonly ranges: readonly IDMapping[] };

function parseMap(text: string, outer: readonly IDMapping[]): Ranges | BadIdmap {
  const relative = text.startsWith("@");
  const ranges: IDMapping[] = [];
  for (const range of text.slice(relative ? 1 : 0).split("#")) {
    // Ten digits hold every id; what goes beyond the last one is for the rules.
    const [, containerID, hostID, size] = /^(\d{1,10})-(\d{1,10})-(\d{1,10})$/.exec(range) ?? [];
    if (size === undefined) return { wrong: `has ${range} where FROM-TO-LENGTH belongs` };
    const given = {
      containerID: Number(containerID),
      hostID: Number(hostID),
      size: Number(size),
    };
    if (!relative || given.size === 0) {
      ranges.push(given);
      continue;
    }
    const placed = throughContainer(given, outer);
    if (placed === undefined) return { wrong: `has ${range}, which the container does not map` };
    ranges.push(...placed);
  }
  return { ranges };
}

/** A range whose right side is in the container's ids, with the host's in their place; undefined where there are none. */
function throughContainer(
  { containerID, hostID, size }: IDMapping,
  outer: readonly IDMapping[],
): readonly IDMapping[] | undefined {
  const ranges: IDMapping[] = [];
  for (let done = 0; done < size; ) {
    const id = hostID + done;
    const range = outer.find((each) => id >= each.containerID && id < each.containerID + each.size);
    if (range === undefined) return undefined;
    const inRange = id - range.containerID;
    const length = Math.min(size - done, range.size - inRange);
    ranges.push({ containerID: containerID + done, hostID: range.hostID + inRange, size: length });
    done += length;
  }
  return ranges;
}
