// Who is to own the group of a container on cgroup v2, so that it can make groups of its own in it.

import { namespaceSource } from "../spec/namespaces.ts";
import type { Spec } from "../spec/types.ts";

/**
 * The host's uid of the container's process, where the container sees no group but its own and may write to it. On v1
 * nobody is given a group: delegation is not safe there; cgroups(7).
 *
 * Spec: config-linux.md#cgroup-ownership SHOULD change the owner under exactly these conditions.
 *
 * @returns undefined where the owner stays as it is
 */
export function cgroupOwner(spec: Spec): number | undefined {
  if (namespaceSource(spec, "cgroup").kind !== "new") return undefined;
  const mount = spec.mounts?.find(({ type }) => type === "cgroup" || type === "cgroup2");
  if (mount === undefined) return undefined;
  const access = mount.options?.findLast((option) => ["ro", "rro", "rw", "rrw"].includes(option));
  if (access === "ro" || access === "rro") return undefined;
  return processOwner(spec);
}

/** The host's uid of the container's process, whatever it sees. */
export function processOwner(spec: Spec): number | undefined {
  return hostUid(spec, spec.process?.user?.uid ?? 0);
}

/** Undefined where it is not mapped, or the map is that of a namespace that is joined. */
function hostUid(spec: Spec, uid: number): number | undefined {
  const { kind } = namespaceSource(spec, "user");
  if (kind === "inherited") return uid;
  const range = spec.linux?.uidMappings?.find(
    ({ containerID, size }) => containerID <= uid && uid < containerID + size,
  );
  return range === undefined ? undefined : range.hostID + uid - range.containerID;
}
