// What crun's annotations for groups of a container's own mean here; loaded only for a config that has them.
//
//   cgroupfs   GROUP                        the container's group: limits, state.json, root of its cgroup namespace
//   systemd    UNIT[/SUBGROUP]              the same; systemd looks after the unit alone
//              .../DELEGATED-CGROUP         init, on v2: what the container makes of it is the container's business

import { raise } from "../base/fault.ts";
import { delegateCgroup, subgroupsOf, systemdSubgroup } from "../spec/annotations.ts";
import type { Spec } from "../spec/types.ts";
import type { CgroupPlan, Subgroups } from "./cgroup.ts";
import { processOwner } from "./cgroup-owner.ts";

/** Who makes the container's groups, on what. */
type Manager = {
  readonly manager: "cgroupfs" | "systemd" | "disabled";
  readonly version: CgroupPlan["version"];
  /** The runtime can give nothing away. */
  readonly ordinaryUser: boolean;
};

/**
 * Plans the groups that the annotations ask for; that they are names of groups has been checked.
 *
 * @throws `refused` fault, with the annotation and its value, for what cannot be had here
 */
export function planSubgroups(spec: Spec, { manager, version, ordinaryUser }: Manager): Subgroups {
  const { subgroup, delegated } = subgroupsOf(spec);
  if (subgroup !== "" && manager !== "systemd") {
    refuse(systemdSubgroup, subgroup, "there is no unit of systemd without --systemd-cgroup");
  }
  if (delegated !== "" && manager === "disabled") {
    refuse(delegateCgroup, delegated, "--cgroup-manager disabled makes no group to have it in");
  }
  // crun's words in front.
  if (delegated !== "" && version === "v1") {
    const reason = "delegate-cgroup not supported on cgroup v1, where delegation is not safe";
    refuse(delegateCgroup, delegated, reason);
  }
  const owner = ordinaryUser ? undefined : processOwner(spec);
  return {
    ofUnit: subgroup,
    delegated: delegated === "" ? undefined : { name: delegated, owner },
  };
}

/**
 * Refuses groups below a slice: systemd delegates scopes alone, and looks after what is in a slice itself.
 *
 * @throws `refused` fault
 */
export function refuseBelowSlice({ ofUnit, delegated }: Subgroups, slice: string): void {
  const reason = `the unit is ${slice}, and systemd delegates no slice`;
  if (ofUnit !== "") refuse(systemdSubgroup, ofUnit, reason);
  if (delegated !== undefined) refuse(delegateCgroup, delegated.name, reason);
}

function refuse(annotation: string, value: string, reason: string): never {
  raise({ kind: "refused", message: `annotation ${annotation}=${value}: ${reason}` });
}
