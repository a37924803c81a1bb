// Scheduling, I/O priority, affinity, personality and memory policy, seen from inside and by the kernel; values that cannot be
// meant. runc 1.1.5 knows none of it, crun 1.8.1 the personality. Needs root.

import { existsSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { logMessages, runProgram } from "../cli/executable.ts";
import { openExecRoom } from "../support/exec-room.ts";
import { takeRealtimeShare } from "../support/real-time.ts";
import { type Room, statusField } from "../support/room.ts";

const test = suite("kernel/attributes");
const execRoom = openExecRoom("attributes");
const { room, startContainer, outputOf, processFile } = execRoom;
type Change = NonNullable<Parameters<Room["makeBundle"]>[0]>;

/** Nice value, real-time priority and policy of the program that looks: proc_pid_stat(5), fields 19, 40 and 41. */
const look = ["cut", "-d", " ", "-f", "19,40,41", "/proc/self/stat"];

// The container's root owns nothing of the rootfs, and so makes its devices elsewhere.
const mounts = [
  { destination: "/proc", type: "proc", source: "proc" },
  { destination: "/dev", type: "tmpfs", source: "tmpfs" },
];

function run(change: Change): { readonly status: number; readonly output: string } {
  const { directory } = room.makeBundle({ mounts, ...change });
  const { status, stdout, stderr } = room.tsRunc(["run", "-b", directory, room.newId()]);
  return { status, output: status === 0 ? stdout.trim() : logMessages(stderr).join("\n") };
}

function expectRun(change: Change, output: string | RegExp): void {
  const found = run(change);
  assert.is(found.status, 0, found.output);
  if (typeof output === "string") assert.is(found.output, output);
  else assert.match(found.output, output);
}

/** A refusal that names all of these, and leaves nothing. */
function expectRefusal(change: Change, ...named: readonly string[]): void {
  const { status, output } = run(change);
  assert.is(status, 1, output);
  for (const name of named) assert.ok(output.includes(name), `${name} in ${output}`);
}

// A real-time process needs a share of its group's on cgroup v1.
const share = takeRealtimeShare("attributes");
if (typeof share === "string") console.log(`skip: real-time policies: ${share}`);
const realtimePolicies = /^SCHED_(FIFO|RR)$/;

/** With bandwidth for its group, where the kernel asks for that. */
function withBandwidth(linux: object): object {
  if (typeof share !== "object") return linux;
  const cpu = { realtimeRuntime: 10_000, realtimePeriod: 1_000_000 };
  return { ...linux, cgroupsPath: `${share.parent}/${room.newId()}`, resources: { cpu } };
}

const user = {
  namespaces: ["pid", "mount", "ipc", "uts", "network", "user"].map((type) => ({ type })),
  uidMappings: [{ containerID: 0, hostID: 100_000, size: 1000 }],
  gidMappings: [{ containerID: 0, hostID: 100_000, size: 1000 }],
};

const policies: readonly (readonly [name: string, scheduler: object, seen: string])[] = [
  ["SCHED_OTHER", { policy: "SCHED_OTHER", nice: 7 }, "7 0 0"],
  ["SCHED_OTHER, favoured", { policy: "SCHED_OTHER", nice: -7 }, "-7 0 0"],
  ["SCHED_FIFO", { policy: "SCHED_FIFO", priority: 42 }, "0 42 1"],
  ["SCHED_RR", { policy: "SCHED_RR", priority: 99 }, "0 99 2"],
  ["SCHED_BATCH", { policy: "SCHED_BATCH", nice: 19 }, "19 0 3"],
  ["SCHED_IDLE", { policy: "SCHED_IDLE" }, "0 0 5"],
  [
    "SCHED_DEADLINE",
    { policy: "SCHED_DEADLINE", runtime: 2_000_000, deadline: 20_000_000, period: 30_000_000 },
    "0 0 6",
  ],
];

for (const [name, scheduler, seen] of policies) {
  for (const [where, linux] of [
    ["", {}],
    [" in a user namespace", user],
  ] as const) {
    const isRealtime = realtimePolicies.test(name);
    const check = isRealtime && typeof share === "string" ? test.skip : test;
    check(`a program runs with ${name}${where}`, () => {
      const surroundings = isRealtime ? withBandwidth(linux) : linux;
      expectRun({ process: { args: look, scheduler }, linux: surroundings }, seen);
    });
  }
}

test("a child is reset with SCHED_FLAG_RESET_ON_FORK, and not without", () => {
  const asChild = ["sh", "-c", "cut -d ' ' -f 19,40,41 /proc/self/stat; :"];
  const batch = { policy: "SCHED_BATCH", nice: -5 };
  expectRun({ process: { args: asChild, scheduler: batch } }, "-5 0 3");
  const scheduler = { ...batch, flags: ["SCHED_FLAG_RESET_ON_FORK"] };
  expectRun({ process: { args: asChild, scheduler } }, "0 0 3");
});

test("what the kernel refuses of a scheduler is said with call and policy", () => {
  expectRefusal(
    { process: { scheduler: { policy: "SCHED_ISO" } } },
    "setting the scheduler SCHED_ISO: sched_setattr: invalid argument",
  );
  expectRefusal(
    { process: { scheduler: { policy: "SCHED_ISO" } }, linux: user },
    "setting the scheduler SCHED_ISO: sched_setattr: invalid argument",
  );
});

test("a program has the I/O priority that was asked for", () => {
  const args = ["busybox", "ionice"];
  const asked = (ioPriority: object, linux = {}): Change => ({
    process: { args, ioPriority },
    linux,
  });
  expectRun(asked({ class: "IOPRIO_CLASS_RT", priority: 1 }), "realtime: prio 1");
  expectRun(asked({ class: "IOPRIO_CLASS_RT", priority: 1 }, user), "realtime: prio 1");
  expectRun(asked({ class: "IOPRIO_CLASS_BE", priority: 7 }), "best-effort: prio 7");
  expectRun(asked({ class: "IOPRIO_CLASS_BE" }), "best-effort: prio 0");
  expectRun(asked({ class: "IOPRIO_CLASS_IDLE" }), "idle");
});

test("a program has the personality that was asked for", () => {
  const change: Change = {
    process: { args: ["sh", "-c", "cat /proc/self/personality"] },
    linux: { personality: { domain: "LINUX32" } },
  };
  expectRun(change, "00000008");
  expectRun({ ...change, linux: { personality: { domain: "LINUX" } } }, "00000000");
  expectRun({ ...change, linux: { ...user, personality: { domain: "LINUX32" } } }, "00000008");
});

test("memory comes from where the policy says", () => {
  const args = ["head", "-n", "1", "/proc/self/numa_maps"];
  const policyOf = (memoryPolicy: object, more = {}): Change => ({
    process: { args },
    linux: { memoryPolicy, ...more },
  });
  expectRun(policyOf({ mode: "MPOL_DEFAULT" }), / default /);
  expectRun(policyOf({ mode: "MPOL_BIND", nodes: "0" }), / bind:0 /);
  expectRun(policyOf({ mode: "MPOL_BIND", nodes: "0" }, user), / bind:0 /);
  expectRun(policyOf({ mode: "MPOL_PREFERRED", nodes: "0" }), / prefer:0 /);
  // Without a node it is the one of the processor.
  expectRun(policyOf({ mode: "MPOL_PREFERRED" }), / (local|prefer|default) /);
  expectRun(policyOf({ mode: "MPOL_PREFERRED_MANY", nodes: "0" }), / prefer \(many\):0 /);
  expectRun(policyOf({ mode: "MPOL_LOCAL" }), / local /);
  const interleave = { mode: "MPOL_INTERLEAVE", nodes: "0" };
  expectRun(policyOf(interleave), / interleave:0 /);
  expectRun(policyOf({ ...interleave, flags: ["MPOL_F_STATIC_NODES"] }), / interleave=static:0 /);
  const relative = { ...interleave, flags: ["MPOL_F_RELATIVE_NODES"] };
  expectRun(policyOf(relative), / interleave=relative:0 /);
  expectRefusal(
    policyOf({ mode: "MPOL_BIND", nodes: "900" }),
    "setting the memory policy MPOL_BIND 900: set_mempolicy: invalid argument",
  );
});

/** Each with the pointer, the value and the rule that the message has. */
const refusals: readonly (readonly [change: Change, ...named: string[]])[] = [
  [{ process: { scheduler: {} } }, "/process/scheduler", "policy"],
  [{ process: { scheduler: { policy: "SCHED_NONE" } } }, "/process/scheduler/policy", "SCHED_IDLE"],
  [
    { process: { scheduler: { policy: "SCHED_OTHER", nice: 20 } } },
    ...["/process/scheduler/nice", "from -20 to 19", "20"],
  ],
  [
    { process: { scheduler: { policy: "SCHED_FIFO" } } },
    ...["/process/scheduler/priority", "from 1 to 99", "got 0"],
  ],
  [
    { process: { scheduler: { policy: "SCHED_IDLE", priority: 3 } } },
    ...["/process/scheduler/priority", "only be specified for SCHED_FIFO and SCHED_RR", "got 3"],
  ],
  [
    { process: { scheduler: { policy: "SCHED_RR", priority: 1, runtime: 5 } } },
    ...["/process/scheduler/runtime", "only be specified for SCHED_DEADLINE", "got 5"],
  ],
  [
    { process: { scheduler: { policy: "SCHED_RR", priority: 1, flags: ["SCHED_FLAG_ALL"] } } },
    ...["/process/scheduler/flags/0", "SCHED_FLAG_RECLAIM"],
  ],
  [
    { process: { ioPriority: { class: "IOPRIO_CLASS_NONE" } } },
    ...["/process/ioPriority/class", "IOPRIO_CLASS_IDLE"],
  ],
  [
    { process: { ioPriority: { class: "IOPRIO_CLASS_BE", priority: 8 } } },
    ...["/process/ioPriority/priority", "from 0 to 7", "got 8"],
  ],
  [
    { process: { execCPUAffinity: { initial: "0-" } } },
    ...["/process/execCPUAffinity/initial", "0-3,7"],
  ],
  [{ linux: { personality: { domain: "WINDOWS" } } }, "/linux/personality/domain", "LINUX32"],
  [{ linux: { personality: {} } }, "/linux/personality", "must have a domain"],
  [{ linux: { memoryPolicy: { nodes: "0" } } }, "/linux/memoryPolicy", "must have a mode"],
  [
    { linux: { memoryPolicy: { mode: "MPOL_BIND" } } },
    ...["/linux/memoryPolicy/nodes", "must name a node with MPOL_BIND"],
  ],
  [
    { linux: { memoryPolicy: { mode: "MPOL_LOCAL", nodes: "0" } } },
    ...["/linux/memoryPolicy/nodes", "must be empty with MPOL_LOCAL, got"],
  ],
  [
    { process: { oomScoreAdj: 1001 } },
    ...["/process/oomScoreAdj", "from -1000 to 1000", "got 1001"],
  ],
];

for (const [change, ...named] of refusals) {
  test(`refuses ${JSON.stringify(change)} with property, value and rule`, () => {
    expectRefusal(change, ...named);
  });
}

test("oomScoreAdj is what the program has, 0 included, and a refusal names file and error", () => {
  const args = ["cat", "/proc/self/oom_score_adj"];
  expectRun({ process: { args, oomScoreAdj: 1000 } }, "1000");
  const own = readFileSync("/proc/self/oom_score_adj", "utf8").trim();
  expectRun({ process: { args } }, own);
  if (Number(own) <= 0) expectRun({ process: { args, oomScoreAdj: 0 } }, "0");
  const low = run({ process: { args, oomScoreAdj: -1000 } });
  // The host's root need not have CAP_SYS_RESOURCE.
  if (low.status === 0) assert.is(low.output, "-1000");
  else {
    const words = /setting process\.oomScoreAdj to -1000: write \/proc\/\d+\/oom_score_adj: perm/;
    assert.match(low.output, words);
  }
});

const changed = {
  process: {
    scheduler: { policy: "SCHED_BATCH", nice: 3 },
    ioPriority: { class: "IOPRIO_CLASS_BE", priority: 6 },
  },
  linux: {
    personality: { domain: "LINUX32" },
    memoryPolicy: { mode: "MPOL_INTERLEAVE", nodes: "0" },
  },
} as const;
const lookAtAll =
  "cut -d ' ' -f 19,40,41 /proc/self/stat; busybox ionice; cat /proc/self/personality; sed -n '1s/.*\\(interleave:0\\).*/\\1/p' /proc/self/numa_maps";
const seenOfAll = "3 0 3\nbest-effort: prio 6\n00000008\ninterleave:0";

for (const [where, linux] of [
  ["", {}],
  [", in a user namespace, too", user],
] as const) {
  test(`a process of exec has what the container has${where}`, () => {
    const id = startContainer({ mounts, ...changed, linux: { ...changed.linux, ...linux } });
    assert.is(outputOf(id, "sh", "-c", lookAtAll), seenOfAll);
    const bare = { args: ["sh", "-c", lookAtAll], cwd: "/", env: ["PATH=/bin"] };
    assert.is(outputOf("-p", processFile(bare), id), seenOfAll);
    const other = {
      ...bare,
      scheduler: { policy: "SCHED_OTHER", nice: -2 },
      ioPriority: { class: "IOPRIO_CLASS_RT", priority: 2 },
    };
    const seen = "-2 0 0\nrealtime: prio 2\n00000008\ninterleave:0";
    assert.is(outputOf("-p", processFile(other), id), seen);
  });
}

const processors = /^Cpus_allowed_list:\s*(.*)$/m.exec(
  readFileSync("/proc/self/status", "utf8"),
)?.[1];
const several = processors === "0-1" || (processors ?? "").startsWith("0-");
if (!several) console.log("skip: the affinity of exec: there are no processors 0 and 1");
const beyondOne = several ? test : test.skip;
const allowed = ["sh", "-c", "sed -n 's/^Cpus_allowed_list:\\s*//p' /proc/self/status"];

beyondOne("the process of exec ends on the final processors, or on all of the container's", () => {
  const id = startContainer({ process: { execCPUAffinity: { initial: "0", final: "1" } } });
  assert.is(outputOf(id, ...allowed), "1");
  // Affinity is of exec alone.
  assert.is(statusField(room.state(id)?.pid ?? 0, "Cpus_allowed_list"), processors);
  const bare = { args: allowed, cwd: "/", env: ["PATH=/bin"] };
  assert.is(outputOf("-p", processFile(bare), id), "1");
  const initial = { ...bare, execCPUAffinity: { initial: "1" } };
  assert.is(outputOf("-p", processFile(initial), id), processors);
  const final = { ...bare, execCPUAffinity: { final: "0" } };
  assert.is(outputOf("-p", processFile(final), id), "0");
});

beyondOne("the runtime is on the initial processors before the process is in the container", () => {
  const strace = "/usr/bin/strace";
  if (!existsSync(strace)) return console.log("skip: strace is not installed");
  const id = startContainer({ process: { execCPUAffinity: { initial: "1", final: "0" } } });
  const argv = [strace, "-f", "-e", "trace=sched_setaffinity,clone,vfork,clone3,setns"];
  const { stderr } = runProgram([...argv, ...room.command("exec", id, "true")]);
  const set = [...stderr.matchAll(/sched_setaffinity\(0, \d+, \[([\d ]+)\]\)\s*= 0/g)];
  assert.equal(
    set.map(([, list]) => list),
    ["1", "0"],
  );
  assert.ok(stderr.indexOf("[1]") < stderr.indexOf("setns("), stderr);
});

beyondOne("an affinity without a processor that there is fails by its name", () => {
  for (const [which, execCPUAffinity] of [
    ["initial", { initial: "1000" }],
    ["final", { final: "1000" }],
  ] as const) {
    const id = startContainer({ process: { execCPUAffinity } });
    const { status, stderr } = execRoom.exec(id, "true");
    assert.is(status, 255);
    const words = `error setting ${which} CPU affinity (1000): sched_setaffinity: invalid argument`;
    assert.ok(stderr.includes(words), stderr);
  }
});

test("nothing is left", async () => {
  if (typeof share === "object") share.remove();
  assert.equal(await execRoom.end(), []);
  room.remove();
});

test.run();
