import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CgroupPlan, planCgroup } from "../../src/plan/cgroup.ts";
import type { CgroupHost } from "../../src/plan/cgroup-host.ts";
import { convertCpuShares, convertMemorySwap } from "../../src/plan/cgroup-v2.ts";
import type { LinuxResources } from "../../src/spec/resources.ts";
import { faultText } from "../support/fault-text.ts";

const test = suite("plan/cgroup");

const v1: CgroupHost = {
  version: "v1",
  hierarchies: [
    hierarchy(["pids"], "pids", "/own"),
    hierarchy(["cpu", "cpuacct"], "cpu,cpuacct", ""),
    hierarchy(["name=systemd"], "systemd", "/init.scope"),
    hierarchy(["memory"], "memory", "/deep/own"),
    hierarchy(["cpuset"], "cpuset", ""),
    hierarchy(["devices"], "devices", ""),
    hierarchy(["name=elogind"], "elogind", ""),
    hierarchy([""], "unified", "/u"),
  ],
};
const v2: CgroupHost = {
  version: "v2",
  hierarchy: {
    controllers: [""],
    mountPoint: "/sys/fs/cgroup",
    ownPath: "/sys/fs/cgroup/system.slice/engine.service",
  },
  controllers: ["cpu", "memory", "pids"],
};

function hierarchy(controllers: string[], directory: string, own: string) {
  const mountPoint = `/sys/fs/cgroup/${directory}`;
  return { controllers, mountPoint, ownPath: `${mountPoint}${own}` };
}

/** The writes without those of the built-in device rules, as `file=value` with marks for tolerated and repeated ones. */
function words(plan: CgroupPlan): string[] {
  return [...plan.beforeJoin, ...plan.steps].flatMap((step) => {
    if (step.kind !== "write") return step.kind === "check-usage" ? [step.kind] : [];
    if (step.property === "devices") return [];
    const tolerated = Object.keys(step.tolerated ?? {}).map((errno) => ` !${errno}`);
    return [
      `${step.file}=${step.value}${tolerated.join("")}${step.again === true ? " again" : ""}`,
    ];
  });
}

function plan1(resources: LinuxResources): string[] {
  return words(planCgroup({ id: "c", resources }, v1));
}

function plan2(resources: LinuxResources): string[] {
  return words(planCgroup({ id: "c", resources }, v2));
}

test("planCgroup() gives each v1 controller a path, and each directory once, in runc's order", () => {
  const plan = planCgroup({ id: "c1" }, v1);
  assert.equal(plan.paths, {
    cpuset: "/sys/fs/cgroup/cpuset/c1",
    devices: "/sys/fs/cgroup/devices/c1",
    memory: "/sys/fs/cgroup/memory/deep/own/c1",
    cpu: "/sys/fs/cgroup/cpu,cpuacct/c1",
    cpuacct: "/sys/fs/cgroup/cpu,cpuacct/c1",
    pids: "/sys/fs/cgroup/pids/own/c1",
    "name=systemd": "/sys/fs/cgroup/systemd/init.scope/c1",
    "": "/sys/fs/cgroup/unified/u/c1",
  });
  assert.equal(
    plan.hierarchies.map(({ controllers }) => controllers.join(",")),
    ["cpuset", "devices", "memory", "cpu,cpuacct", "pids", "name=systemd", ""],
  );
});

test("planCgroup() places absolute, relative and hostile paths below the mount point", () => {
  const rows = [
    ["", "/sys/fs/cgroup/pids/own/c1", "/sys/fs/cgroup/system.slice/c1"],
    ["/docker/x", "/sys/fs/cgroup/pids/docker/x", "/sys/fs/cgroup/docker/x"],
    ["/../../x", "/sys/fs/cgroup/pids/x", "/sys/fs/cgroup/x"],
    ["a/b", "/sys/fs/cgroup/pids/own/a/b", "/sys/fs/cgroup/system.slice/a/b"],
    ["../../../b", "/sys/fs/cgroup/pids/own/b", "/sys/fs/cgroup/system.slice/b"],
    [
      "system.slice:runc:c1",
      "/sys/fs/cgroup/pids/own/system.slice:runc:c1",
      "/sys/fs/cgroup/system.slice/system.slice:runc:c1",
    ],
  ] as const;
  for (const [cgroupsPath, onV1, onV2] of rows) {
    assert.is(planCgroup({ id: "c1", cgroupsPath }, v1).paths["pids"], onV1, cgroupsPath);
    assert.equal(planCgroup({ id: "c1", cgroupsPath }, v2).paths, { "": onV2 }, cgroupsPath);
  }
});

test("planCgroup() stays in the root of v2 when the runtime is there", () => {
  const host = { ...v2, hierarchy: { ...v2.hierarchy, ownPath: "/sys/fs/cgroup" } };
  assert.equal(planCgroup({ id: "c1" }, host).paths, { "": "/sys/fs/cgroup/c1" });
});

test("planCgroup() writes nothing but device rules when no resources are given", () => {
  assert.equal(plan1({}), []);
  assert.equal(plan2({}), []);
  assert.equal(plan1({ cpu: { shares: 0, quota: 0 }, memory: { limit: 0 } }), []);
});

test("planCgroup() writes pids.limit, with 0 as 1 and what is negative as max", () => {
  for (const [limit, value] of [
    [7, "7"],
    [0, "1"],
    [-1, "max"],
  ] as const) {
    assert.equal(plan1({ pids: { limit } }), [`pids.max=${value}`]);
    assert.equal(plan2({ pids: { limit } }), [`pids.max=${value}`]);
  }
});

test("planCgroup() orders v1 memory and swap so that either may grow or shrink", () => {
  assert.equal(plan1({ memory: { limit: 100, swap: 200, reservation: 50 } }), [
    "memory.limit_in_bytes=100 !EINVAL",
    "memory.memsw.limit_in_bytes=200",
    "memory.limit_in_bytes=100 again",
    "memory.soft_limit_in_bytes=50",
  ]);
  assert.equal(plan1({ memory: { limit: -1 } }), [
    "memory.limit_in_bytes=-1 !EINVAL",
    "memory.memsw.limit_in_bytes=-1 !ENOENT",
    "memory.limit_in_bytes=-1 again",
  ]);
  assert.equal(plan1({ memory: { limit: 100 } }), ["memory.limit_in_bytes=100"]);
  assert.equal(plan1({ memory: { swap: 100 } }), ["memory.memsw.limit_in_bytes=100"]);
});

test("planCgroup() writes 64-bit limits exactly", () => {
  const limit = 2 ** 63;
  assert.equal(plan1({ memory: { limit } }), ["memory.limit_in_bytes=9223372036854775807"]);
  assert.equal(plan2({ memory: { limit } }), ["memory.max=9223372036854775807"]);
});

test("planCgroup() writes the other v1 memory properties", () => {
  assert.equal(plan1({ memory: { disableOOMKiller: true, swappiness: 0 } }), [
    "memory.oom_control=1",
    "memory.swappiness=0",
  ]);
  assert.equal(plan1({ memory: { disableOOMKiller: false, useHierarchy: true } }), []);
  assert.is(
    faultText(() => plan1({ memory: { swappiness: 101 } })),
    "invalid memory swappiness value: 101 (valid range is 0-100)",
  );
});

test("planCgroup() writes v1 CPU limits, what the quota must fit being tried on both sides", () => {
  assert.equal(plan1({ cpu: { shares: 512, quota: 5000, period: 10000, burst: 100, idle: 1 } }), [
    "cpu.shares=512",
    "cpu.cfs_period_us=10000 !EINVAL",
    "cpu.cfs_burst_us=100 !ENOENT !EINVAL",
    "cpu.cfs_quota_us=5000",
    "cpu.cfs_period_us=10000 again",
    "cpu.cfs_burst_us=100 !ENOENT again",
    "cpu.idle=1",
  ]);
  assert.equal(plan1({ cpu: { quota: -1 } }), ["cpu.cfs_quota_us=-1"]);
  assert.equal(plan1({ cpu: { period: 1000 } }), ["cpu.cfs_period_us=1000"]);
});

test("planCgroup() refuses shares that the v1 kernel would change", () => {
  const shares = (value: number) => faultText(() => plan1({ cpu: { shares: value } }));
  assert.is(shares(1), "the minimum allowed cpu-shares is 2, got 1");
  assert.is(shares(262145), "the maximum allowed cpu-shares is 262144, got 262145");
  assert.is(shares(2), "no fault");
});

test("planCgroup() writes cpusets and real-time bandwidth of v1 before a process joins", () => {
  const cpu = { cpus: "0-1", mems: "0", realtimeRuntime: 9000, realtimePeriod: 10000 };
  const plan = planCgroup({ id: "c", resources: { cpu } }, v1);
  assert.equal(words({ ...plan, steps: [] }), [
    "cpuset.cpus=0-1",
    "cpuset.mems=0",
    "cpu.rt_period_us=10000 !EINVAL",
    "cpu.rt_runtime_us=9000",
    "cpu.rt_period_us=10000 again",
  ]);
});

test("planCgroup() refuses a limit for which the v1 host has no controller", () => {
  const host: CgroupHost = { version: "v1", hierarchies: [hierarchy(["devices"], "devices", "")] };
  assert.is(
    faultText(() => planCgroup({ id: "c", resources: { pids: { limit: 5 } } }, host)),
    'cannot set linux.resources.pids.limit to "5": this host has no cgroup hierarchy with the pids controller',
  );
});

test("planCgroup() refuses unified resources on v1", () => {
  assert.is(
    faultText(() => plan1({ unified: { "memory.high": "1" } })),
    "invalid configuration: cannot use unified on cgroup v1, got memory.high",
  );
});

test("convertCpuShares() gives the published weights", () => {
  const rows = [
    [1, 1],
    [2, 1],
    [102, 17],
    [1024, 100],
    [262144, 10000],
    [1_000_000, 10000],
  ] as const;
  for (const [shares, weight] of rows) assert.is(convertCpuShares(shares), weight, `${shares}`);
  let last = 0;
  for (let shares = 2; shares <= 262144; shares += 61) {
    const weight = convertCpuShares(shares);
    assert.ok(weight >= last && weight >= 1 && weight <= 10000, `${shares}: ${weight}`);
    last = weight;
  }
});

test("convertMemorySwap() knows every case of limit and swap", () => {
  const rows = [
    [100, 300, "200"],
    [100, 100, "0"],
    [100, -1, "max"],
    [100, 0, undefined],
    [0, 0, undefined],
    [0, -1, "max"],
    [-1, 0, "max"],
    [-1, -1, "max"],
  ] as const;
  for (const [limit, swap, value] of rows) {
    assert.is(convertMemorySwap({ limit, swap }), value, `${limit} ${swap}`);
  }
  const refused = [
    [0, 100, "unable to set swap limit without memory limit, got 100"],
    [-1, 100, "unable to set swap limit without memory limit, got 100"],
    [100, 99, "memory+swap limit should be >= memory limit, got 99 and 100"],
    [-2, 100, "invalid memory value: -2"],
  ] as const;
  for (const [limit, swap, message] of refused) {
    assert.is(
      faultText(() => convertMemorySwap({ limit, swap })),
      message,
    );
  }
});

test("planCgroup() writes v2 memory, and lets a kernel without swap be where nothing is lost", () => {
  assert.equal(plan2({ memory: { limit: 100, swap: 300, reservation: -1 } }), [
    "memory.swap.max=200",
    "memory.max=100",
    "memory.low=max",
  ]);
  assert.equal(plan2({ memory: { limit: 100, swap: 100 } }), [
    "memory.swap.max=0 !ENOENT",
    "memory.max=100",
  ]);
  assert.equal(plan2({ memory: { limit: -1 } }), ["memory.swap.max=max !ENOENT", "memory.max=max"]);
  assert.equal(plan2({ memory: { limit: 100, checkBeforeUpdate: true } }), [
    "check-usage",
    "memory.max=100",
  ]);
});

test("planCgroup() writes v2 CPU limits", () => {
  assert.equal(plan2({ cpu: { shares: 1024 } }), ["cpu.weight=100"]);
  assert.equal(plan2({ cpu: { quota: 5000, period: 10000 } }), ["cpu.max=5000 10000"]);
  assert.equal(plan2({ cpu: { quota: -1 } }), ["cpu.max=max 100000"]);
  assert.equal(plan2({ cpu: { period: 2000 } }), ["cpu.max=max 2000"]);
  assert.equal(plan2({ cpu: { quota: 5000, burst: 7 } }), [
    "cpu.max.burst=7 !EINVAL",
    "cpu.max=5000 100000",
    "cpu.max.burst=7 again",
  ]);
  assert.equal(plan2({ cpu: { idle: 1, shares: 1024 } }), ["cpu.idle=1", "cpu.weight=100 !EINVAL"]);
  assert.equal(plan2({ cpu: { cpus: "0", mems: "0" } }), ["cpuset.cpus=0", "cpuset.mems=0"]);
});

test("planCgroup() writes unified resources last and line by line", () => {
  assert.equal(
    plan2({ unified: { "io.max": "8:0 rbps=1\n8:16 rbps=2\n", "x.y": "" }, pids: { limit: 3 } }),
    ["pids.max=3", "io.max=8:0 rbps=1", "io.max=8:16 rbps=2", "x.y="],
  );
  assert.is(
    faultText(() => plan2({ unified: { "../pids.max": "1" } })),
    'unified resource "../pids.max" must be a file name (no slashes)',
  );
});

test("planCgroup() lists what a version has no file for", () => {
  const memory = { swappiness: 5, kernel: 1, disableOOMKiller: true };
  const { ignored } = planCgroup(
    { id: "c", resources: { memory, cpu: { realtimeRuntime: 5 } } },
    v2,
  );
  assert.equal(
    ignored.map(({ property }) => property),
    ["memory.kernel", "memory.swappiness", "memory.disableOOMKiller", "cpu.realtimeRuntime"],
  );
  const onV1 = planCgroup({ id: "c", resources: { memory: { kernelTCP: 1 } } }, v1).ignored;
  assert.equal(
    onV1.map(({ property }) => property),
    ["memory.kernelTCP"],
  );
});

test.run();
