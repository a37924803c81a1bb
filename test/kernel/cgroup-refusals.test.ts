// Cgroup settings that the schema and the rules of the specification have nothing against, and this kernel has: the error names the
// property, the value, the file and the kernel's reason, and no group is left. Needs root.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import type { BlockIO, LinuxResources } from "../../src/spec/resources.ts";
import { expectRefusal } from "../support/refusal.ts";
import { openRoom } from "../support/room.ts";

const test = suite("kernel/cgroup-refusals");
const room = openRoom("refusals");
const { version } = readCgroupHost();
const mib = 1 << 20;

type Case = readonly [
  resources: LinuxResources,
  /** What is said on v1 and on v2; undefined where the setting has no effect there. */
  said: { readonly v1: RegExp | undefined; readonly v2: RegExp | undefined },
];

/** An error that is the same but for the value that is written, and the file. */
function refused(
  resources: LinuxResources,
  property: string,
  ends: { readonly v1?: string; readonly v2?: string },
): Case {
  const word = (end: string | undefined): RegExp | undefined => {
    if (end === undefined) return undefined;
    const [value = "", file = "", reason = ""] = end.split(" | ");
    const quoted = value.replaceAll(/[*.]/g, "\\$&");
    return new RegExp(
      `setting linux\\.resources\\.${property} to "${quoted}": write "\\S+/${file}": ${reason}$`,
    );
  };
  return [resources, { v1: word(ends.v1), v2: word(ends.v2) }];
}

/** A disk that is not there, by a throttle of each kind. */
function throttle(property: keyof BlockIO, v1: string, v2: string): Case {
  const blockIO = { [property]: [{ major: 4000, minor: 9, rate: 100 }] };
  return refused({ blockIO }, `blockIO.${property}`, {
    v1: `4000:9 100 | blkio.throttle.${v1}_device | no such device`,
    v2: `4000:9 ${v2}=100 | io.max | no such device`,
  });
}

const cases: readonly Case[] = [
  refused({ cpu: { cpus: "4095" } }, "cpu.cpus", {
    v1: "4095 | cpuset.cpus | numerical result out of range",
    v2: "4095 | cpuset.cpus | numerical result out of range",
  }),
  refused({ cpu: { mems: "900" } }, "cpu.mems", {
    v1: "900 | cpuset.mems | invalid argument",
    v2: "900 | cpuset.mems | invalid argument",
  }),
  refused({ cpu: { quota: 10, period: 100_000 } }, "cpu.quota", {
    v1: "10 | cpu.cfs_quota_us | invalid argument",
    v2: "10 100000 | cpu.max | invalid argument",
  }),
  refused({ cpu: { period: 10 } }, "cpu.period", {
    v1: "10 | cpu.cfs_period_us | invalid argument",
    v2: "max 10 | cpu.max | invalid argument",
  }),
  refused({ cpu: { idle: 5 } }, "cpu.idle", {
    v1: "5 | cpu.idle | invalid argument",
    v2: "5 | cpu.idle | invalid argument",
  }),
  [{ cpu: { shares: 1 } }, { v1: /the minimum allowed cpu-shares is 2, got 1$/, v2: undefined }],
  [
    { cpu: { realtimePeriod: 1_000_000, realtimeRuntime: 2_000_000 } },
    {
      // Kernels without real-time groups have neither file.
      v1: /cpu\.realtime(Runtime to "2000000": write "\S+\/cpu\.rt_runtime_us": invalid|Period to "1000000": write "\S+\/cpu\.rt_period_us": no such)/,
      v2: undefined,
    },
  ],
  refused({ memory: { limit: -5 } }, "memory.limit", {
    v1: "-5 | memory.limit_in_bytes | invalid argument",
    v2: "-5 | memory.max | invalid argument",
  }),
  refused({ memory: { reservation: -7 } }, "memory.reservation", {
    v1: "-7 | memory.soft_limit_in_bytes | invalid argument",
    v2: "-7 | memory.low | invalid argument",
  }),
  [
    { memory: { limit: 64 * mib, swap: 32 * mib } },
    {
      v1: /memory\.swap to "33554432": write "\S+\/memory\.memsw\.limit_in_bytes": invalid argument$/,
      v2: /memory\+swap limit should be >= memory limit, got 33554432 and 67108864$/,
    },
  ],
  [
    { memory: { limit: 1, checkBeforeUpdate: true } },
    {
      v1: /unable to set memory limit to 1 \(current usage: \d+, peak usage: \d+\)$/,
      v2: /rejecting memory limit 1 <= usage \d+$/,
    },
  ],
  refused({ pids: { limit: 2 ** 22 + 1 } }, "pids.limit", {
    v1: "4194305 | pids.max | invalid argument",
    v2: "4194305 | pids.max | invalid argument",
  }),
  refused({ blockIO: { leafWeight: 50 } }, "blockIO.leafWeight", {
    v1: "50 | blkio.leaf_weight | no such file or directory",
  }),
  [
    { blockIO: { weightDevice: [{ major: 4000, minor: 9, weight: 100 }] } },
    {
      v1: /blockIO\.weightDevice to "4000:9 100": write "\S+\/blkio\.bfq\.weight_device": no such (device|file or directory)$/,
      v2: /blockIO\.weightDevice to "4000:9 (100|910)": write "\S+\/io\.(bfq\.)?weight": no such device$/,
    },
  ],
  throttle("throttleReadBpsDevice", "read_bps", "rbps"),
  throttle("throttleWriteBpsDevice", "write_bps", "wbps"),
  throttle("throttleReadIOPSDevice", "read_iops", "riops"),
  throttle("throttleWriteIOPSDevice", "write_iops", "wiops"),
  [
    { hugepageLimits: [{ pageSize: "3MB", limit: 1 }] },
    {
      v1: /hugepageLimits to "1": (write "\S+\/hugetlb\.3MB\.limit_in_bytes": no such file|this host has no cgroup hierarchy with the hugetlb)/,
      v2: /hugepageLimits to "1": write "\S+\/hugetlb\.3MB\.max": no such file or directory$/,
    },
  ],
  [
    { rdma: { nowhere0: { hcaHandles: 1 } } },
    {
      v1: /rdma to "nowhere0 hca_handle=1": (write "\S+\/rdma\.max": no such device|this host has no cgroup hierarchy with the rdma)/,
      v2: /rdma to "nowhere0 hca_handle=1": write "\S+\/rdma\.max": no such device$/,
    },
  ],
  [
    { network: { priorities: [{ name: "nowhere0", priority: 1 }] } },
    {
      v1: /network\.priorities to "nowhere0 1": (write "\S+\/net_prio\.ifpriomap": no such device|this host has no cgroup hierarchy with the net_prio)/,
      v2: undefined,
    },
  ],
  [
    { unified: { "memory.high": "wish" } },
    {
      v1: /cannot use unified on cgroup v1, got memory\.high$/,
      v2: /unified\.memory\.high to "wish": write "\S+\/memory\.high": invalid argument$/,
    },
  ],
  [
    { unified: { "memory.wish": "1" } },
    {
      v1: /cannot use unified on cgroup v1, got memory\.wish$/,
      v2: /unified\.memory\.wish to "1": write "\S+\/memory\.wish": no such file or directory$/,
    },
  ],
  [
    { unified: { "wish.max": "1" } },
    {
      v1: /cannot use unified on cgroup v1, got wish\.max$/,
      v2: /linux\.resources\.unified\.wish\.max can't be set: controller "wish" not available$/,
    },
  ],
];

for (const [resources, said] of cases) {
  const message = said[version];
  if (message === undefined) continue;
  test(`create names what it cannot set: ${JSON.stringify(resources)}`, async () => {
    const { directory } = room.makeBundle({
      linux: { namespaces: [{ type: "pid" }, { type: "mount" }], resources },
    });
    expectRefusal(room.tsRunc(["create", "--bundle", directory, room.newId()]), message);
    assert.equal(await room.leftovers(), []);
  });
}

test("create names the place of a group that cannot be made", async () => {
  const cgroupsPath = `/${room.newId()}/${"a".repeat(5000)}`;
  const { directory } = room.makeBundle({
    linux: { namespaces: [{ type: "pid" }, { type: "mount" }], cgroupsPath },
  });
  expectRefusal(
    room.tsRunc(["create", "--bundle", directory, room.newId()]),
    /creating the container's cgroup: mkdirat "\S+\/ts-runc-test-refusals-\d+-\d+\/a+": file name too long$/,
  );
  assert.equal(await room.leftovers(), []);
});

test.after(() => room.remove());

test.run();
