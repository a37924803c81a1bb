// Finds the user namespaces that translate the ids of a config's idmapped mounts; not how they come to be.

import { unreachable } from "../base/assert.ts";
import { raise } from "../base/fault.ts";
import { type IdMaps, readIdmap } from "../spec/idmap.ts";
import { namespaceSource } from "../spec/namespaces.ts";
import type { Spec } from "../spec/types.ts";
import type { IdmapPlan, IdmapSource } from "./idmaps.ts";

/** Each is a process for a moment, and a descriptor while mounts are made. */
const sourcesMax = 64;

/**
 * Finds the namespaces for the idmapped mounts.
 *
 * @throws `refused` fault when there are too many different ones
 */
export function planIdmaps(spec: Spec): IdmapPlan {
  const sources = new Map<string, number>();
  const planned: IdmapSource[] = [];
  const mounts = new Map<number, { source: number; recursive: boolean }>();
  for (const [index, mount] of (spec.mounts ?? []).entries()) {
    const idmap = readIdmap(mount, spec);
    if (idmap === undefined || "wrong" in idmap) continue;
    const source = idmap.maps === "container" ? containerSource(spec) : own(idmap.maps);
    const key = JSON.stringify(source);
    const known = sources.get(key);
    if (known === undefined) {
      sources.set(key, planned.length);
      planned.push(source);
    }
    mounts.set(index, { source: known ?? planned.length - 1, recursive: idmap.recursive });
  }
  if (planned.length > sourcesMax) {
    raise({
      kind: "refused",
      message: `the mounts have ${planned.length} different id mappings, more than the ${sourcesMax} that are possible`,
    });
  }
  return { sources: planned, mounts };
}

function own(maps: IdMaps): IdmapSource {
  return { kind: "maps", maps };
}

/** A namespace with the maps that the container's will have does as well, and is there before the container. */
function containerSource(spec: Spec): IdmapSource {
  const source = namespaceSource(spec, "user");
  switch (source.kind) {
    case "joined":
      return { kind: "path", path: source.path };
    case "new":
    case "inherited": {
      const { uidMappings: uids = [], gidMappings: gids = [] } = spec.linux ?? {};
      return own({ uids, gids });
    }
    default:
      return unreachable(source);
  }
}
