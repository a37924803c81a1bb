// The rules for the rest of `linux`: devices, sysctls, network devices, resctrl, memory policy, cgroup resources.

import { judgeIndexList } from "../index-list.ts";
import { hasNamespace } from "../namespaces.ts";
import type { LinuxResources } from "../resources.ts";
import { sysctlComponents, sysctlNamespace } from "../sysctl.ts";
import type { Device, MemoryPolicy, Spec } from "../types.ts";
import {
  type Finding,
  findEach,
  findEachMember,
  findNul,
  findWhen,
  isLongerThan,
  judgeAbsolute,
  judgeNul,
  type Rule,
  show,
} from "./rule.ts";

/** Largest numbers that the kernel's dev_t has room for. */
const majorMax = 0xfff;
const minorMax = 0xf_ffff;

/** Largest number that the kernel compares a device's with; a filter of v2 would take a larger one for another. */
const deviceNumberMax = 0xffff_ffff;
/** Largest weight of block IO, of every scheduler that has one. */
const weightMax = 1000;

export const linuxRules: readonly Rule<Spec>[] = [
  {
    section: "config-linux.md#devices",
    pointer: "/linux/devices",
    find: ({ linux }) => findEach(linux?.devices, judgeDevice),
  },
  {
    section: "config-linux.md#sysctl",
    pointer: "/linux/sysctl",
    find: (spec) =>
      findEachMember(spec.linux?.sysctl, (key, value) => judgeSysctl(spec, key, value)),
  },
  {
    section: "config-linux.md#network-devices",
    pointer: "/linux/netDevices",
    *find(spec, { rootless = false }) {
      const devices = spec.linux?.netDevices;
      const asked = Object.keys(devices ?? {}).length > 0;
      yield* findWhen(
        asked && !hasNamespace(spec, "network"),
        () =>
          `unable to move network devices without a private NET namespace, got ${show(devices)}`,
      );
      yield* findWhen(
        asked && rootless,
        () => `network devices are not supported for rootless containers, got ${show(devices)}`,
      );
      yield* findEachMember(devices, (key, { name = "" }) =>
        [key, name === "" ? key : name]
          .filter((each) => !isNetDeviceName(each))
          .map((each) => `invalid network device name ${show(each)}`)
          .at(0),
      );
      const names = Object.entries(devices ?? {}).map(([key, { name = "" }]) => name || key);
      const repeated = names.find((name, index) => names.indexOf(name) < index);
      yield* findWhen(
        repeated !== undefined,
        () => `gives two devices the same name ${show(repeated)}`,
      );
    },
  },
  {
    section: "config-linux.md#cgroups-path",
    pointer: "/linux/cgroupsPath",
    find: ({ linux }) => findNul(linux?.cgroupsPath),
  },
  {
    section: "config-linux.md#mount-label",
    pointer: "/linux/mountLabel",
    find: ({ linux }) => findNul(linux?.mountLabel),
  },
  {
    section: "config-linux.md#intelrdt",
    pointer: "/linux/intelRdt/closID",
    find: ({ linux }) => {
      // "/" alone is the root class of resctrl.
      const closID = linux?.intelRdt?.closID ?? "/";
      const broken = ["", ".", ".."].includes(closID) || (closID !== "/" && closID.includes("/"));
      return findWhen(broken, () => `invalid intelRdt.ClosID ${show(closID)}`);
    },
  },
  {
    section: "config-linux.md#memory-policy",
    pointer: "/linux/memoryPolicy",
    find: ({ linux }) => findMemoryPolicy(linux?.memoryPolicy),
  },
  {
    section: "config-linux.md#personality",
    pointer: "/linux/personality",
    find: ({ linux }) =>
      findWhen(
        linux?.personality !== undefined && linux.personality.domain === undefined,
        "must have a domain",
      ),
  },
];

/** The rules for cgroup resources, whether they are config.json's or stand alone for `update`. */
export const resourceRules: readonly Rule<LinuxResources>[] = [
  {
    section: "config-linux.md#allowed-device-list",
    pointer: "/devices",
    find: ({ devices }) => [
      ...findEach(devices, ({ type = "" }) =>
        ["", "a", "b", "c"].includes(type) ? undefined : `invalid cgroup device type ${show(type)}`,
      ),
      ...findEach(devices, ({ access = "" }) =>
        /^[rwm]*$/.test(access) ? undefined : `invalid cgroup device access ${show(access)}`,
      ),
      ...findEach(devices, ({ major = -1, minor = -1 }) =>
        [major, minor].some((number) => number < -1 || number > deviceNumberMax)
          ? `invalid device number ${major}:${minor}`
          : undefined,
      ),
    ],
  },
  {
    section: "config-linux.md#block-io",
    pointer: "/blockIO",
    *find({ blockIO: { weight, leafWeight, weightDevice = [] } = {} }) {
      yield* findWeights({ weight, leafWeight }, "");
      for (const [index, device] of weightDevice.entries()) {
        yield* findWeights(device, `/weightDevice/${index}`);
      }
    },
  },
  {
    // The kernel refuses it as a wrong quota.
    section: "config-linux.md#cpu",
    pointer: "/cpu/burst",
    find: ({ cpu: { burst = 0, quota = 0 } = {} }) =>
      findWhen(
        quota > 0 && burst > quota,
        () => `must be at most the quota of ${quota}, got ${burst}`,
      ),
  },
  {
    section: "config-linux.md#memory",
    pointer: "/memory/swappiness",
    find: ({ memory }) => {
      const swappiness = memory?.swappiness ?? 0;
      return findWhen(swappiness > 100, () => `must be from 0 to 100, got ${swappiness}`);
    },
  },
  {
    section: "config-linux.md#unified",
    pointer: "/unified",
    find: ({ unified }) =>
      findEachMember(unified, (key, value) => {
        if (!/^[^/\0]+$/.test(key) || key === "." || key === "..") {
          return `unified resource ${show(key)} must be a file name (no slashes)`;
        }
        return judgeString(value);
      }),
  },
];

function* findWeights(
  weights: { readonly weight?: number | undefined; readonly leafWeight?: number | undefined },
  at: string,
): Generator<Finding> {
  for (const name of ["weight", "leafWeight"] as const) {
    const weight = weights[name] ?? 0;
    const broken = weight > weightMax;
    yield* findWhen(broken, () => `must be at most ${weightMax}, got ${weight}`, `${at}/${name}`);
  }
}

/** What is wrong with a member of a map of strings; the schema does not look at keys like "\n". */
export function judgeString(value: unknown): string | undefined {
  return typeof value === "string" ? judgeNul(value) : `must be a string, got ${show(value)}`;
}

function judgeDevice({ type, path, major, minor }: Device): string | undefined {
  const place = judgeAbsolute(path);
  if (place !== undefined) return `has a bad path: ${place}`;
  // Spec: config-linux.md#devices (major and minor are required unless the type is p).
  if (type === "p") return undefined;
  if (major === undefined || minor === undefined)
    return `of type ${type} must have major and minor`;
  const fits = major >= 0 && major <= majorMax && minor >= 0 && minor <= minorMax;
  return fits ? undefined : `has the impossible device number ${major}:${minor}`;
}

/** Spec: config-linux.md#sysctl; only what a namespace of the container's own holds may be set. */
function judgeSysctl(spec: Spec, key: string, value: unknown): string | undefined {
  const components = sysctlComponents(key);
  if (components.some((part) => ["", ".", ".."].includes(part) || part.includes("\0"))) {
    return `sysctl ${show(key)} is not a name`;
  }
  const namespace = sysctlNamespace(components);
  if (namespace === undefined || (namespace === "uts" && !hasNamespace(spec, "uts"))) {
    return `sysctl ${show(key)} is not in a separate kernel namespace`;
  }
  if (namespace === "uts" && components.at(-1) === "hostname") {
    return `sysctl ${show(key)} is not allowed as it conflicts with the OCI "hostname" field`;
  }
  if (!hasNamespace(spec, namespace)) {
    return `sysctl ${show(key)} is not allowed in the hosts ${namespace} namespace`;
  }
  return judgeString(value);
}

/** Whether the kernel takes a name for a network device, dev_valid_name() with room for the NUL. */
function isNetDeviceName(name: string): boolean {
  if (name === "." || name === "..") return false;
  return !isLongerThan(15, name) && /^[^/:\s\0]+$/.test(name);
}

/** set_mempolicy(2): which modes need nodes, and which flags go together. */
function* findMemoryPolicy(policy: MemoryPolicy | undefined): Generator<Finding> {
  if (policy === undefined) return;
  const { mode, nodes = "", flags = [] } = policy;
  yield* findWhen(mode === undefined, () => `must have a mode, got ${show(policy)}`);
  const list = judgeIndexList(nodes);
  if (list !== undefined) yield { at: "/nodes", message: list };
  const empty = nodes.trim() === "";
  const local = mode === "MPOL_DEFAULT" || mode === "MPOL_LOCAL";
  yield* findWhen(
    local && !empty,
    () => `must be empty with ${mode}, got ${show(nodes)}`,
    "/nodes",
  );
  yield* findWhen(
    mode !== undefined && !local && mode !== "MPOL_PREFERRED" && empty,
    () => `must name a node with ${mode}`,
    "/nodes",
  );
  yield* findWhen(
    flags.includes("MPOL_F_STATIC_NODES") && flags.includes("MPOL_F_RELATIVE_NODES"),
    "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other",
    "/flags",
  );
}
