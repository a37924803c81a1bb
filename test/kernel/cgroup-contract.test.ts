// Makes containers with the same resources by ts-runc and by runc, and by crun where runc lacks them, and compares every file of
// their cgroups that is not a counter, on whichever version of cgroups the host has. Needs root.

import { existsSync, readdirSync, readFileSync, rmdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import type { LinuxResources } from "../../src/spec/resources.ts";
import { logMessages, type Outcome, runc } from "../cli/executable.ts";
import { isCounter } from "../support/cgroup-files.ts";
import { hasCrun, runCrun } from "../support/crun.ts";
import { openRoom, type RuntimeName } from "../support/room.ts";

const test = suite("kernel/cgroup-contract");
const room = openRoom("cgroup-contract");
const host = readCgroupHost();
const { version } = host;
if (runc === undefined) console.log("skip: no runc to compare with");
const check = runc === undefined ? test.skip : test;
const mib = 1 << 20;

/** The disk below the room, as the kernel numbers it: its throttles can be set. */
const { dev } = statSync(room.directory);
const disk = { major: (dev >> 8) & 0xfff, minor: dev & 0xff };

const both: Readonly<Record<string, LinuxResources>> = {
  "no resources": {},
  "limits of memory and swap": { memory: { limit: 64 * mib, swap: 96 * mib } },
  "memory without swap": { memory: { limit: 64 * mib, swap: 64 * mib } },
  "memory without a limit": { memory: { limit: -1 } },
  "memory and swap without limits": { memory: { limit: -1, swap: -1 } },
  "swap without a limit": { memory: { limit: 64 * mib, swap: -1 } },
  "a reservation of memory": { memory: { limit: 64 * mib, reservation: 32 * mib } },
  "a quota and a period": { cpu: { quota: 20_000, period: 50_000 } },
  "a quota alone": { cpu: { quota: 30_000 } },
  "a period alone": { cpu: { period: 50_000 } },
  "a burst": { cpu: { quota: 20_000, period: 50_000, burst: 10_000 } },
  "an idle group": { cpu: { idle: 1 } },
  "no quota, by name": { cpu: { quota: -1, period: 40_000 } },
  "processors and nodes": { cpu: { cpus: "0", mems: "0" } },
  "0 processes": { pids: { limit: 0 } },
  "throttles of a disk": {
    blockIO: {
      throttleReadBpsDevice: [{ ...disk, rate: mib }],
      throttleWriteBpsDevice: [{ ...disk, rate: 2 * mib }],
      throttleReadIOPSDevice: [{ ...disk, rate: 100 }],
      throttleWriteIOPSDevice: [{ ...disk, rate: 200 }],
    },
  },
  "a check before an update": { memory: { limit: 64 * mib, checkBeforeUpdate: true } },
  "33 processes": { pids: { limit: 33 } },
  "processes without a limit": { pids: { limit: -1 } },
  "huge pages": { hugepageLimits: [{ pageSize: "2MB", limit: 4 * mib }] },
  devices: {
    devices: [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 10, minor: 229, access: "rw" },
    ],
  },
};

const v1: Readonly<Record<string, LinuxResources>> = {
  shares: { cpu: { shares: 512 } },
  "a weight of input and output": { blockIO: { weight: 500 } },
  "real-time bandwidth": { cpu: { realtimePeriod: 500_000, realtimeRuntime: 1_000 } },
  swappiness: { memory: { limit: 64 * mib, swappiness: 7 } },
  "no OOM killer": { memory: { limit: 64 * mib, disableOOMKiller: true } },
  "kernel memory": { memory: { limit: 64 * mib, kernel: 8 * mib, kernelTCP: 4 * mib } },
  "a class of packets and priorities": {
    network: { classID: 0x10001, priorities: [{ name: "lo", priority: 3 }] },
  },
};

const v2: Readonly<Record<string, LinuxResources>> = {
  "a weight of input and output": { blockIO: { weight: 500 } },
  "what v2 has no file for": {
    memory: { limit: 64 * mib, kernel: 8 * mib, kernelTCP: 4 * mib, swappiness: 7 },
    network: { classID: 0x10001, priorities: [{ name: "lo", priority: 3 }] },
  },
  unified: { unified: { "memory.high": `${48 * mib}`, "cpu.weight": "70", "pids.max": "20" } },
  "unified over a limit": { memory: { limit: 64 * mib }, unified: { "memory.max": `${32 * mib}` } },
};

type Settings = Readonly<Record<string, string>>;

/** What Debian's runc 1.1.5 leaves as it was, by case and file, with what a kernel may show: see docs/compatibility.md. */
const later: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  "0 processes": { "pids.max": ["1\n"] },
  "a burst": { [version === "v1" ? "cpu.cfs_burst_us" : "cpu.max.burst"]: ["10000\n"] },
  // The kernel shows the weight that such a group has; later ones nothing below the least that can be asked for.
  "an idle group":
    version === "v1"
      ? { "cpu.idle": ["1\n"], "cpu.shares": ["3\n"] }
      : { "cpu.idle": ["1\n"], "cpu.weight": ["0\n", "1\n"], "cpu.weight.nice": ["19\n"] },
  "huge pages": {
    [version === "v1" ? "hugetlb.2MB.rsvd.limit_in_bytes" : "hugetlb.2MB.rsvd.max"]: [
      `${4 * mib}\n`,
    ],
  },
};

/** The settings as a later runc leaves them, on our kernel; controllers that are mounted together have the same files. */
function withLater(settings: Settings, name: string, ours: Settings | undefined): Settings {
  const changed = Object.entries(later[name] ?? {});
  return Object.fromEntries(
    Object.entries(settings).map(([place, text]) => {
      const [, texts = [text]] = changed.find(([file]) => place.endsWith(`/${file}`)) ?? [];
      return [place, texts.find((one) => one === ours?.[place]) ?? texts[0] ?? text];
    }),
  );
}

/** The settings of a created container's groups, controller and file to text; undefined where `create` fails. */
function settings(name: RuntimeName, resources: LinuxResources): Settings | undefined {
  const id = room.newId();
  const bundle = room.makeBundle({
    linux: { namespaces: [{ type: "pid" }, { type: "mount" }], resources },
  });
  const made = room.runtime(name, ["create", "--bundle", bundle.directory, id]);
  if (made.status !== 0) {
    // This host has not every controller, scheduler of disks, or real-time groups: what is missing is refused by both.
    assert.match(made.stderr, /hugetlb|net_cls|blkio\.bfq\.weight|cpu\.rt_/);
    return undefined;
  }
  const groups = new Set<string>();
  try {
    const states = join(room.directory, name === "runc" ? "runc-state" : "state");
    const state = JSON.parse(readFileSync(join(states, id, "state.json"), "utf8"));
    const paths = Object.entries<string>(state.cgroup_paths);
    for (const [, path] of paths) groups.add(path);
    return Object.fromEntries(
      paths
        // runc 1.1.5 does not know it and stays outside.
        .filter(([controller]) => controller !== "misc")
        .flatMap(([controller, path]) =>
          settingsIn(path).map(([file, text]) => [`${controller}/${file}`, text] as const),
        ),
    );
  } finally {
    room.runtime(name, ["delete", "--force", id]);
    // It gives up on a group whose process is not reaped yet.
    if (name === "runc") for (const path of groups) removeGroup(path);
  }
}

function settingsIn(directory: string): [string, string][] {
  return readdirSync(directory)
    .filter((file) => !isCounter(file))
    .filter((file) => statSync(join(directory, file)).isFile())
    .flatMap((file) => {
      const text = readSetting(join(directory, file));
      return text === undefined ? [] : [[file, text]];
    });
}

/** undefined for a file that can only be written. */
function readSetting(path: string): string | undefined {
  if ((statSync(path).mode & 0o444) === 0) return undefined;
  try {
    const text = readFileSync(path, "utf8");
    // The order in which device rules were written says nothing.
    return path.endsWith("/devices.list") ? text.split("\n").sort().join("\n") : text;
  } catch (error) {
    // Some files of the kernel can be read only in other states of the group: both runtimes have to agree on that.
    return String(error instanceof Error && "code" in error ? error.code : error);
  }
}

for (const [name, resources] of Object.entries({ ...both, ...(version === "v1" ? v1 : v2) })) {
  check(`the group's settings are those of runc: ${name}`, () => {
    const [ours, theirs] = [settings("ts-runc", resources), settings("runc", resources)];
    if (theirs === undefined) {
      assert.is(ours, undefined);
      return;
    }
    assert.ok(Object.keys(theirs).length > 20, "the files that were compared");
    assert.equal(ours, withLater(theirs, name, ours));
  });
}

/** The settings of the processor in a created container's group, file to text. */
function cpuSettings(
  command: (...argv: readonly string[]) => Outcome,
  { id, cpu }: { readonly id: string; readonly cpu: LinuxResources["cpu"] },
): Settings {
  const linux = { namespaces: [{ type: "pid" }, { type: "mount" }], cgroupsPath: `/${id}` };
  const bundle = room.makeBundle({ linux: { ...linux, resources: { cpu } } });
  const { status, stderr } = command("create", "--bundle", bundle.directory, id);
  try {
    assert.is(status, 0, stderr);
    const [group = ""] = groupsCalled(id, "cpu");
    return Object.fromEntries(settingsIn(group).filter(([file]) => file.startsWith("cpu.")));
  } finally {
    command("delete", "--force", id);
    // crun gives up on a v1 group whose process is not reaped yet.
    for (const path of groupsCalled(id)) removeGroup(path);
  }
}

/** The directories of a group in the roots of the hierarchies, or of those with one controller. */
function groupsCalled(id: string, controller?: string): readonly string[] {
  const hierarchies = host.version === "v1" ? host.hierarchies : [host.hierarchy];
  return hierarchies
    .filter(
      ({ controllers }) =>
        controller === undefined || version === "v2" || controllers.includes(controller),
    )
    .map(({ mountPoint }) => join(mountPoint, id))
    .filter(existsSync);
}

function removeGroup(path: string): void {
  for (let tries = 0; existsSync(path); tries += 1) {
    try {
      rmdirSync(path);
    } catch (error) {
      if (tries === 100) throw error;
      Bun.sleepSync(50);
    }
  }
}

if (!hasCrun) console.log("skip: no crun to compare with");
for (const [name, cpu] of Object.entries({
  "an idle group": { idle: 1 },
  "an idle group with shares": { idle: 1, shares: 512 },
})) {
  (hasCrun ? test : test.skip)(`the group's processor settings are those of crun: ${name}`, () => {
    const ours = cpuSettings((...argv) => room.tsRunc(argv), { id: room.newId(), cpu });
    const theirs = cpuSettings((...argv) => runCrun(room, ...argv), { id: room.newId(), cpu });
    assert.is(ours["cpu.idle"], `${cpu.idle}\n`);
    assert.equal(ours, theirs);
  });
}

// No device of RDMA is here, nor in the machines; the kernel reads the text before it looks for the device.
const hasRdma =
  host.version === "v1"
    ? host.hierarchies.some(({ controllers }) => controllers.includes("rdma"))
    : host.controllers.includes("rdma");
if (!hasRdma)
  console.log("skip: limits of RDMA beside runc: the kernel has no controller for them");
for (const [limits, text] of [
  [{ hcaHandles: 3, hcaObjects: 10_000 }, "mlx5_1 hca_handle=3 hca_object=10000"],
  [{ hcaHandles: 3 }, "mlx5_1 hca_handle=3"],
  [{ hcaObjects: 4 }, "mlx5_1 hca_object=4"],
] as const) {
  (hasRdma ? check : test.skip)(`what is written of RDMA is what runc writes: ${text}`, () => {
    const bundle = room.makeBundle({
      linux: {
        namespaces: [{ type: "pid" }, { type: "mount" }],
        resources: { rdma: { mlx5_1: limits } },
      },
    });
    for (const name of ["ts-runc", "runc"] as const) {
      const argv = ["create", "--bundle", bundle.directory, room.newId()];
      const [said = ""] = logMessages(room.runtime(name, argv).stderr);
      assert.match(
        said,
        new RegExp(`(to|write) "${text}": write "?/\\S+/rdma\\.max"?: no such device$`),
      );
    }
  });
}

test("nothing of all this is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
