// Which unit of systemd holds a container and where its group is then: names and paths alone, for the systemd driver.
//
//   cgroupsPath "machine.slice:runc:box" --> slice machine.slice, unit runc-box.scope, group /machine.slice/runc-box.scope

import { raise } from "../base/fault.ts";
import {
  type CgroupPlan,
  type CgroupRequest,
  delegatedBelow,
  type PlannedHierarchy,
  requireController,
} from "./cgroup.ts";
import { type CgroupHost, joinPath } from "./cgroup-host.ts";
import { planResourcesV1 } from "./cgroup-v1.ts";
import { planResourcesV2 } from "./cgroup-v2.ts";

export type SystemdUnit = {
  /** `runc-box.scope`, or the name of a slice. */
  readonly name: string;
  /** The slice in which it is: `system.slice`. */
  readonly slice: string;
};

/** A value of D-Bus with its signature, as a property of a unit. */
export type UnitProperty = {
  readonly name: string;
  readonly signature: string;
  readonly value: UnitValue;
};

export type UnitValue = string | number | bigint | boolean | readonly UnitValue[];

const sliceSuffix = ".slice";

/**
 * Names the unit of a container.
 *
 * @throws `refused` in runc's words for a cgroupsPath that is not `slice:prefix:name`
 */
export function planUnit(
  { id, cgroupsPath = "" }: Pick<CgroupRequest, "id" | "cgroupsPath">,
  defaultSlice: string,
): SystemdUnit {
  const parts = cgroupsPath === "" ? ["", "runc", id] : cgroupsPath.split(":");
  const [slice = "", prefix = "", name = ""] = parts;
  if (parts.length !== 3) {
    const message = `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got ${JSON.stringify(cgroupsPath)} instead`;
    raise({ kind: "refused", message });
  }
  const unit = name.endsWith(sliceSuffix) ? name : `${prefix}-${name}.scope`;
  // systemd refuses it, too; here it must not become a path.
  if (unit.includes("/")) {
    raise({ kind: "refused", message: `invalid unit name: ${JSON.stringify(unit)}` });
  }
  return { name: unit, slice: slice === "" ? defaultSlice : slice };
}

/** Whether the unit is a slice, into which systemd moves no process. */
export function isSlice({ name }: Pick<SystemdUnit, "name">): boolean {
  return name.endsWith(sliceSuffix);
}

/**
 * Gives the path of a slice: `a-b.slice` is `/a.slice/a-b.slice`, `-.slice` the root; systemd.slice(5).
 *
 * @throws `refused` in runc's words
 */
export function expandSlice(slice: string): string {
  const refuse = (): never => raise({ kind: "refused", message: `invalid slice name: ${slice}` });
  if (!slice.endsWith(sliceSuffix) || slice === sliceSuffix || slice.includes("/")) refuse();
  const name = slice.slice(0, -sliceSuffix.length);
  if (name === "-") return "/";
  const components = name.split("-");
  if (components.includes("")) refuse();
  return components
    .map((_, index) => `/${components.slice(0, index + 1).join("-")}${sliceSuffix}`)
    .join("");
}

/** The v1 hierarchies that runc's systemd driver uses; systemd itself looks after a v2 tree beside them. */
const v1Controllers: readonly string[] = [
  ...["cpuset", "devices", "memory", "cpu", "cpuacct", "pids", "blkio", "hugetlb", "net_cls"],
  ...["net_prio", "perf_event", "freezer", "rdma", "name=systemd", "misc"],
];

/**
 * Plans the group of a container whose unit systemd makes: the unit's own, or the one below it that was asked for.
 *
 * @param managerGroup where the units of this manager are below the mount point: "" for process 1's
 * @throws `refused`, `host` as `planCgroup`
 */
export function planUnitCgroup(
  request: CgroupRequest,
  host: CgroupHost,
  { unit, managerGroup }: { readonly unit: SystemdUnit; readonly managerGroup: string },
): CgroupPlan {
  const { resources = {}, subgroups } = request;
  const below = subgroups?.ofUnit ?? "";
  const inner = `${managerGroup}/${expandSlice(unit.slice)}/${unit.name}/${below}`;
  if (host.version === "v2") {
    const { mountPoint } = host.hierarchy;
    const path = joinPath(mountPoint, inner);
    return {
      version: "v2",
      paths: { "": path },
      hierarchies: [{ controllers: [""], mountPoint, path }],
      controllers: host.controllers,
      owner: request.owner,
      adopts: true,
      ...delegatedBelow(path, request),
      ...planResourcesV2(resources),
    };
  }
  const hierarchies: readonly PlannedHierarchy[] = host.hierarchies
    .map(({ controllers, mountPoint }) => ({
      controllers: controllers.filter((controller) => v1Controllers.includes(controller)),
      mountPoint,
      path: joinPath(mountPoint, inner),
    }))
    .filter(({ controllers }) => controllers.length > 0);
  const paths = Object.fromEntries(
    hierarchies
      .map(({ controllers, path }) => controllers.map((controller) => [controller, path] as const))
      .flat(),
  );
  const planned = planResourcesV1(resources);
  for (const step of [...planned.beforeJoin, ...planned.steps]) requireController(step, paths);
  return { version: "v1", paths, hierarchies, controllers: [], adopts: true, ...planned };
}

/**
 * The properties with which the unit is started: runc's, and the ones that annotations ask for.
 *
 * @param around.pid of the process that systemd moves into a scope
 */
export function planUnitStart(
  unit: SystemdUnit,
  around: {
    readonly id: string;
    readonly pid: number;
    readonly version: CgroupPlan["version"];
    readonly asked: readonly UnitProperty[];
  },
): readonly UnitProperty[] {
  const { id, pid, version, asked } = around;
  const placed: readonly UnitProperty[] = isSlice(unit)
    ? [{ name: "Wants", signature: "as", value: [unit.slice] }]
    : [
        { name: "Slice", signature: "s", value: unit.slice },
        flag("Delegate", true),
        { name: "PIDs", signature: "au", value: [pid] },
      ];
  return [
    { name: "Description", signature: "s", value: `libcontainer container ${id}` },
    ...placed,
    flag("MemoryAccounting", true),
    flag("CPUAccounting", true),
    flag(version === "v2" ? "IOAccounting" : "BlockIOAccounting", true),
    flag("TasksAccounting", true),
    flag("DefaultDependencies", false),
    ...asked,
  ];
}

function flag(name: string, value: boolean): UnitProperty {
  return { name, signature: "b", value };
}
