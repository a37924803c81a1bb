// Measures inside containers what their limits do, on whichever version of cgroups the host has; what the files say is
// compared in cgroup-contract.test.ts. Each measurement has a control without the limit. Needs root.

import { existsSync, statSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LinuxResources } from "../../src/spec/resources.ts";
import type { Outcome } from "../cli/executable.ts";
import { openRoom, slowness, statusField } from "../support/room.ts";

const test = suite("kernel/cgroup-effects");
const room = openRoom("cgroup-effects");
const mib = 1 << 20;

/** Runs a script in a container that has a node for a device, /dev/fuse, which the built-in rules do not allow. */
function runShell(script: string, resources: LinuxResources = {}): Outcome {
  const devices = [{ path: "/dev/fuse", type: "c", major: 10, minor: 229 }];
  const bundle = room.makeBundle({
    process: { args: ["sh", "-c", script] },
    linux: { namespaces: [{ type: "pid" }, { type: "mount" }], devices, resources },
  });
  return room.tsRunc(["run", "--bundle", bundle.directory, room.newId()]);
}

/** Hundredths of a second of processor time that a busy loop gets within two seconds. */
function busyTicks(resources?: LinuxResources): number {
  const script = `
    sh -c 'while :; do :; done' & pid=$!
    sleep 2
    set -- $(cat /proc/$pid/stat)
    kill -9 $pid
    shift 13; echo $(($1 + $2))`;
  const { stdout, stderr } = runShell(script, resources);
  assert.match(stdout, /^\d+\n$/, stderr);
  return Number(stdout);
}

test("a quota of a twentieth of a processor leaves a busy loop about as much", () => {
  const [free, limited] = [busyTicks(), busyTicks({ cpu: { quota: 5_000, period: 100_000 } })];
  // The two seconds are longer on an emulated processor.
  const most = slowness === 1 ? 25 : 50;
  assert.ok(limited <= most, `${limited} hundredths of two seconds`);
  assert.ok(free > 2 * limited, `${free} without a limit, ${limited} with it`);
});

test("a process that touches more memory than its limit is killed, and the container ends with 137", () => {
  const script = "exec dd if=/dev/zero of=/dev/null bs=64M count=1";
  assert.is(runShell(script).status, 0);
  const limited = runShell(script, { memory: { limit: 32 * mib, swap: 32 * mib } });
  assert.is(limited.status, 137, limited.stderr);
});

test("a fork beyond the limit of processes fails", () => {
  const script = "for i in 1 2 3 4 5 6; do sleep 1 & echo $i; done";
  assert.is(runShell(script).stdout, "1\n2\n3\n4\n5\n6\n");
  const limited = runShell(script, { pids: { limit: 4 } });
  assert.is(limited.stdout, "1\n2\n3\n");
  assert.match(limited.stderr, /can't fork/);
});

const processors = statusField(process.pid, "Cpus_allowed_list");
const [lastProcessor = "none"] = /\d+$/.exec(processors) ?? [];
const isAlone = processors === lastProcessor;
if (isAlone) console.log("skip: with one processor a cpuset changes nothing");

(isAlone ? test.skip : test)("a process may run on the processors of its cpuset only", () => {
  const script = "grep Cpus_allowed_list /proc/self/status";
  assert.is(runShell(script).stdout, `Cpus_allowed_list:\t${processors}\n`);
  const { stdout } = runShell(script, { cpu: { cpus: lastProcessor } });
  assert.is(stdout, `Cpus_allowed_list:\t${lastProcessor}\n`);
});

/** The disk below the room, as the kernel numbers it; undefined where its file system is none of a disk. */
function diskBelow(): { readonly major: number; readonly minor: number } | undefined {
  const { dev } = statSync(room.directory);
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
  return existsSync(`/sys/dev/block/${major}:${minor}`) ? { major, minor } : undefined;
}

const disk = diskBelow();
if (disk === undefined) console.log("skip: no disk below this directory to write to");

(disk === undefined ? test.skip : test)("writing to a disk is as slow as the throttle says", () => {
  // Direct, because cgroup v1 does not know whose pages are written back later.
  const script = `
    read before rest < /proc/uptime
    dd if=/dev/zero of=/tmp/file bs=64k count=32 oflag=direct 2>/dev/null || exit 1
    read after rest < /proc/uptime
    echo $before $after`;
  const secondsOf = (resources?: LinuxResources): number => {
    const { status, stdout, stderr } = runShell(script, resources);
    assert.is(status, 0, stderr);
    const [before = 0, after = 0] = stdout.split(" ").map(Number);
    return after - before;
  };
  const free = secondsOf();
  const throttleWriteBpsDevice = disk === undefined ? [] : [{ ...disk, rate: mib / 2 }];
  const throttled = secondsOf({ blockIO: { throttleWriteBpsDevice } });
  // 2 MiB at half a MiB a second.
  assert.ok(throttled > 3 && throttled > free + 1.5, `${free} s free, ${throttled} s throttled`);
});

test("a device is opened where the rules allow it, and refused where they do not", () => {
  // A redirection that fails would end the shell itself.
  const script = "(: < /dev/fuse); (: < /dev/null) && echo null";
  const deny = { allow: false, access: "rwm" };
  const denied = runShell(script, { devices: [deny] });
  assert.match(denied.stderr, /\/dev\/fuse: Operation not permitted/);
  assert.is(denied.stdout, "null\n");
  const fuse = { allow: true, type: "c", major: 10, minor: 229, access: "rwm" } as const;
  const allowed = runShell(script, { devices: [deny, fuse] });
  // Whether the host has a driver for it is not the rules' doing.
  assert.not.match(allowed.stderr, /Operation not permitted/);
  assert.is(allowed.stdout, "null\n");
});

test("nothing of all this is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
