// Mounts of a container that CRIU neither saves nor makes: what lies behind them is the host's. Told by the config alone.

import { withoutEndSlashes } from "../base/path.ts";
import { effectiveDevices } from "../inside/devices.ts";
import type { CgroupMountFacts } from "../inside/mounts/cgroup.ts";
import { absoluteSource, isBind, mountEntries } from "../inside/mounts/mount.ts";
import type { Spec } from "../spec/types.ts";
import { notifyDirectory } from "./host-facts.ts";

export type HostMount = {
  /** As config.json has it. */
  readonly destination: string;
  /** Absolute path on the host. */
  readonly source: string;
};

/** The bind mounts of the config, and the groups that are bound for an entry of type cgroup. */
export function externalMounts(
  spec: Spec,
  facts: { readonly bundle: string; readonly cgroup: CgroupMountFacts },
): readonly HostMount[] {
  return mountEntries(spec.mounts ?? [])
    .map(({ mount, options }) => {
      const { destination } = mount;
      if (mount.type === "cgroup" || mount.type === "cgroup2") {
        return cgroupBinds(destination, facts.cgroup);
      }
      if (!isBind({ mount, options })) return [];
      return [{ destination, source: absoluteSource(mount.source ?? "", facts.bundle) }];
    })
    .flat();
}

function cgroupBinds(destination: string, facts: CgroupMountFacts): readonly HostMount[] {
  // A namespace of its own comes with file systems of its own.
  if (facts.ownNamespace) return [];
  if (facts.version === "v2") {
    return facts.shown === undefined ? [] : [{ destination, source: facts.shown }];
  }
  const base = withoutEndSlashes(destination);
  return facts.hierarchies
    .map(({ directory, group }) =>
      group === undefined ? [] : [{ destination: `${base}/${directory}`, source: group }],
    )
    .flat();
}

/** The devices, which a container in a user namespace has as binds of the host's; what is not a mount is passed over. */
export function deviceMounts(spec: Spec): readonly HostMount[] {
  return effectiveDevices(spec.linux?.devices ?? []).map(({ path }) => ({
    destination: path,
    source: path,
  }));
}

/** What CRIU calls the null device that masks files. */
export const maskName = "/dev/null";

/** The directory of the notify socket, which is a new container's own. */
export function notifyMount(source: string): HostMount {
  return { destination: notifyDirectory, source };
}
