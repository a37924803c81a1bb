// linux.seccomp from the inside: what a program under a filter gets back from its system calls, beside the real runc.
// Needs root.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { architecture } from "../../src/abi/architecture.ts";
import type { Seccomp, SeccompArgument, SeccompRule } from "../../src/spec/seccomp.ts";
import { runc } from "../cli/executable.ts";
import { openRoom, type RuntimeName } from "../support/room.ts";
import { deny, largeProfile, numberOf, permissive } from "../support/seccomp-profile.ts";
import { type ProbedCall, probeResults, writeProbe } from "../support/syscall-probe.ts";

const test = suite("kernel/seccomp");
const room = openRoom("seccomp");
const onX86 = architecture === "x86_64";
if (!onX86) console.log("skip: the probe is a program for x86-64");
const probed = onX86 ? test : test.skip;
const runtimes: readonly RuntimeName[] = runc === undefined ? ["ts-runc"] : ["ts-runc", "runc"];
if (runc === undefined) console.log("skip: there is no runc to compare with");

type Probe = {
  readonly seccomp: Seccomp;
  readonly calls: readonly ProbedCall[];
  readonly process?: object;
};

/** Runs the probe as a container's program, and returns its exit status and what its calls have returned. */
function runProbe(of: RuntimeName, { seccomp, calls, process }: Probe) {
  const bundle = room.makeBundle({
    process: { args: ["/bin/probe"], noNewPrivileges: true, ...process },
    linux: { seccomp },
  });
  writeProbe(join(bundle.rootfs, "bin/probe"), calls);
  const config = join(bundle.directory, "config.json");
  // What a double makes of the largest number is not what callers write.
  writeFileSync(config, readFileSync(config, "utf8").replaceAll(`${2 ** 64}`, `${2n ** 64n - 1n}`));
  const { exitCode, stdout, stderr } = Bun.spawnSync(
    room.commandOf(of, "run", "--bundle", bundle.directory, room.newId()),
    { stdio: ["ignore", "pipe", "pipe"], timeout: 60_000 },
  );
  return { status: exitCode, results: probeResults(stdout), stderr: stderr.toString() };
}

/** Runs it with every runtime there is; all have to say the same, which is returned. */
function runBeside(probe: Probe) {
  const outcomes = runtimes.map((of) => runProbe(of, probe));
  const [first = { status: -1, results: [], stderr: "" }, ...others] = outcomes;
  for (const { status, results } of others) {
    assert.equal({ status, results }, { status: first.status, results: first.results });
  }
  return first;
}

const getppid: ProbedCall = { number: 110 };
const getpid: ProbedCall = { number: numberOf("getpid") };

const errnos = { EPERM: 1, ENOSYS: 38, EXDEV: 18 };
const killedBySigsys = 128 + 31;

for (const [action, errnoRet, expected] of [
  ["SCMP_ACT_ERRNO", undefined, -errnos.EPERM],
  ["SCMP_ACT_ERRNO", errnos.EXDEV, -errnos.EXDEV],
  ["SCMP_ACT_ERRNO", 0, 0],
  // Without a tracer there is no such call.
  ["SCMP_ACT_TRACE", undefined, -errnos.ENOSYS],
  ["SCMP_ACT_TRACE", 7, -errnos.ENOSYS],
  ["SCMP_ACT_LOG", undefined, 0],
  ["SCMP_ACT_ALLOW", undefined, 0],
] as const) {
  probed(`${action} with errnoRet ${errnoRet} gives ${expected}`, () => {
    const { status, results, stderr } = runBeside({
      seccomp: deny(action, errnoRet),
      calls: [getppid, getpid],
    });
    assert.is(status, 0, stderr);
    assert.equal(results, [expected, 1]);
  });
}

for (const action of [
  "SCMP_ACT_KILL",
  "SCMP_ACT_KILL_THREAD",
  "SCMP_ACT_KILL_PROCESS",
  "SCMP_ACT_TRAP",
] as const) {
  probed(`${action} ends the program by SIGSYS`, () => {
    const { status, results } = runBeside({ seccomp: deny(action), calls: [getpid, getppid] });
    assert.is(status, killedBySigsys);
    assert.equal(results, []);
  });
}

probed("the default action applies to what no rule names, and can be any", () => {
  const harmless = ["execve", "write", "exit_group", "getpid", "capset", "prctl"];
  const seccomp: Seccomp = {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: errnos.EXDEV,
    syscalls: [{ names: harmless, action: "SCMP_ACT_ALLOW" }],
  };
  const { status, results, stderr } = runProbe("ts-runc", { seccomp, calls: [getppid, getpid] });
  assert.is(status, 0, stderr);
  assert.equal(results, [-errnos.EXDEV, 1]);
  const trace = runProbe("ts-runc", {
    seccomp: { defaultAction: "SCMP_ACT_KILL_PROCESS", syscalls: seccomp.syscalls ?? [] },
    calls: [getpid, getppid],
  });
  assert.is(trace.status, killedBySigsys);
});

/** inotify_rm_watch(2) of what is none answers EBADF: what the filter lets through. No runtime calls it. */
const asking = (...args: readonly (number | bigint)[]): ProbedCall => ({ number: 255, args });
const through = -9;
const large = 2n ** 40n + 5n;

function onAsking(...args: readonly SeccompArgument[]): Seccomp {
  return permissive({ names: ["inotify_rm_watch"], action: "SCMP_ACT_ERRNO", errnoRet: 18, args });
}

/** Two arguments to a condition, and which of the values below it holds for. */
const comparisons: readonly (readonly [SeccompArgument["op"], readonly boolean[]])[] = [
  ["SCMP_CMP_NE", [true, false, true, true]],
  ["SCMP_CMP_LT", [true, false, false, false]],
  ["SCMP_CMP_LE", [true, true, false, false]],
  ["SCMP_CMP_EQ", [false, true, false, false]],
  ["SCMP_CMP_GE", [false, true, true, true]],
  ["SCMP_CMP_GT", [false, false, true, true]],
];

for (const [op, holds] of comparisons) {
  probed(`${op} compares all 64 bits without a sign`, () => {
    for (const value of [1000, Number(large)]) {
      const seccomp = onAsking({ index: 0, value, op });
      const calls = [BigInt(value) - 1n, BigInt(value), BigInt(value) + 1n, -1n].map((one) =>
        asking(one),
      );
      const { results, stderr } = runBeside({ seccomp, calls });
      assert.equal(
        results,
        holds.map((does) => (does ? -18 : through)),
        `${value} ${stderr}`,
      );
    }
  });
}

probed("SCMP_CMP_MASKED_EQ takes value for the mask and valueTwo for what is masked", () => {
  const seccomp = onAsking({ index: 0, value: 0xff00, valueTwo: 0x1200, op: "SCMP_CMP_MASKED_EQ" });
  const { results } = runBeside({
    seccomp,
    calls: [0x1234, 0x71255, 0x1334].map((a) => asking(a)),
  });
  assert.equal(results, [-18, -18, through]);
});

probed("a value of all bits, and one with a large mask, are what they are", () => {
  const seccomp = onAsking({ index: 5, value: 2 ** 64, op: "SCMP_CMP_EQ" });
  const calls = [asking(1000, 0, 0, 0, 0, -1n), asking(1000, 0, 0, 0, 0, -2n)];
  assert.equal(runBeside({ seccomp, calls }).results, [-18, through]);
});

probed("conditions on several arguments all have to hold", () => {
  const seccomp = onAsking(
    { index: 0, value: 1000, op: "SCMP_CMP_EQ" },
    { index: 1, value: 7, op: "SCMP_CMP_GE" },
  );
  const calls = [asking(1000, 7), asking(1000, 6), asking(1001, 7)];
  assert.equal(runBeside({ seccomp, calls }).results, [-18, through, through]);
});

probed("of conditions on one argument any is enough", () => {
  const seccomp = onAsking(
    { index: 0, value: 1000, op: "SCMP_CMP_EQ" },
    { index: 0, value: 2000, op: "SCMP_CMP_EQ" },
    { index: 1, value: 7, op: "SCMP_CMP_EQ" },
  );
  const calls = [asking(1000, 0), asking(2000, 0), asking(3000, 7), asking(3000, 0)];
  assert.equal(runBeside({ seccomp, calls }).results, [-18, -18, -18, through]);
});

probed("rules for one call add up, and one with the default action is passed over", () => {
  const condition = (value: number): SeccompArgument => ({ index: 0, value, op: "SCMP_CMP_EQ" });
  const rule = (errnoRet: number, value: number): SeccompRule => ({
    names: ["inotify_rm_watch"],
    action: "SCMP_ACT_ERRNO",
    errnoRet,
    args: [condition(value)],
  });
  const seccomp = permissive(rule(18, 1000), rule(38, 2000), {
    names: ["inotify_rm_watch", "getpid"],
    action: "SCMP_ACT_ALLOW",
  });
  const calls = [asking(1000), asking(2000), asking(3000)];
  assert.equal(runBeside({ seccomp, calls }).results, [-18, -38, through]);
});

probed("names that nobody knows are passed over", () => {
  const seccomp = permissive(
    { names: ["no_such_call", "x".repeat(300), "getppid"], action: "SCMP_ACT_ERRNO" },
    { names: ["no_such_call_either"], action: "SCMP_ACT_KILL" },
  );
  assert.equal(runBeside({ seccomp, calls: [getppid] }).results, [-errnos.EPERM]);
});

const newest: ProbedCall = { number: 1000 };

probed(
  "a call newer than all that the profile names does not exist; an older one is denied",
  () => {
    const { results, stderr } = runBeside({
      seccomp: largeProfile,
      calls: [newest, { number: 165 }],
    });
    assert.equal(results, [-errnos.ENOSYS, -errnos.EPERM], stderr);
  },
);

probed(
  "a profile that lets unknown calls through, logs or traces them asks the kernel about new ones",
  () => {
    for (const defaultAction of ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"] as const) {
      const names = ["write", "exit_group", "execve", "getpid"];
      const allowed: SeccompRule = { names, action: "SCMP_ACT_ALLOW" };
      const seccomp = { ...permissive(allowed), defaultAction };
      const { results } = runProbe("ts-runc", { seccomp, calls: [newest] });
      assert.equal(results, [-errnos.ENOSYS], defaultAction);
    }
  },
);

probed("calls of another architecture end the program unless the profile has it", () => {
  const i386: ProbedCall = { number: 20, abi: "i386" };
  const foreign = runBeside({ seccomp: permissive(), calls: [i386] });
  assert.is(foreign.status, killedBySigsys);
  const architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"] as const;
  const denied = { names: ["getppid"], action: "SCMP_ACT_ERRNO" } as const;
  const known = runBeside({
    seccomp: { ...permissive(denied), architectures },
    calls: [i386, { number: 64, abi: "i386" }],
  });
  assert.equal(known.results, [1, -errnos.EPERM]);
  assert.is(
    runBeside({ seccomp: permissive(), calls: [{ number: 0x4000_0027 }] }).status,
    killedBySigsys,
  );
});

probed("a profile without architectures is about the machine's own", () => {
  const seccomp: Seccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["getppid"], action: "SCMP_ACT_ERRNO" }],
  };
  assert.equal(runBeside({ seccomp, calls: [getppid] }).results, [-errnos.EPERM]);
  const { status } = runBeside({ seccomp, calls: [{ number: 20, abi: "i386" }] });
  assert.is(status, killedBySigsys);
});

/** Calls that would not return, end the probe, split it, or take long: the rest is made with arguments that mean nothing. */
const unsuitable = new Set(
  [15, 34, 56, 57, 58, 60, 61, 130, 162, 231, 247, 335, 336, 435].concat([
    12, 13, 14, 35, 37, 38, 95, 112,
  ]),
);

probed("an engine's profile has every call answered as under runc", () => {
  const calls = Array.from({ length: 480 }, (_, number): ProbedCall => {
    return { number: unsuitable.has(number) ? 39 : number, args: [-1, -1, -1, -1, -1, -1] };
  });
  for (const noNewPrivileges of [true, false]) {
    const { status, results, stderr } = runBeside({
      seccomp: largeProfile,
      calls,
      process: { noNewPrivileges },
    });
    assert.is(status, 0, stderr);
    assert.ok(results.filter((result) => result === -errnos.EPERM).length > 30);
    assert.is(results.filter((result) => result === -errnos.ENOSYS).length < 200, true);
  }
});

test("nothing of all this is left", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(() => room.remove());

test.run();
