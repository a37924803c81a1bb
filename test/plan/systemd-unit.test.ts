import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CgroupHost } from "../../src/plan/cgroup-host.ts";
import { planAskedProperties } from "../../src/plan/systemd-annotations.ts";
import { planUnitDevices } from "../../src/plan/systemd-devices.ts";
import { planUnitResources, planUnitReturn } from "../../src/plan/systemd-resources.ts";
import {
  expandSlice,
  planUnit,
  planUnitCgroup,
  planUnitStart,
  type UnitProperty,
} from "../../src/plan/systemd-unit.ts";
import type { LinuxResources } from "../../src/spec/resources.ts";
import { faultText } from "../support/fault-text.ts";

const test = suite("plan/systemd-unit");
const mib = 1 << 20;
const infinity = 2n ** 64n - 1n;

/** `NAME: SIGNATURE` to value. */
function told(properties: readonly UnitProperty[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    properties.map(({ name, signature, value }) => [`${name}: ${signature}`, value]),
  );
}

test("planUnit() takes slice, prefix and name from cgroupsPath, or names the unit after the id", () => {
  const plan = (cgroupsPath?: string) => planUnit({ id: "box", cgroupsPath }, "system.slice");
  assert.equal(plan(), { name: "runc-box.scope", slice: "system.slice" });
  assert.equal(plan(""), { name: "runc-box.scope", slice: "system.slice" });
  assert.equal(plan("a-b.slice:cri:1"), { name: "cri-1.scope", slice: "a-b.slice" });
  assert.equal(plan(":cri:1"), { name: "cri-1.scope", slice: "system.slice" });
  assert.equal(plan("a.slice:cri:a-b.slice"), { name: "a-b.slice", slice: "a.slice" });
});

test("planUnit() refuses what is not slice:prefix:name, in runc's words", () => {
  for (const path of ["/a/b", "a", "a:b", "a:b:c:d"]) {
    const words = faultText(() => planUnit({ id: "box", cgroupsPath: path }, "system.slice"));
    const expected = `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "${path}" instead`;
    assert.is(words, expected);
  }
  const escaping = () => planUnit({ id: "box", cgroupsPath: "a.slice:x:../../y" }, "system.slice");
  assert.match(faultText(escaping), "invalid unit name");
});

test("expandSlice() has a directory for every dash, and refuses what systemd would not take", () => {
  assert.is(expandSlice("system.slice"), "/system.slice");
  assert.is(expandSlice("a-b-c.slice"), "/a.slice/a-b.slice/a-b-c.slice");
  assert.is(expandSlice("-.slice"), "/");
  for (const bad of [".slice", "system", "a/b.slice", "-a.slice", "a--b.slice", "a-.slice", ""]) {
    assert.is(
      faultText(() => expandSlice(bad)),
      `invalid slice name: ${bad}`,
    );
  }
});

const v2: CgroupHost = {
  version: "v2",
  hierarchy: { controllers: [""], mountPoint: "/sys/fs/cgroup", ownPath: "/sys/fs/cgroup/own" },
  controllers: ["memory"],
};

test("planUnitCgroup() places the group below the slice, and below the manager of a user", () => {
  const unit = { name: "runc-box.scope", slice: "a-b.slice" };
  const { paths } = planUnitCgroup({ id: "box" }, v2, { unit, managerGroup: "" });
  assert.equal(paths, { "": "/sys/fs/cgroup/a.slice/a-b.slice/runc-box.scope" });
  const managerGroup = "/user.slice/user-7.slice/user@7.service";
  const rootless = planUnitCgroup({ id: "box" }, v2, {
    unit: { name: "runc-box.scope", slice: "-.slice" },
    managerGroup,
  });
  assert.equal(rootless.paths, { "": `/sys/fs/cgroup${managerGroup}/runc-box.scope` });
});

test("planUnitCgroup() has the container's group below the unit where that is asked for", () => {
  const unit = { name: "runc-box.scope", slice: "a.slice" };
  const plan = (ofUnit: string, delegated?: { name: string; owner: number | undefined }) =>
    planUnitCgroup({ id: "box", subgroups: { ofUnit, delegated } }, v2, { unit, managerGroup: "" });
  const own = "/sys/fs/cgroup/a.slice/runc-box.scope";
  assert.equal(plan("sub").paths, { "": `${own}/sub` });
  assert.equal(plan("sub").hierarchies[0]?.path, `${own}/sub`);
  assert.is(plan("sub").delegated, undefined);
  const both = plan("sub", { name: "mine", owner: 7 });
  assert.equal(both.paths, { "": `${own}/sub` });
  assert.equal(both.delegated, { path: `${own}/sub/mine`, owner: 7 });
  assert.is(plan("", { name: "mine", owner: undefined }).delegated?.path, `${own}/mine`);
});

test("planUnitCgroup() on v1 leaves the tree beside the hierarchies to systemd", () => {
  const hierarchies = [["cpu", "cpuacct"], ["devices"], ["name=systemd"], [""]].map(
    (controllers) => {
      const mountPoint = `/sys/fs/cgroup/${controllers[0]}`;
      return { controllers, mountPoint, ownPath: `${mountPoint}/own` };
    },
  );
  const unit = { name: "runc-box.scope", slice: "system.slice" };
  const { paths } = planUnitCgroup(
    { id: "box" },
    { version: "v1", hierarchies },
    { unit, managerGroup: "" },
  );
  assert.equal(paths, {
    cpu: "/sys/fs/cgroup/cpu/system.slice/runc-box.scope",
    cpuacct: "/sys/fs/cgroup/cpu/system.slice/runc-box.scope",
    devices: "/sys/fs/cgroup/devices/system.slice/runc-box.scope",
    "name=systemd": "/sys/fs/cgroup/name=systemd/system.slice/runc-box.scope",
  });
});

test("planUnitStart() delegates a scope with its process; a slice has neither", () => {
  const around = { id: "box", pid: 7, version: "v2", asked: [] } as const;
  const scope = planUnitStart({ name: "runc-box.scope", slice: "a.slice" }, around);
  assert.equal(told(scope), {
    "Description: s": "libcontainer container box",
    "Slice: s": "a.slice",
    "Delegate: b": true,
    "PIDs: au": [7],
    "MemoryAccounting: b": true,
    "CPUAccounting: b": true,
    "IOAccounting: b": true,
    "TasksAccounting: b": true,
    "DefaultDependencies: b": false,
  });
  const slice = told(
    planUnitStart({ name: "a-b.slice", slice: "a.slice" }, { ...around, version: "v1" }),
  );
  assert.equal(slice["Wants: as"], ["a.slice"]);
  assert.is(slice["BlockIOAccounting: b"], true);
  assert.not(Object.keys(slice).some((key) => /^(PIDs|Delegate|Slice|IOAcc)/.test(key)));
});

function resources(asked: LinuxResources, systemd = 252, version: "v1" | "v2" = "v2") {
  return told(planUnitResources(asked, { version, systemd }));
}

test("planUnitResources() on v2 says limits as systemd does", () => {
  const memory = { limit: 64 * mib, reservation: 32 * mib, swap: 96 * mib };
  assert.equal(resources({ memory, pids: { limit: 0 }, cpu: { shares: 1024 } }), {
    "MemoryMax: t": BigInt(64 * mib),
    "MemoryLow: t": BigInt(32 * mib),
    "MemorySwapMax: t": BigInt(32 * mib),
    "CPUWeight: t": 100n,
    "TasksMax: t": 1n,
  });
  assert.equal(resources({ memory: { limit: -1, swap: -1 }, pids: { limit: -1 } }), {
    "MemoryMax: t": infinity,
    "MemorySwapMax: t": infinity,
    "TasksMax: t": infinity,
  });
});

test("planUnitResources() on v1 uses the properties of that time", () => {
  const asked = { memory: { limit: mib }, cpu: { shares: 512 }, blockIO: { weight: 300 } };
  assert.equal(resources(asked, 252, "v1"), {
    "MemoryLimit: t": BigInt(mib),
    "BlockIOWeight: t": 300n,
    "CPUShares: t": 512n,
  });
});

test("a quota is rounded up to 10 ms a second; its period, idle and sets are told to a systemd that knows them", () => {
  const quota = (cpu: NonNullable<LinuxResources["cpu"]>, systemd?: number) =>
    resources({ cpu }, systemd);
  assert.equal(quota({ quota: 33_333, period: 100_000 }), {
    "CPUQuotaPeriodUSec: t": 100_000n,
    "CPUQuotaPerSecUSec: t": 340_000n,
  });
  assert.equal(quota({ quota: 20_000, period: 50_000 }, 241), {
    "CPUQuotaPerSecUSec: t": 400_000n,
  });
  assert.equal(quota({ quota: 30_000 }), { "CPUQuotaPerSecUSec: t": 300_000n });
  assert.equal(quota({ quota: -1 }), { "CPUQuotaPerSecUSec: t": infinity });
  assert.equal(quota({ idle: 1, shares: 512 }), { "CPUWeight: t": 0n });
  assert.not.equal(quota({ idle: 1, shares: 512 }, 251), { "CPUWeight: t": 0n });
  assert.equal(quota({ cpus: "0-2,9", mems: "1" }), {
    "AllowedCPUs: ay": [7, 2],
    "AllowedMemoryNodes: ay": [2],
  });
  assert.equal(quota({ cpus: "0" }, 243), {});
});

test("planUnitReturn() has the former values, and no limit where there was none", () => {
  const facts = { version: "v2", systemd: 252 } as const;
  const plan = (asked: LinuxResources) => planUnitResources(asked, facts);
  const memory = { limit: 64 * mib, reservation: mib };
  const changed = plan({ pids: { limit: 9 }, memory, cpu: { cpus: "0" } });
  assert.equal(told(planUnitReturn(changed, plan({ pids: { limit: 5 } }))), {
    "MemoryMax: t": infinity,
    "MemoryLow: t": 0n,
    "TasksMax: t": 5n,
    "AllowedCPUs: ay": [],
  });
});

test("keys of unified that systemd knows become properties; others are left to the files", () => {
  const unified = {
    "cpu.max": "50000 100000",
    "cpu.weight": "70",
    "cpuset.cpus": "0",
    "memory.high": "max",
    "memory.swap.max": "4096",
    "pids.max": "9",
    "memory.oom.group": "1",
    "io.max": "8:0 rbps=1",
  };
  assert.equal(resources({ unified }), {
    "CPUQuotaPeriodUSec: t": 100_000n,
    "CPUQuotaPerSecUSec: t": 500_000n,
    "CPUWeight: t": 70n,
    "AllowedCPUs: ay": [1],
    "MemoryHigh: t": infinity,
    "MemorySwapMax: t": 4096n,
    "TasksMax: t": 9n,
  });
  assert.equal(resources({ unified: { "cpu.idle": "1", "cpu.weight": "70" } }), {
    "CPUWeight: t": 0n,
  });
  const words = faultText(() => resources({ unified: { "pids.max": "many" } }));
  assert.match(words, 'unified resource "pids.max"');
});

const groups =
  "Character devices:\n  1 mem\n  4 tty\n136 pts\n\nBlock devices:\n  7 loop\n  8 sd\n";

function allowed(rules: NonNullable<LinuxResources["devices"]>): readonly unknown[] {
  const [policy, , list] = planUnitDevices(rules, groups);
  const value = list?.value;
  return [policy?.value, ...(Array.isArray(value) ? value : [])];
}

test("planUnitDevices() names nodes by number, groups by name, and all by a star", () => {
  const listed = allowed([
    { allow: false, access: "rwm" },
    { allow: true, type: "c", major: 10, minor: 229, access: "rw" },
    { allow: true, type: "b", major: 8, access: "r" },
    { allow: true, type: "b", major: 99, access: "r" },
    { allow: true, type: "c", minor: 5, access: "r" },
  ]).map(String);
  assert.is(listed[0], "strict");
  assert.ok(listed.includes("/dev/char/10:229,rw"));
  assert.ok(listed.includes("block-sd,r"));
  assert.ok(listed.includes("char-pts,rwm"));
  assert.ok(listed.includes("char-*,m") && listed.includes("block-*,m"));
  // Neither a group without a name nor one minor of all majors can be said.
  assert.not(listed.some((entry) => entry.includes("99") || entry === "char-*,r"));
});

test("planUnitDevices() never allows what a later rule denies, and a list of denials allows nothing", () => {
  assert.equal(allowed([{ allow: true, access: "rwm" }]), ["auto"]);
  const denials = [
    { allow: true, access: "rwm" },
    { allow: false, type: "b", major: 8, minor: 0, access: "w" },
  ];
  assert.equal(allowed(denials), ["strict"]);
  const hole = allowed([
    { allow: false, access: "rwm" },
    { allow: true, type: "b", major: 8, access: "rw" },
    { allow: false, type: "b", major: 8, minor: 1, access: "w" },
  ]).map(String);
  assert.ok(hole.includes("block-sd,r"), hole.join(" "));
});

test("planAskedProperties() reads simple values of GVariant, and seconds become microseconds", () => {
  const prefix = "org.systemd.property.";
  const read = (name: string, text: string) => told(planAskedProperties({ [prefix + name]: text }));
  assert.equal(planAskedProperties({ "run.oci.x": "1", [prefix]: "1" }), []);
  assert.equal(read("KillMode", "'none'"), { "KillMode: s": "none" });
  assert.equal(read("KillMode", '"a\\"b"'), { "KillMode: s": 'a"b' });
  assert.equal(read("Flag", "true"), { "Flag: b": true });
  assert.equal(read("Number", "-5"), { "Number: i": -5 });
  assert.equal(read("Number", "0x10"), { "Number: i": 16 });
  assert.equal(read("Number", "uint64 18446744073709551615"), { "Number: t": infinity });
  assert.equal(read("Number", "@q 7"), { "Number: q": 7 });
  assert.equal(read("Number", "1.5"), { "Number: d": 1.5 });
  assert.equal(read("List", "['a', 'b']"), { "List: as": ["a", "b"] });
  assert.equal(read("List", "@as []"), { "List: as": [] });
  assert.equal(read("List", "[uint32 1, 2]"), { "List: au": [1, 2] });
  assert.equal(read("TimeoutStopSec", "uint64 12"), { "TimeoutStopUSec: t": 12_000_000n });
  assert.equal(read("TimeoutStopSec", "1.5"), { "TimeoutStopUSec: t": 1_500_000n });
  assert.equal(read("CPUQuotaPerUSec", "5"), { "CPUQuotaPerUSec: i": 5 });
});

test("planAskedProperties() refuses names and values that cannot be meant", () => {
  const refused = (name: string, text: string) =>
    faultText(() => planAskedProperties({ [`org.systemd.property.${name}`]: text }));
  assert.is(refused("Ab", "1"), "annotation org.systemd.property.Ab name incorrect: too short");
  assert.match(refused("A.b", "1"), "name incorrect: contains non-alphabetic character");
  for (const bad of [
    "",
    "none",
    "'open",
    "uint32 -1",
    "byte 256",
    "[",
    "[]",
    "1 2",
    "constructor 1",
    "[1,'a']",
  ]) {
    assert.match(refused("Something", bad), `annotation org.systemd.property.Something=${bad}`);
    assert.match(refused("Something", bad), "value parse error", bad);
  }
  assert.match(refused("TimeoutStopSec", "'12'"), "not a number");
});

test.run();
