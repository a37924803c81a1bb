// Checks that the machines of test/vm that have systemd are what the files on its cgroup driver take them for; elsewhere
// there is nothing to check. Needs root.

import { existsSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("kernel/machine-systemd");
const kind = process.env["TS_RUNC_MACHINE"] ?? "";
const hasSystemd = kind.startsWith("systemd");
if (!hasSystemd) console.log("skip: these are facts of the machines of test/vm that have systemd");
const check = hasSystemd ? test : test.skip;

const user = ["/usr/bin/setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups"];
const session = { PATH: "/usr/local/bin:/usr/bin", XDG_RUNTIME_DIR: "/run/user/1000" };

function output(argv: readonly string[], env?: Readonly<Record<string, string>>): string {
  const child = Bun.spawnSync([...argv], {
    stdin: "ignore",
    ...(env === undefined ? {} : { env: { ...env } }),
  });
  assert.is(child.exitCode, 0, `${argv.join(" ")}: ${child.stderr}`);
  return child.stdout.toString();
}

check("systemd is process 1, has booted, and answers on the system bus", () => {
  assert.is(readFileSync("/proc/1/comm", "utf8"), "systemd\n");
  assert.match(output(["busctl", "--system", "list"]), "org.freedesktop.systemd1");
  assert.match(output(["systemctl", "show", "-p", "Version"]), /^Version=2\d\d/);
});

check("the cgroup hierarchies are those of the machine's kind", () => {
  const mounts = readFileSync("/proc/mounts", "utf8");
  assert.is(existsSync("/sys/fs/cgroup/cgroup.controllers"), kind === "systemd");
  assert.is(mounts.includes(" cgroup "), kind === "systemd-v1");
});

check("a group below the one of the files has every controller that systemd delegates", () => {
  if (kind !== "systemd") return;
  const [, own = ""] = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8")) ?? [];
  const group = `/sys/fs/cgroup${own}`;
  assert.is(own, "/system.slice/bench.service/file");
  const controllers = readFileSync(`${group}/cgroup.controllers`, "utf8").trim().split(" ");
  for (const controller of ["cpu", "cpuset", "io", "memory", "pids"]) {
    assert.ok(controllers.includes(controller), `${controller} in ${controllers.join(" ")}`);
  }
});

check("an ordinary user has a session, a bus, and a part of the tree that is his", () => {
  assert.match(output([...user, "busctl", "--user", "list"], session), "org.freedesktop.systemd1");
  const run = ["systemd-run", "--user", "--scope", "--quiet", "cat", "/proc/self/cgroup"];
  const group = output([...user, ...run], session);
  assert.match(group, "/user.slice/user-1000.slice/user@1000.service/app.slice/run-");
});

test.run();
