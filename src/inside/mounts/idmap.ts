// Idmapped mounts: files show other owners than they have on disk, as a user namespace translates them; mount_setattr(2).

import { atFlags } from "../../abi/file.ts";
import { mountAttributes } from "../../abi/mount.ts";
import { type Step, step } from "../../program/step.ts";
import { mountSetattr } from "../../syscall/mounts.ts";
import { slot } from "../../syscall/value.ts";

const { AT_EMPTY_PATH, AT_RECURSIVE } = atFlags;

/** The translation of one mount. */
export type MountIdmap = {
  /** Descriptor of the user namespace that translates. */
  readonly namespaceFd: number;
  /** The mounts below it are translated, too. */
  readonly recursive: boolean;
};

/**
 * Steps that give the detached mount in slot `name` its translation. Run by who is root where the file system was mounted: on
 * the host, as a rule. EINVAL: the file system, or the kernel, cannot; EPERM: it has been translated before.
 *
 * Spec: config-linux.md#mount-options (idmap): the mount MUST have an ID mapping applied.
 */
export function mapIds(
  doing: string,
  name: string,
  mount: { readonly source: string; readonly idmap: MountIdmap },
): Step[] {
  const { source, idmap } = mount;
  const flags = AT_EMPTY_PATH | (idmap.recursive ? AT_RECURSIVE : 0);
  const set = mountAttributes.MOUNT_ATTR_IDMAP;
  return [
    step(
      `${doing}: failed to set MOUNT_ATTR_IDMAP on ${source} (maybe the filesystem used doesn't support idmap mounts on this kernel, or is idmapped already)`,
      mountSetattr(slot(name), "", { flags, set, usernsFd: idmap.namespaceFd }),
    ),
  ];
}
