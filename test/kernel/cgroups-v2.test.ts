// Makes, joins, limits, freezes, empties and removes real cgroups named ts-runc-test-* on a host with cgroup v2 only: in
// the machine of test/vm, or any other. Needs root.

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
import { attachDeviceProgram } from "../../src/host/cgroups/device-program.ts";
import { freeze, readFrozen, thaw } from "../../src/host/cgroups/freezer.ts";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import { joinCgroup, makeCgroup } from "../../src/host/cgroups/make.ts";
import { countOomKills, killAll, listProcesses } from "../../src/host/cgroups/processes.ts";
import { removeCgroup } from "../../src/host/cgroups/remove.ts";
import { type CgroupPlan, planCgroup } from "../../src/plan/cgroup.ts";
import type { LinuxResources } from "../../src/spec/resources.ts";
import { faultText } from "../support/fault-text.ts";
import { slowness } from "../support/room.ts";

const test = suite("kernel/cgroups-v2");
const host = readCgroupHost();
const obstacle =
  host.version !== "v2"
    ? "/sys/fs/cgroup is not cgroup v2"
    : process.getuid?.() === 0
      ? undefined
      : "not root";
if (obstacle !== undefined) console.log(`skip: ${obstacle}`);
const check = obstacle === undefined ? test : test.skip;

const root = "/sys/fs/cgroup";
const prefix = `ts-runc-test-${process.pid}-`;
let count = 0;

function planNew(resources: LinuxResources = {}, inside = ""): CgroupPlan {
  count += 1;
  return planCgroup({ id: "unused", resources, cgroupsPath: `/${inside}${prefix}${count}` }, host);
}

/** The same group with other resources. */
function replan(plan: CgroupPlan, resources: LinuxResources): CgroupPlan {
  return planCgroup({ id: "unused", resources, cgroupsPath: path(plan).slice(root.length) }, host);
}

function path(plan: CgroupPlan): string {
  return plan.paths[""] ?? "";
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
  assert.not(existsSync(path(plan)), `${path(plan)} is left`);
}

function startSleep(plan: CgroupPlan): Bun.Subprocess {
  const child = Bun.spawn(["sleep", "100"], { stdin: "ignore" });
  joinCgroup(plan.paths, child.pid);
  return child;
}

/** Runs a script in the group and returns what it says on both streams. */
async function runInside(plan: CgroupPlan, script: string): Promise<string> {
  const argv = ["sh", "-c", `read line; exec 2>&1; ${script}`];
  const child = Bun.spawn(argv, { stdin: "pipe", stdout: "pipe" });
  joinCgroup(plan.paths, child.pid);
  child.stdin.write("go\n");
  child.stdin.end();
  const output = await new Response(child.stdout).text();
  await child.exited;
  return output;
}

function read(plan: CgroupPlan, file: string): string {
  return readFileSync(`${path(plan)}/${file}`, "utf8").trim();
}

check("readCgroupHost() names the controllers of the root", () => {
  assert.is(host.version, "v2");
  const controllers = host.version === "v2" ? host.controllers : [];
  for (const controller of ["cpu", "memory", "pids"]) assert.ok(controllers.includes(controller));
});

check("makeCgroup() enables every controller down to the container's group", async () => {
  const plan = planNew({}, `${prefix}outer/${prefix}middle/`);
  await withCgroup(plan, (made) => {
    assert.equal(made, [path(plan)]);
    const top = readFileSync(`${root}/cgroup.controllers`, "utf8").trim();
    assert.is(read(plan, "cgroup.controllers"), top);
    const child = startSleep(plan);
    assert.equal(listProcesses(plan.paths), [child.pid]);
    const own = readFileSync(`/proc/${child.pid}/cgroup`, "utf8").trim();
    assert.is(own, `0::${path(plan).slice(root.length)}`);
  });
  rmdirSync(`${root}/${prefix}outer/${prefix}middle`);
  rmdirSync(`${root}/${prefix}outer`);
});

check("applyResources() writes limits that read back as asked", async () => {
  const plan = planNew({
    pids: { limit: 33 },
    memory: { limit: 64 << 20, reservation: 32 << 20, swap: 96 << 20 },
    cpu: { shares: 1024, quota: 20000, period: 50000, burst: 10000, cpus: "0", mems: "0" },
    devices: [{ allow: false, access: "rwm" }],
    unified: { "memory.high": `${48 << 20}`, "cgroup.max.depth": "5" },
  });
  await withCgroup(plan, () => {
    startSleep(plan);
    applyResources(plan);
    assert.is(read(plan, "pids.max"), "33");
    assert.is(read(plan, "memory.max"), `${64 << 20}`);
    assert.is(read(plan, "memory.low"), `${32 << 20}`);
    assert.is(read(plan, "memory.high"), `${48 << 20}`);
    assert.is(read(plan, "memory.swap.max"), `${32 << 20}`);
    assert.is(read(plan, "cpu.weight"), "100");
    assert.is(read(plan, "cpu.max"), "20000 50000");
    assert.is(read(plan, "cpu.max.burst"), "10000");
    assert.is(read(plan, "cpuset.cpus"), "0");
    assert.is(read(plan, "cpuset.mems"), "0");
    assert.is(read(plan, "cgroup.max.depth"), "5");
    applyResources(replan(plan, { cpu: { idle: 1, shares: 2048 } }));
    assert.is(read(plan, "cpu.idle"), "1");
  });
});

check("applyResources() writes a burst again that the present quota did not allow", async () => {
  const plan = planNew({ cpu: { quota: 10000, period: 100000, burst: 5000 } });
  await withCgroup(plan, () => {
    applyResources(plan);
    applyResources(replan(plan, { cpu: { quota: 60000, period: 100000, burst: 50000 } }));
    assert.is(read(plan, "cpu.max"), "60000 100000");
    assert.is(read(plan, "cpu.max.burst"), "50000");
  });
});

check("applyResources() says which controller an unknown unified resource lacks", async () => {
  const plan = planNew();
  await withCgroup(plan, () => {
    const unified = (file: string): string =>
      faultText(() => applyResources(replan(plan, { unified: { [file]: "1" } })));
    assert.is(
      unified("nope.max"),
      'linux.resources.unified.nope.max can\'t be set: controller "nope" not available',
    );
    assert.is(unified("nope"), 'unified resource "nope" must be in the form CONTROLLER.PARAMETER');
    assert.match(unified("memory.nope"), /memory\.nope": (permission|no such|operation not)/);
  });
});

check("applyResources() refuses a memory limit that is in use, when asked to look", async () => {
  const plan = planNew();
  await withCgroup(plan, async () => {
    // What a process has used before it joined is not counted here: one that was born here is needed.
    await runInside(plan, "sleep 100 >/dev/null 2>&1 &");
    const text = faultText(() =>
      applyResources(replan(plan, { memory: { limit: 4096, checkBeforeUpdate: true } })),
    );
    assert.match(text, /^rejecting memory limit 4096 <= usage \d+$/);
    assert.is(read(plan, "memory.max"), "max");
  });
});

check("the device program decides in the kernel, and a later one takes its place", async () => {
  const denyAll = { allow: false, access: "rwm" };
  const kmsg = { allow: true, type: "c", major: 1, minor: 11, access: "r" };
  const plan = planNew({ devices: [denyAll] });
  await withCgroup(plan, async () => {
    applyResources(plan);
    const probe = "head -c1 /dev/zero | wc -c; dd if=/dev/kmsg bs=9k count=1 2>&1 >/dev/null";
    const denied = await runInside(plan, probe);
    assert.match(denied, /^\s*1\n/);
    assert.match(denied, /Operation not permitted/);
    applyResources(replan(plan, { devices: [denyAll, kmsg] }));
    assert.not.match(await runInside(plan, probe), /Operation not permitted/);
    const write = "echo test 2>&1 >/dev/kmsg";
    assert.match(await runInside(plan, `{ ${write}; } 2>&1`), /Operation not permitted/);
    applyResources(replan(plan, { devices: [denyAll] }));
    assert.match(await runInside(plan, probe), /Operation not permitted/);
  });
});

check("a long and mixed device program passes the verifier", async () => {
  const devices = Array.from({ length: 800 }, (_, index) => ({
    allow: index % 3 !== 0,
    ...(index % 5 === 0 ? {} : { type: index % 2 === 0 ? "b" : "c" }),
    major: index % 90,
    ...(index % 7 === 0 ? {} : { minor: index }),
    access: ["r", "w", "m", "rw", "rwm"][index % 5] ?? "r",
  }));
  const plan = planNew({ devices });
  await withCgroup(plan, () => applyResources(plan));
});

check("attachDeviceProgram() reports what the verifier says", async () => {
  const plan = planNew();
  await withCgroup(plan, () => {
    const text = faultText(() =>
      attachDeviceProgram(path(plan), [
        { code: "MOV32_REG", destination: 0, source: 7, offset: 0, immediate: 0 },
        { code: "EXIT", destination: 0, source: 0, offset: 0, immediate: 0 },
      ]),
    );
    assert.match(text, /bpf\(BPF_PROG_LOAD\): EACCES: .*R7 !read_ok/s);
  });
});

check(
  "makeCgroup() refuses a cgroup that has processes, or is frozen, or is below such a one",
  async () => {
    const plan = planNew();
    await withCgroup(plan, () => {
      startSleep(plan);
      const text = faultText(() => makeCgroup(plan));
      assert.is(text, "container's cgroup is not empty: 1 process(es) found");
    });
    await withCgroup(plan, () => {
      freeze(plan.paths);
      const frozen = "container's cgroup unexpectedly frozen";
      assert.is(
        faultText(() => makeCgroup(plan)),
        frozen,
      );
      const inner = planNew({}, `${path(plan).slice(root.length + 1)}/`);
      assert.is(
        faultText(() => makeCgroup(inner)),
        frozen,
      );
      assert.not(existsSync(path(inner)));
      thaw(plan.paths);
    });
  },
);

check(
  "makeCgroup() makes a group below a threaded one threaded, unless a limit forbids it",
  async () => {
    const outer = `${root}/${prefix}threads`;
    mkdirSync(`${outer}/thread`, { recursive: true });
    writeFileSync(`${outer}/thread/cgroup.type`, "threaded");
    try {
      const limited = planNew({ memory: { limit: 1 << 20 } }, `${prefix}threads/`);
      assert.match(
        faultText(() => makeCgroup(limited)),
        /^cannot enter cgroupv2 ".*" with domain controllers -- it is in an invalid state$/,
      );
      assert.not(existsSync(path(limited)));
      const plan = planNew({ pids: { limit: 9 } }, `${prefix}threads/`);
      await withCgroup(plan, () => {
        assert.is(read(plan, "cgroup.type"), "threaded");
        const child = startSleep(plan);
        applyResources(plan);
        assert.equal(listProcesses(plan.paths), [child.pid]);
      });
    } finally {
      rmdirSync(`${outer}/thread`);
      rmdirSync(outer);
    }
  },
);

check("freeze() waits until it holds, and readFrozen() tells it from a frozen parent", async () => {
  const plan = planNew({}, `${prefix}above/`);
  await withCgroup(plan, () => {
    for (let index = 0; index < 20; index += 1) startSleep(plan);
    assert.is(readFrozen(plan.paths), false);
    freeze(plan.paths);
    assert.is(readFrozen(plan.paths), true);
    assert.match(read(plan, "cgroup.events"), /frozen 1/);
    thaw(plan.paths);
    assert.is(readFrozen(plan.paths), false);
    const above = { "": `${root}/${prefix}above` };
    freeze(above);
    assert.is(readFrozen(above), true);
    assert.is(readFrozen(plan.paths), false);
    thaw(above);
  });
  rmdirSync(`${root}/${prefix}above`);
  assert.is(readFrozen(plan.paths), false);
  assert.is(
    faultText(() => freeze({})),
    "cannot toggle freezer: cgroups not configured for container",
  );
});

check("killAll() ends frozen and nested processes, and sends other signals", async () => {
  const plan = planNew();
  await withCgroup(plan, async () => {
    const nested = startSleep(plan);
    mkdirSync(`${path(plan)}/one`);
    writeFileSync(`${path(plan)}/one/cgroup.procs`, `${nested.pid}`);
    const frozen = startSleep(plan);
    freeze(plan.paths);
    killAll(plan.paths, 9);
    assert.is(await frozen.exited, 137);
    assert.is(await nested.exited, 137);
    thaw(plan.paths);
    const ended = startSleep(plan);
    killAll(plan.paths, 15);
    assert.is(await ended.exited, 143);
    const paused = startSleep(plan);
    freeze(plan.paths);
    killAll(plan.paths, 15);
    assert.is(read(plan, "cgroup.freeze"), "1");
    thaw(plan.paths);
    assert.is(await paused.exited, 143);
  });
  killAll(plan.paths, 9);
  assert.equal(listProcesses(plan.paths), []);
});

check("removeCgroup() removes groups made inside, and leaves what was there before", async () => {
  const plan = planNew();
  const made = makeCgroup(plan);
  mkdirSync(`${path(plan)}/one/two`, { recursive: true });
  const child = startSleep(plan);
  child.kill("SIGKILL");
  removeCgroup(plan.paths, made);
  assert.not(existsSync(path(plan)));
  removeCgroup(plan.paths, made);
  mkdirSync(path(plan));
  assert.equal(makeCgroup(plan), []);
  removeCgroup(plan.paths, []);
  assert.ok(existsSync(path(plan)));
  rmdirSync(path(plan));
});

check("countOomKills() counts what the kernel killed for want of memory", async () => {
  const plan = planNew({ memory: { limit: 16 << 20, swap: 16 << 20 } });
  await withCgroup(plan, async () => {
    assert.is(countOomKills(plan.paths), 0);
    applyResources(plan);
    await runInside(plan, "head -c 104857600 /dev/zero | tail -c 94371840 | wc -c");
    assert.ok(countOomKills(plan.paths) > 0);
  });
});

check("a cgroup costs a few milliseconds in all", async () => {
  const spentMs: number[] = [];
  for (let round = 0; round < 15; round += 1) {
    const child = Bun.spawn(["sleep", "100"], { stdin: "ignore" });
    const started = performance.now();
    const plan = planNew({ pids: { limit: 9 }, devices: [{ allow: false, access: "rwm" }] });
    const made = makeCgroup(plan);
    joinCgroup(plan.paths, child.pid);
    applyResources(plan);
    spentMs.push(performance.now() - started);
    child.kill("SIGKILL");
    await child.exited;
    removeCgroup(plan.paths, made);
  }
  const median = spentMs.sort((one, other) => one - other)[7] ?? 0;
  console.log(`median of planning, making, joining and limiting: ${median.toFixed(2)} ms`);
  assert.ok(median < 30 * slowness, `${median} ms`);
});

test.after(() => {
  if (obstacle !== undefined) return;
  assert.equal(
    readdirSync(root).filter((name) => name.startsWith(prefix)),
    [],
  );
});

test.run();
