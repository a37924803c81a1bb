// Device rules when they change: a group that has had others before, and a process that tries to open a device all the while, on
// whichever version of cgroups the host has. What rules mean is in cgroup-effects.test.ts. Needs root.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { applyResources } from "../../src/host/cgroups/apply.ts";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import { joinCgroup, makeCgroup } from "../../src/host/cgroups/make.ts";
import { killAll } from "../../src/host/cgroups/processes.ts";
import { removeCgroup } from "../../src/host/cgroups/remove.ts";
import { type CgroupPlan, planCgroup } from "../../src/plan/cgroup.ts";
import type { LinuxResources } from "../../src/spec/resources.ts";
import { openRoom, slowness, until } from "../support/room.ts";

const test = suite("kernel/cgroup-devices");
const room = openRoom("devices");
const host = readCgroupHost();

type Rules = NonNullable<LinuxResources["devices"]>;
const denyAll = { allow: false, access: "rwm" } as const;
const fuse = { allow: true, type: "c", major: 10, minor: 229, access: "rw" } as const;
const kmsg = { allow: true, type: "c", major: 1, minor: 11, access: "r" } as const;

/** The plan of a group of that name with these rules. */
function plan(id: string, devices: Rules): CgroupPlan {
  const own = host.version === "v2" ? { cgroupsPath: `/${id}` } : {};
  return planCgroup({ id, ...own, resources: { devices } }, host);
}

test("rules that allow everything put an end to those that a group had before", () => {
  const id = room.newId();
  const first = plan(id, [denyAll]);
  const made = makeCgroup(first);
  try {
    const refusal = "Operation not permitted";
    const tryIn = (devices: Rules): string => {
      const { directory } = room.makeBundle({
        process: { args: ["sh", "-c", ": < /dev/fuse"] },
        linux: {
          namespaces: [{ type: "pid" }, { type: "mount" }],
          devices: [{ path: "/dev/fuse", type: "c", major: 10, minor: 229 }],
          ...(host.version === "v2" ? { cgroupsPath: `/${id}` } : { cgroupsPath: id }),
          resources: { devices },
        },
      });
      return room.tsRunc(["run", "--bundle", directory, room.newId()]).stderr;
    };
    assert.match(tryIn([denyAll]), refusal);
    assert.not.match(tryIn([{ allow: true, access: "rwm" }]), refusal);
    assert.match(tryIn([denyAll]), refusal);
    assert.not.match(tryIn([denyAll, fuse]), refusal);
  } finally {
    removeCgroup(first.paths, made);
  }
});

/** Opens the device in a loop; writes a line for each thousand tries, and one when it has been let in. */
const opener = `
const { closeSync, openSync, writeSync } = require("node:fs");
for (let tries = 1; ; tries += 1) {
  try {
    closeSync(openSync("/dev/kmsg", "r"));
    writeSync(1, "opened\\n");
  } catch (error) {
    if (error.code !== "EPERM") writeSync(1, error.code + "\\n");
  }
  if (tries % 1000 === 0) writeSync(1, "refused\\n");
}`;

test("a device that is denied before and after stays denied while rules are replaced", async () => {
  const id = room.newId();
  const lists: readonly Rules[] = [[denyAll], [denyAll, fuse], [{ ...kmsg, allow: false }]];
  const made = makeCgroup(plan(id, [denyAll]));
  const { paths } = plan(id, []);
  const output = join(room.directory, "opener");
  const said = (): string => readFileSync(output, "utf8");
  try {
    applyResources(plan(id, [denyAll]), "devices");
    const child = Bun.spawn(["sh", "-c", `read line; exec "$0" -e '${opener}'`, process.execPath], {
      stdin: "pipe",
      stdout: Bun.file(output),
    });
    joinCgroup(paths, child.pid);
    child.stdin.write("go\n");
    child.stdin.end();
    await until(() => said() !== "");
    const rounds = 300 / slowness;
    for (let round = 0; round < rounds; round += 1) {
      for (const rules of lists) applyResources(plan(id, rules), "devices");
      // The runtime that is tested has the processor to itself otherwise, where there is only one.
      await Bun.sleep(1);
    }
    const seen = said();
    await until(() => said().length > seen.length);
    assert.match(said(), /^(refused\n)+$/);
    applyResources(plan(id, [denyAll, kmsg]), "devices");
    await until(() => said().includes("opened"));
    assert.match(said(), "opened", "it does open the device where it may");
    killAll(paths, 9);
    await child.exited;
  } finally {
    killAll(paths, 9);
    removeCgroup(paths, made);
  }
});

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
