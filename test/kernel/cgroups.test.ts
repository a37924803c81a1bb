// Makes, joins, limits, freezes, empties and removes real cgroups, all below our own and named ts-runc-test-*, on a v1 or
// hybrid host. Needs root.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { applyResources } from "../../src/host/cgroups/apply.ts";
import { freeze, readFrozen, thaw } from "../../src/host/cgroups/freezer.ts";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import { joinCgroup, makeCgroup } from "../../src/host/cgroups/make.ts";
import { countOomKills, killAll, listProcesses } from "../../src/host/cgroups/processes.ts";
import { removeCgroup } from "../../src/host/cgroups/remove.ts";
import { type CgroupPlan, planCgroup } from "../../src/plan/cgroup.ts";
import type { LinuxResources } from "../../src/spec/resources.ts";
import { faultText } from "../support/fault-text.ts";
import { takeRealtimeShare } from "../support/real-time.ts";

const test = suite("kernel/cgroups");
const host = readCgroupHost();
if (host.version === "v2") console.log("skip: this host has no cgroup v1");
const check = host.version === "v1" && process.getuid?.() === 0 ? test : test.skip;

const prefix = "ts-runc-test-";
let count = 0;

function planNew(resources: LinuxResources = {}, cgroupsPath?: string): CgroupPlan {
  count += 1;
  return planCgroup({ id: `${prefix}${process.pid}-${count}`, resources, cgroupsPath }, host);
}

/** Runs `body` with a made cgroup and removes it, and whatever runs in it, afterwards. */
async function withCgroup(
  plan: CgroupPlan,
  body: (made: readonly string[]) => void | Promise<void>,
): Promise<void> {
  const made = makeCgroup(plan);
  try {
    await body(made);
  } finally {
    killAll(plan.paths, 9);
    removeCgroup(plan.paths, made);
  }
  for (const path of Object.values(plan.paths)) assert.not(existsSync(path), `${path} is left`);
}

function startSleep(plan: CgroupPlan): Bun.Subprocess {
  const child = Bun.spawn(["sleep", "100"], { stdin: "ignore" });
  joinCgroup(plan.paths, child.pid);
  return child;
}

function read(plan: CgroupPlan, controller: string, file: string): string {
  return readFileSync(`${plan.paths[controller]}/${file}`, "utf8").trim();
}

/** Controllers that are mounted together have one. */
function directoriesOf({ paths }: CgroupPlan): readonly string[] {
  return [...new Set(Object.values(paths))];
}

/** Removes the two directories above the group, which removeCgroup leaves. */
function removeParents(plan: CgroupPlan, middle: string): void {
  for (const path of directoriesOf(plan)) {
    rmdirSync(path.slice(0, path.lastIndexOf("/")));
    rmdirSync(path.slice(0, path.indexOf(middle)));
  }
}

check("joinCgroup() puts a process into every hierarchy of the plan", async () => {
  const plan = planNew();
  await withCgroup(plan, (made) => {
    assert.equal([...made].sort(), [...directoriesOf(plan)].sort());
    const child = startSleep(plan);
    const own = readFileSync(`/proc/${child.pid}/cgroup`, "utf8");
    const name = `${prefix}${process.pid}-${count}`;
    // A hierarchy that is mounted nowhere any more lives on while something refers to it; nobody can join it.
    const joinable = own
      .trim()
      .split("\n")
      .filter((line) => (line.split(":")[1] ?? "").split(",").some((key) => key in plan.paths));
    assert.is(joinable.length, plan.hierarchies.length);
    for (const line of joinable) assert.ok(line.endsWith(name), line);
    assert.equal(listProcesses(plan.paths), [child.pid]);
  });
});

check("joinCgroup() names the file and the errno when there is no such process", async () => {
  const plan = planNew();
  await withCgroup(plan, () => {
    const text = faultText(() => joinCgroup(plan.paths, 0x3fff_fffe));
    const file = JSON.stringify(`${plan.paths["cpuset"]}/cgroup.procs`);
    assert.is(text, `joining the container's cgroup: write ${file}: no such process`);
  });
});

check("applyResources() writes limits that read back as asked", async () => {
  const plan = planNew({
    pids: { limit: 33 },
    memory: { limit: 64 << 20, reservation: 32 << 20, swap: 96 << 20, swappiness: 7 },
    cpu: { shares: 2048, quota: 20000, period: 50000, burst: 10000, cpus: "0", mems: "0" },
    devices: [{ allow: false, access: "rwm" }],
  });
  await withCgroup(plan, () => {
    assert.is(read(plan, "cpuset", "cpuset.cpus"), "0");
    applyResources(plan);
    assert.is(read(plan, "pids", "pids.max"), "33");
    assert.is(read(plan, "memory", "memory.limit_in_bytes"), `${64 << 20}`);
    assert.is(read(plan, "memory", "memory.memsw.limit_in_bytes"), `${96 << 20}`);
    assert.is(read(plan, "memory", "memory.soft_limit_in_bytes"), `${32 << 20}`);
    assert.is(read(plan, "memory", "memory.swappiness"), "7");
    assert.is(read(plan, "cpu", "cpu.shares"), "2048");
    assert.is(read(plan, "cpu", "cpu.cfs_quota_us"), "20000");
    assert.is(read(plan, "cpu", "cpu.cfs_period_us"), "50000");
    assert.is(read(plan, "cpu", "cpu.cfs_burst_us"), "10000");
    const devices = read(plan, "devices", "devices.list").split("\n");
    assert.ok(devices.includes("c 1:3 rwm"));
    assert.not.ok(devices.includes("a *:* rwm"));
  });
});

check("applyResources() raises and lowers limits whichever order the kernel wants", async () => {
  const limits = (limit: number, swap: number): LinuxResources => ({ memory: { limit, swap } });
  const id = `${prefix}${process.pid}-order`;
  const plan = (resources: LinuxResources): CgroupPlan => planCgroup({ id, resources }, host);
  const first = plan(limits(64 << 20, 80 << 20));
  await withCgroup(first, () => {
    applyResources(first);
    applyResources(plan(limits(128 << 20, 160 << 20)));
    assert.is(read(first, "memory", "memory.limit_in_bytes"), `${128 << 20}`);
    applyResources(plan(limits(32 << 20, 40 << 20)));
    assert.is(read(first, "memory", "memory.memsw.limit_in_bytes"), `${40 << 20}`);
    applyResources(plan({ memory: { limit: -1 } }));
    assert.ok(Number(read(first, "memory", "memory.memsw.limit_in_bytes")) > 2 ** 60);
    applyResources(plan({ cpu: { quota: 50000, period: 100000, burst: 20000 } }));
    applyResources(plan({ cpu: { quota: 5000, period: 10000, burst: 1000 } }));
    assert.is(read(first, "cpu", "cpu.cfs_period_us"), "10000");
    assert.is(read(first, "cpu", "cpu.cfs_quota_us"), "5000");
    applyResources(plan({ cpu: { quota: 500000, period: 1000000, burst: 200000 } }));
    assert.is(read(first, "cpu", "cpu.cfs_burst_us"), "200000");
  });
});

check(
  "applyResources() names the property, the file and the errno of a refused write",
  async () => {
    const plan = planNew({ cpu: { idle: 7 } });
    await withCgroup(plan, () => {
      const text = faultText(() => applyResources(plan));
      const file = `${plan.paths["cpu"]}/cpu.idle`;
      assert.is(
        text,
        `setting linux.resources.cpu.idle to "7": write ${JSON.stringify(file)}: invalid argument`,
      );
    });
  },
);

check("a process in the cgroup can use allowed devices only", async () => {
  const plan = planNew({ devices: [{ allow: false, access: "rwm" }] });
  await withCgroup(plan, async () => {
    applyResources(plan);
    const script = "read line; head -c1 /dev/zero | wc -c; head -c1 /dev/kmsg && echo readable";
    const child = Bun.spawn(["sh", "-c", script], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    joinCgroup(plan.paths, child.pid);
    child.stdin.write("go\n");
    child.stdin.end();
    assert.is((await new Response(child.stdout).text()).trim(), "1");
    assert.match(await new Response(child.stderr).text(), /Operation not permitted/);
  });
});

check("makeCgroup() refuses a cgroup that has processes, and leaves it as it is", async () => {
  const plan = planNew();
  await withCgroup(plan, () => {
    startSleep(plan);
    assert.is(
      faultText(() => makeCgroup(plan)),
      "container's cgroup is not empty: 1 process(es) found",
    );
    assert.is(listProcesses(plan.paths).length, 1);
  });
});

check("makeCgroup() refuses a frozen cgroup, and one below a frozen cgroup", async () => {
  const outer = planNew();
  await withCgroup(outer, () => {
    freeze(outer.paths);
    assert.is(
      faultText(() => makeCgroup(outer)),
      "container's cgroup unexpectedly frozen",
    );
    const inner = planNew({}, `${prefix}${process.pid}-${count}/inner`);
    const text = faultText(() => makeCgroup(inner));
    assert.is(text, "container's cgroup unexpectedly frozen");
    for (const path of Object.values(inner.paths)) assert.not(existsSync(path));
    thaw(outer.paths);
  });
});

check("makeCgroup() and removeCgroup() leave a directory that was there before", async () => {
  const plan = planNew();
  const existing = plan.paths["pids"] ?? "";
  mkdirSync(existing);
  const made = makeCgroup(plan);
  assert.not.ok(made.includes(existing));
  removeCgroup(plan.paths, made);
  assert.ok(existsSync(existing));
  assert.not(existsSync(plan.paths["cpu"] ?? ""));
  rmdirSync(existing);
});

check("makeCgroup() makes missing parents, with CPUs and memory nodes copied down", async () => {
  const parent = `${prefix}${process.pid}-parent`;
  const plan = planNew({}, `${parent}/middle/inner`);
  await withCgroup(plan, () => {
    assert.is(read(plan, "cpuset", "../cpuset.cpus"), read(plan, "cpuset", "cpuset.cpus"));
    assert.is.not(read(plan, "cpuset", "cpuset.mems"), "");
    startSleep(plan);
  });
  removeParents(plan, "/middle/");
});

const realtime = host.version === "v1" ? takeRealtimeShare("cgroups") : undefined;
const realtimeObstacle = realtime ?? "this kernel has no real-time groups";
if (host.version === "v1" && typeof realtimeObstacle === "string") {
  console.log(`skip: ${realtimeObstacle}`);
}

(typeof realtimeObstacle === "string" ? test.skip : check)(
  "makeCgroup() gives real-time bandwidth to the parents that it makes, too",
  async () => {
    assert.ok(typeof realtime === "object");
    const cpu = { realtimeRuntime: 1000, realtimePeriod: 500000 };
    const plan = planNew({ cpu }, `${realtime.parent}/outer/middle/inner`);
    const file = "cpu.rt_runtime_us";
    await withCgroup(plan, () => {
      for (const where of [`../../${file}`, `../${file}`, file]) {
        assert.is(read(plan, "cpu", where), "1000", where);
      }
      assert.is(read(plan, "cpu", "cpu.rt_period_us"), "500000");
    });
    removeParents(plan, "/middle/");
  },
);

check("removeCgroup() waits for killed processes and removes groups made inside", async () => {
  const plan = planNew();
  const made = makeCgroup(plan);
  mkdirSync(`${plan.paths["pids"]}/one`);
  mkdirSync(`${plan.paths["pids"]}/one/two`);
  mkdirSync(`${plan.paths["freezer"]}/one`);
  const child = startSleep(plan);
  writeFileSync(`${plan.paths["freezer"]}/one/cgroup.procs`, `${child.pid}`);
  assert.equal(listProcesses(plan.paths), [child.pid]);
  child.kill("SIGKILL");
  removeCgroup(plan.paths, made);
  for (const path of Object.values(plan.paths)) assert.not(existsSync(path));
  removeCgroup(plan.paths, made);
});

check("freeze() and thaw() are seen by readFrozen() and by the process", async () => {
  const plan = planNew();
  await withCgroup(plan, () => {
    startSleep(plan);
    assert.is(readFrozen(plan.paths), false);
    freeze(plan.paths);
    assert.is(readFrozen(plan.paths), true);
    assert.is(read(plan, "freezer", "freezer.state"), "FROZEN");
    thaw(plan.paths);
    assert.is(readFrozen(plan.paths), false);
  });
  assert.is(readFrozen(plan.paths), false);
  assert.is(
    faultText(() => freeze({})),
    "cannot toggle freezer: cgroups not configured for container",
  );
});

check("killAll() ends frozen processes, and every process without a v2 tree to help", async () => {
  const plan = planNew();
  const { "": _, ...v1Paths } = plan.paths;
  await withCgroup(plan, async () => {
    const frozen = startSleep(plan);
    freeze(plan.paths);
    killAll(plan.paths, 9);
    assert.is(await frozen.exited, 137);
    const several = [startSleep(plan), startSleep(plan)];
    killAll(v1Paths, 15);
    for (const child of several) assert.is(await child.exited, 143);
    const last = startSleep(plan);
    freeze(v1Paths);
    killAll(v1Paths, 9);
    assert.is(await last.exited, 137);
    assert.is(readFrozen(plan.paths), false);
  });
  assert.equal(listProcesses(plan.paths), []);
  killAll(plan.paths, 9);
});

check("killAll() catches up with a process that forks, frozen or not", async () => {
  const forking = "while :; do sleep 0.01 & done";
  for (const kept of [["freezer"], ["devices"]]) {
    const plan = planNew({ pids: { limit: 50 } });
    await withCgroup(plan, async () => {
      applyResources(plan);
      const child = Bun.spawn(["sh", "-c", forking], { stdin: "ignore", stderr: "ignore" });
      joinCgroup(plan.paths, child.pid);
      await Bun.sleep(50);
      const paths = Object.entries(plan.paths).filter(([controller]) => kept.includes(controller));
      killAll(Object.fromEntries(paths), 9);
      await child.exited;
      for (let tries = 0; tries < 200 && listProcesses(plan.paths).length > 0; tries += 1) {
        await Bun.sleep(5);
      }
      assert.equal(listProcesses(plan.paths), []);
    });
  }
});

check("countOomKills() counts what the kernel killed for want of memory", async () => {
  const plan = planNew({ memory: { limit: 16 << 20, swap: 16 << 20 } });
  await withCgroup(plan, async () => {
    assert.is(countOomKills(plan.paths), 0);
    applyResources(plan);
    const script = "read line; head -c 100m /dev/zero | tail -c 90m | wc -c";
    const child = Bun.spawn(["sh", "-c", script], { stdin: "pipe", stdout: "ignore" });
    joinCgroup(plan.paths, child.pid);
    child.stdin.write("go\n");
    child.stdin.end();
    await child.exited;
    assert.ok(countOomKills(plan.paths) > 0);
  });
});

test.after(() => {
  if (host.version === "v2") return;
  for (const { ownPath } of host.hierarchies) {
    const left = readdirSync(ownPath).filter((name) => name.startsWith(`${prefix}${process.pid}-`));
    assert.equal(left, [], `left in ${ownPath}`);
  }
});

test.after(() => {
  if (typeof realtime === "object") realtime.remove();
});

test.run();
