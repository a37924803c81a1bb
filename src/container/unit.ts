// The unit of systemd that holds a container, from its plan to its end; loaded only where systemd looks after cgroups.
//
//   prepareUnit      before anything is made: which unit, which groups
//   start            the stub is in the unit, and everything that it starts is born there
//   setResources     systemd knows the limits and device rules, and keeps them when it sets the group up anew

import { leaveUnit, refuseUsed } from "../host/cgroups/make.ts";
import { exists, readText } from "../host/files.ts";
import {
  readSystemdFacts,
  setUnitProperties,
  startUnit,
  stopUnit,
  type UnitPlace,
} from "../host/systemd/unit.ts";
import type { CgroupPlan, CgroupRequest } from "../plan/cgroup.ts";
import type { CgroupHost } from "../plan/cgroup-host.ts";
import { cgroupVersion } from "../plan/cgroup-version.ts";
import { planAskedProperties } from "../plan/systemd-annotations.ts";
import { planUnitDevices } from "../plan/systemd-devices.ts";
import { planUnitResources, planUnitReturn } from "../plan/systemd-resources.ts";
import { isSlice, planUnit, planUnitCgroup, planUnitStart } from "../plan/systemd-unit.ts";
import type { LinuxResources } from "../spec/resources.ts";
import type { ContainerRecord } from "./record.ts";

export type ContainerUnit = {
  readonly place: UnitPlace;
  readonly cgroup: CgroupPlan;
  /** Starts the unit with this process in it. */
  readonly start: (pid: number) => Promise<void>;
  /** Has systemd keep the resources; it writes some files of the group then, which have to be written after it. */
  readonly setResources: () => Promise<void>;
  /** Stops the unit where it was started. */
  readonly stop: (warn: (message: string) => void) => Promise<void>;
};

/**
 * Plans the unit of a container. Changes nothing.
 *
 * @param rootless whether it is the user's own manager that is asked
 * @throws `refused`, `host` faults
 */
export async function prepareUnit(
  request: CgroupRequest & { readonly annotations: Readonly<Record<string, string>> },
  host: CgroupHost,
  rootless: boolean,
): Promise<ContainerUnit> {
  const { id, resources = {}, annotations, subgroups } = request;
  const manager = rootless ? "user" : "system";
  const defaultSlice = rootless && host.version === "v2" ? "user.slice" : "system.slice";
  const unit = planUnit(request, defaultSlice);
  if (subgroups !== undefined && isSlice(unit)) {
    (await import("../plan/subgroups.ts")).refuseBelowSlice(subgroups, unit.name);
  }
  const asked = planAskedProperties(annotations);
  const facts = await readSystemdFacts(manager);
  const around = { unit, managerGroup: facts.group };
  const cgroup = planUnitCgroup(request, host, around);
  const below = (subgroups?.ofUnit ?? "") !== "";
  const ofUnit = below
    ? planUnitCgroup({ ...request, subgroups: undefined }, host, around)
    : cgroup;
  const { version } = cgroup;
  const place: UnitPlace = { name: unit.name, manager };
  const limits = planUnitResources(resources, { version, systemd: facts.version });
  // A group below the unit has its own, exact ones; those of the unit, which systemd has to say in its words, would be in force too.
  const devices = below ? [] : planUnitDevices(resources.devices ?? [], readDeviceGroups());
  // On v1 systemd moves a unit's processes when it begins to look after their devices, and past the unit's own group, into the
  // slice's, where the rules are others: it does from the first moment. On v2 the group's own filter takes the place of systemd's.
  const early = version === "v1" ? [...devices, ...asked] : asked;
  const state = { started: false };
  return {
    place,
    cgroup,
    start: async (pid) => {
      const existing = ofUnit.hierarchies.filter(({ path }) => exists(path));
      if (existing.length > 0) refuseUsed(ofUnit, existing);
      await startUnit(place, planUnitStart(unit, { id, pid, version, asked: early }));
      // Before that, a unit of this name is somebody else's.
      state.started = true;
      if (below && version === "v2") leaveUnit(cgroup, pid);
    },
    setResources: () => setUnitProperties(place, [...devices, ...limits]),
    stop: async (warn) => {
      if (state.started) await stopUnit(place, warn);
    },
  };
}

function readDeviceGroups(): string {
  return readText("/proc/devices", "finding the names of devices");
}

/**
 * Has systemd keep the new resources of a container, which update.ts writes; device rules stay.
 *
 * @returns what takes that back
 */
export async function updateUnit(
  place: UnitPlace,
  { cgroup_paths: paths }: ContainerRecord,
  change: { readonly from: LinuxResources; readonly to: LinuxResources },
): Promise<() => Promise<void>> {
  const facts = await readSystemdFacts(place.manager);
  const version = cgroupVersion(paths);
  const plan = (resources: LinuxResources) =>
    planUnitResources(resources, { version, systemd: facts.version });
  const changed = plan(change.to);
  await setUnitProperties(place, changed);
  return () => setUnitProperties(place, planUnitReturn(changed, plan(change.from)));
}

export { stopUnit };
