// Tests of what a config may not lack: each is refused without it.

import { hasController } from "./cgroups.ts";
import { type Config, proc } from "./config.ts";
import { needs } from "./expect.ts";
import type { Test, Tests } from "./room.ts";

/** Create has to refuse each of the configs. */
function refusesEach(...changes: readonly Config[]): Test {
  return (room) => {
    for (const change of changes) room.refuses(change);
  };
}

/** The object with each of these properties left out, one at a time. */
function without(
  whole: Readonly<Record<string, unknown>>,
  ...names: readonly string[]
): readonly object[] {
  return names.map((name) =>
    Object.fromEntries(Object.entries(whole).filter(([key]) => key !== name)),
  );
}

const resources = (change: object): Config => ({ linux: { resources: change } });
const device = { path: "/dev/mine", type: "c", major: 1, minor: 3 };
const mapping = { containerID: 0, hostID: 1000, size: 10 };
const argument = { index: 0, value: 0, op: "SCMP_CMP_EQ" };
const rule = { names: ["acct"], action: "SCMP_ACT_ERRNO" };
const seccomp = (syscall: object): Config => ({
  linux: { seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [syscall] } },
});
const throttle = (entry: object) => resources({ blockIO: { throttleReadBpsDevice: [entry] } });

export const requiredTests: Tests = {
  "version-required": refusesEach({ ociVersion: undefined }),
  "root-required": refusesEach({ root: undefined }),
  "root-path-required": refusesEach({ root: { readonly: true } }),
  "mounts-destination-required": refusesEach({
    mounts: [proc, { type: "tmpfs", source: "tmpfs" }],
  }),
  "cwd-required": refusesEach({ process: { cwd: undefined } }),
  "args-required": refusesEach({ process: { args: undefined } }, { process: { args: [] } }),
  "namespace-type-required": refusesEach({ linux: { namespaces: [{ type: "mount" }, {}] } }),
  "mapping-required": refusesEach(
    ...without(mapping, "containerID", "hostID", "size").map((one) => ({
      linux: {
        namespaces: [{ type: "mount" }, { type: "user" }],
        uidMappings: [one],
        gidMappings: [mapping],
      },
    })),
  ),
  "device-type-required": refusesEach(
    ...without(device, "type").map((one) => ({ linux: { devices: [one] } })),
  ),
  "device-path-required": refusesEach(
    ...without(device, "path").map((one) => ({ linux: { devices: [one] } })),
  ),
  "device-numbers-required": refusesEach(
    ...without(device, "major", "minor").map((one) => ({ linux: { devices: [one] } })),
  ),
  "personality-required": refusesEach({ linux: { personality: { flags: [] } } }),
  "devices-allow-required": refusesEach(resources({ devices: [{ type: "c", access: "r" }] })),
  "block-device-required": refusesEach(
    ...without({ major: 8, minor: 0, rate: 1000 }, "major", "minor").map(throttle),
    resources({ blockIO: { weightDevice: [{ weight: 100 }] } }),
  ),
  "block-rate-required": refusesEach(throttle({ major: 8, minor: 0 })),
  "huge-page-required": (room) => {
    // Without it a whole limit would be refused as well.
    needs(hasController("hugetlb"), "the machine has no hugetlb controller");
    refusesEach(
      resources({ hugepageLimits: [{ pageSize: "2MB" }] }),
      resources({ hugepageLimits: [{ limit: 0 }] }),
    )(room);
  },
  "network-required": refusesEach(
    resources({ network: { priorities: [{ name: "lo" }] } }),
    resources({ network: { priorities: [{ priority: 1 }] } }),
  ),
  "pids-required": refusesEach(resources({ pids: {} })),
  "cpu-burst-quota": refusesEach(
    resources({ cpu: { quota: 10_000, period: 100_000, burst: 20_000 } }),
  ),
  "seccomp-default-required": refusesEach({ linux: { seccomp: { syscalls: [rule] } } }),
  "seccomp-action-required": refusesEach(...without(rule, "action").map(seccomp)),
  "seccomp-args-required": refusesEach(
    ...without(argument, "index", "value", "op").map((one) => seccomp({ ...rule, args: [one] })),
  ),
};
