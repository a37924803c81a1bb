// The units and groups that the systemd cgroup driver makes, field by field beside those of runc's. Runs in the
// machines of test/vm that have systemd. Needs root.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LinuxResources } from "../../src/spec/resources.ts";
import { runc } from "../cli/executable.ts";
import { isCounter } from "../support/cgroup-files.ts";
import {
  groupOf,
  hasSystemd,
  openDrivenRoom,
  readOf,
  show,
  unitsLeft,
  cgroupVersion as version,
} from "../support/systemd.ts";

const test = suite("kernel/cgroup-systemd-contract");
const check = hasSystemd ? test : test.skip;
const besideRunc = hasSystemd && runc !== undefined ? test : test.skip;
const mib = 1 << 20;

const { room, run, makeBundle } = openDrivenRoom("systemd-contract");

/** What tells time, counts, or names one unit. */
const passing =
  /Timestamp|^(Id|Names|Description|InvocationID|ControlGroup|ControlGroupId|MemoryCurrent|MemoryAvailable|MemoryPeak|CPUUsageNSec|TasksCurrent|Job|IORead|IOWrite|IP|RequiresMountsFor|EffectiveCPUs|EffectiveMemoryNodes|MemorySwap(Current|Peak))/;
function filesOf(group: string): Readonly<Record<string, string>> {
  const files = readdirSync(group, { withFileTypes: true })
    .filter((entry) => entry.isFile() && !isCounter(entry.name))
    .map(({ name }) => name)
    // runc 1.1.5 knows no reservations of huge pages.
    .filter((name) => !name.includes(".rsvd."))
    .sort();
  return Object.fromEntries(files.map((name) => [name, sortLines(readOf(join(group, name)))]));
}

/**
 * A list in some order. Of devices runc leaves out those that are not there now, and with them their rules after the next
 * daemon-reload.
 */
function settle(value: string): string {
  return value
    .split("; ")
    .filter((entry) => !entry.startsWith("/dev/") || existsSync(entry.replace(/ .*/, "")))
    .sort()
    .join("; ");
}

/** The lines of devices.list are in the order in which they were written, which means nothing. */
function sortLines(content: string): string {
  return content.split("\n").sort().join("\n");
}

const controllers = version === "v2" ? [""] : ["cpu", "cpuset", "memory", "pids", "devices"];

/** What only one version of cgroups has. */
const own: Readonly<Record<"v1" | "v2", Readonly<Record<string, LinuxResources>>>> = {
  v1: { shares: { cpu: { shares: 512 } } },
  v2: {
    unified: {
      unified: {
        "memory.high": `${48 * mib}`,
        "memory.min": `${mib}`,
        "memory.low": "max",
        "memory.swap.max": `${16 * mib}`,
        "memory.oom.group": "1",
        "cpu.weight": "70",
        "cpu.max": "30000 60000",
        "cpuset.cpus": "0",
        "pids.max": "max",
        "io.weight": "200",
      },
    },
  },
};

const cases: Readonly<Record<string, LinuxResources>> = {
  ...own[version],
  "no resources": {},
  "everything without a limit": {
    memory: { limit: -1, swap: -1, reservation: -1 },
    cpu: { quota: -1, period: 40_000 },
    pids: { limit: -1 },
  },
  // Where runc 1.1.5 converts as later versions do.
  "the most shares, and a period alone": { cpu: { shares: 262_144, period: 50_000 } },
  "huge pages": { hugepageLimits: [{ pageSize: "2MB", limit: 4 * mib }] },
  memory: { memory: { limit: 64 * mib, reservation: 32 * mib, swap: 96 * mib } },
  "a quota that is not a whole step": { cpu: { quota: 33_333, period: 100_000 } },
  "a quota and a period": { cpu: { quota: 20_000, period: 50_000 } },
  processes: { pids: { limit: 33 } },
  "processes without a limit": { pids: { limit: -1 } },
  "processors and nodes": { cpu: { cpus: "0", mems: "0" } },
  devices: {
    devices: [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 10, minor: 229, access: "rw" },
      { allow: true, type: "c", major: 4, access: "rwm" },
    ],
  },
};

besideRunc("the unit's properties and the group's files are those of runc's driver", () => {
  for (const [name, resources] of Object.entries(cases)) {
    const [one, other] = (["ts-runc", "runc"] as const).map((of) => {
      const id = room.newId();
      run(of, "run", "--detach", "--bundle", makeBundle({ resources }), id);
      const unit = `runc-${id}.scope`;
      const properties = [...show(unit)]
        .filter(([key]) => !passing.test(key))
        .map(([key, value]) => [key, settle(value.replaceAll(id, "ID"))] as const)
        // To Go a map has no order, and so unified has none.
        .map(([key, value]) =>
          key === "DropInPaths" ? [key, value.split(" ").sort().join(" ")] : [key, value],
        );
      const files = controllers.map((controller) =>
        filesOf(groupOf(controller, `/system.slice/${unit}`)),
      );
      run(of, "delete", "--force", id);
      assert.is(show(unit).get("LoadState"), "not-found", `${of} leaves ${unit}`);
      return { properties: Object.fromEntries(properties), files };
    });
    assert.equal(one?.properties, other?.properties, name);
    assert.equal(one?.files, other?.files, name);
  }
});

check("nothing is left", async () => {
  for (const { id } of JSON.parse(room.tsRunc(["list", "--format", "json"]).stdout || "[]") ?? []) {
    room.tsRunc(["delete", "--force", id]);
  }
  assert.is(unitsLeft(), "");
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
