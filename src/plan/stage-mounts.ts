// Whether the sources of a config's binds are staged, and what is done with the namespaces of its idmapped mounts.

import type { MountIdmap } from "../inside/mounts/idmap.ts";
import { isBind, type MountEntry, sourcesToStage } from "../inside/mounts/mount.ts";
import { stageSources } from "../inside/mounts/stage.ts";
import { type Step, step } from "../program/step.ts";
import { closeRange } from "../syscall/files.ts";
import { type HostFacts, idmapFd } from "./host-facts.ts";

/** The sources of binds come over from a mount namespace of the host's, locked: where the container's has another owner. */
export function stagesMounts(
  namespaces: { readonly user: boolean; readonly madeMount: boolean },
  entries: readonly MountEntry[],
): boolean {
  return namespaces.user && namespaces.madeMount && entries.some(isBind);
}

/** Steps that stage them. Run by the stub as the host's root. */
export function stageMounts(entries: readonly MountEntry[], facts: HostFacts): Step[] {
  const { bundle, directory, links } = facts;
  const idmaps = mountIdmaps(facts);
  return [
    ...stageSources(sourcesToStage(entries, { bundle, idmaps, links }), directory),
    ...closeIdmaps(facts),
  ];
}

/** The translations of mounts by the descriptors that the stub has. */
export function mountIdmaps({ idmaps, preserveFds }: HostFacts): ReadonlyMap<number, MountIdmap> {
  const found = new Map<number, MountIdmap>();
  for (const [index, { source, recursive }] of idmaps.mounts) {
    found.set(index, { namespaceFd: idmapFd(preserveFds, source), recursive });
  }
  return found;
}

/** Steps that close the namespaces of idmapped mounts, which a container has no use for. */
export function closeIdmaps({ idmaps: { sources }, preserveFds }: HostFacts): Step[] {
  if (sources.length === 0) return [];
  const [first, last] = [idmapFd(preserveFds, 0), idmapFd(preserveFds, sources.length - 1)];
  return [step("closing the user namespaces of mounts", closeRange(first, last))];
}
