// Checks that the machine of test/vm is what the other files of this folder take it for; on the host there is nothing
// to check. Needs root.

import { existsSync, readFileSync, statfsSync, statSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("kernel/machine");
const inMachine = process.env["TS_RUNC_MACHINE"] === "v2";
if (!inMachine) console.log("skip: these are facts of the machine of test/vm, not of the host");
const check = inMachine ? test : test.skip;

const CGROUP2_SUPER_MAGIC = 0x63677270;
const CAP_SYS_RESOURCE = 24n;

check("/sys/fs/cgroup is cgroup v2 and delegates its controllers", () => {
  assert.is(statfsSync("/sys/fs/cgroup").type, CGROUP2_SUPER_MAGIC);
  const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
  assert.is(mounts.filter((line) => / cgroup2? /.test(line)).length, 1);
  const delegated = readFileSync("/sys/fs/cgroup/cgroup.subtree_control", "utf8").trim().split(" ");
  for (const controller of ["cpu", "cpuset", "hugetlb", "io", "memory", "pids"]) {
    assert.ok(delegated.includes(controller), `${controller} in ${delegated.join(" ")}`);
  }
});

check("the process is root with every capability, unconfined by a filter", () => {
  assert.is(process.getuid?.(), 0);
  const status = readFileSync("/proc/self/status", "utf8");
  const field = (name: string): string =>
    new RegExp(`^${name}:\\s+(\\S+)$`, "m").exec(status)?.[1] ?? `no ${name}`;
  const effective = BigInt(`0x${field("CapEff")}`);
  assert.is((effective >> CAP_SYS_RESOURCE) & 1n, 1n);
  const last = BigInt(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8").trim());
  assert.is(effective, (1n << (last + 1n)) - 1n);
  assert.is(field("Seccomp"), "0");
  assert.is(field("NoNewPrivs"), "0");
});

check("user, network and cgroup namespaces can be made", () => {
  const argv = ["unshare", "--user", "--map-root-user", "--net", "--cgroup", "--mount", "id", "-u"];
  const child = Bun.spawnSync(argv, { stdin: "ignore" });
  assert.is(child.stderr.toString(), "");
  assert.is(child.stdout.toString(), "0\n");
});

check("a module that the kernel asks for is loaded", () => {
  const child = Bun.spawnSync(["ip", "link", "add", "machine0", "type", "dummy"]);
  assert.is(child.stderr.toString(), "");
  assert.ok(existsSync("/sys/class/net/machine0"));
  assert.is(Bun.spawnSync(["ip", "link", "delete", "machine0"]).exitCode, 0);
});

check("a process that has lost its parent is reaped", async () => {
  const child = Bun.spawnSync(["sh", "-c", "true & echo $!"]);
  const orphan = `/proc/${child.stdout.toString().trim()}`;
  for (let tries = 0; tries < 100 && existsSync(orphan); tries++) await Bun.sleep(20);
  assert.not.ok(existsSync(orphan));
});

check("the clock is finer than a tick", () => {
  const clock = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
  assert.match(readFileSync(clock, "utf8"), /^tsc(-early)?$/m);
});

check("the root file system is ext4, whose mounts can be id-mapped, and not the initramfs", () => {
  const line = readFileSync("/proc/mounts", "utf8").split("\n");
  assert.ok(line.some((mount) => / \/ ext4 rw/.test(mount)));
});

check("the built runtime, where there is one, runs", () => {
  if (!existsSync("dist/ts-runc")) return console.log("skip: dist/ts-runc is not built");
  assert.ok(statSync("dist/ts-runc").mode & 0o100);
  const child = Bun.spawnSync(["dist/ts-runc", "--version"]);
  assert.is(child.exitCode, 0, child.stderr.toString());
});

test.run();
