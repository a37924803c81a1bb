// What libseccomp is asked to make of a profile, the code in front of its filter, and when a filter is loaded; without libseccomp.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { auditArchitectures, classicBpf, seccompReturns } from "../../src/abi/seccomp.ts";
import { type SyscallName, syscallNumberOn } from "../../src/abi/syscall-numbers.ts";
import { FaultError } from "../../src/base/fault.ts";
import { wordFaultError } from "../../src/base/word-fault.ts";
import type { PlannedFilter } from "../../src/plan/host-facts.ts";
import {
  filterFlags,
  planContainerFilter,
  planProcessFilter,
} from "../../src/plan/seccomp-filter.ts";
import { answerNewCalls } from "../../src/plan/seccomp-new-calls.ts";
import { findForbidden } from "../../src/plan/seccomp-remaining.ts";
import { requestFilter, SCMP_ARCH_X32 } from "../../src/plan/seccomp-request.ts";
import { filterVerdict } from "../../src/plan/seccomp-verdict.ts";
import type { Part } from "../../src/program/program.ts";
import type { Seccomp, SeccompRule } from "../../src/spec/seccomp.ts";
import { printSyscall } from "../../src/syscall/print.ts";
import { largeProfile, permissive } from "../support/seccomp-profile.ts";

const test = suite("plan/seccomp");
const { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS } = seccompReturns;
const { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64 } = auditArchitectures;

function actionOf(rule: Pick<SeccompRule, "action" | "errnoRet">): number | undefined {
  return requestFilter({
    defaultAction: "SCMP_ACT_KILL_PROCESS",
    syscalls: [{ names: ["close"], ...rule }],
  }).rules[0]?.action;
}

test("requestFilter() gives ERRNO and TRACE their number, EPERM where there is none", () => {
  assert.is(actionOf({ action: "SCMP_ACT_ERRNO" }), 0x5_0001);
  assert.is(actionOf({ action: "SCMP_ACT_ERRNO", errnoRet: 38 }), 0x5_0026);
  assert.is(actionOf({ action: "SCMP_ACT_ERRNO", errnoRet: 0 }), 0x5_0000);
  assert.is(actionOf({ action: "SCMP_ACT_TRACE" }), 0x7ff0_0001);
  assert.is(actionOf({ action: "SCMP_ACT_TRACE", errnoRet: 0x1_0002 }), 0x7ff0_0002);
});

test("requestFilter() gives the other actions the kernel's numbers", () => {
  assert.is(actionOf({ action: "SCMP_ACT_KILL" }), 0);
  assert.is(actionOf({ action: "SCMP_ACT_KILL_THREAD" }), 0);
  assert.is(actionOf({ action: "SCMP_ACT_TRAP" }), 0x3_0000);
  assert.is(actionOf({ action: "SCMP_ACT_LOG" }), 0x7ffc_0000);
  assert.is(actionOf({ action: "SCMP_ACT_ALLOW" }), 0x7fff_0000);
  assert.is(actionOf({ action: "SCMP_ACT_NOTIFY" }), 0x7fc0_0000);
});

test("requestFilter() leaves a rule out that does what is done anyway, and keeps its names", () => {
  const { rules, names } = requestFilter({
    defaultAction: "SCMP_ACT_ERRNO",
    syscalls: [
      { names: ["close"], action: "SCMP_ACT_ERRNO", errnoRet: 1 },
      { names: ["dup"], action: "SCMP_ACT_ERRNO", errnoRet: 2 },
    ],
  });
  assert.equal(
    rules.map(({ name }) => name),
    ["dup"],
  );
  assert.equal(names, ["close", "dup"]);
});

test("requestFilter() asks for a tree from 33 names on", () => {
  const names = (count: number): Seccomp =>
    permissive({ names: new Array(count).fill("close"), action: "SCMP_ACT_ERRNO" });
  assert.is(requestFilter(names(32)).isTree, false);
  assert.is(requestFilter(names(33)).isTree, true);
});

test("requestFilter() takes conditions together, or one by one where two are on one argument", () => {
  const at = (index: number, value: number) =>
    ({ index, value, valueTwo: 2, op: "SCMP_CMP_MASKED_EQ" }) as const;
  const conditionsOf = (...args: readonly ReturnType<typeof at>[]) =>
    requestFilter(permissive({ names: ["close"], action: "SCMP_ACT_ERRNO", args })).rules[0]
      ?.conditions;
  const condition = (argument: number, first: bigint) => ({
    argument,
    operator: 7,
    first,
    second: 2n,
  });
  assert.equal(conditionsOf(), [[]]);
  assert.equal(conditionsOf(at(0, 1), at(1, 3)), [[condition(0, 1n), condition(1, 3n)]]);
  assert.equal(conditionsOf(at(0, 1), at(0, 2 ** 64)), [
    [condition(0, 1n)],
    [condition(0, 2n ** 64n - 1n)],
  ]);
});

const denying = SECCOMP_RET_ERRNO + 1;

/** What the code in front says to a call, in front of a filter that allows everything. */
function answer(
  lastCalls: Parameters<typeof answerNewCalls>[1],
  architecture: number,
  number: number,
): number | undefined {
  const allowing = new Uint8Array(new Uint32Array([classicBpf.RET_K, SECCOMP_RET_ALLOW]).buffer);
  const front = answerNewCalls(denying, lastCalls);
  const filter = new Uint8Array([...front, ...allowing]);
  return filterVerdict(filter, { architecture, number, args: [] });
}

test("answerNewCalls() denies existence to what is above the largest number of the architecture", () => {
  const last = [
    { token: AUDIT_ARCH_X86_64, number: 400 },
    { token: AUDIT_ARCH_I386, number: 300 },
  ];
  const missing = SECCOMP_RET_ERRNO + 38;
  assert.is(answer(last, AUDIT_ARCH_X86_64, 400), SECCOMP_RET_ALLOW);
  assert.is(answer(last, AUDIT_ARCH_X86_64, 401), missing);
  assert.is(answer(last, AUDIT_ARCH_I386, 300), SECCOMP_RET_ALLOW);
  assert.is(answer(last, AUDIT_ARCH_I386, 301), missing);
  // Foreign ones, and x32 where the profile lacks it, are the filter's to refuse.
  assert.is(answer(last, AUDIT_ARCH_AARCH64, 10_000), SECCOMP_RET_ALLOW);
  assert.is(answer(last, AUDIT_ARCH_X86_64, 0x4000_0000 + 500), SECCOMP_RET_ALLOW);
  const withX32 = [...last, { token: SCMP_ARCH_X32, number: 0x4000_0000 + 200 }];
  assert.is(answer(withX32, AUDIT_ARCH_X86_64, 0x4000_0000 + 200), SECCOMP_RET_ALLOW);
  assert.is(answer(withX32, AUDIT_ARCH_X86_64, 0x4000_0000 + 201), missing);
  assert.is(answer(withX32, AUDIT_ARCH_X86_64, 401), missing);
});

test("answerNewCalls() manages all architectures that there are", () => {
  const last = Object.values(auditArchitectures).map((token) => ({ token, number: 500 }));
  for (const { token } of last) {
    assert.is(answer(last, token, 500), SECCOMP_RET_ALLOW);
    assert.is(answer(last, token, 501), SECCOMP_RET_ERRNO + 38);
  }
});

test("answerNewCalls() has nothing to say where unknown calls get through", () => {
  const last = [{ token: AUDIT_ARCH_X86_64, number: 400 }];
  const { SECCOMP_RET_LOG, SECCOMP_RET_TRACE } = seccompReturns;
  for (const action of [SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_TRACE + 1]) {
    assert.is(answerNewCalls(action, last).byteLength, 0);
  }
  assert.is(answerNewCalls(denying, []).byteLength, 0);
  assert.ok(answerNewCalls(SECCOMP_RET_KILL_PROCESS, last).byteLength > 0);
});

test("filterFlags() passes over TSYNC, adds the listener, and allows speculation where nothing is said", () => {
  assert.is(filterFlags(permissive(), false), 4);
  assert.is(filterFlags({ ...permissive(), flags: [] }, false), 0);
  assert.is(filterFlags({ ...permissive(), flags: ["SECCOMP_FILTER_FLAG_TSYNC"] }, false), 0);
  assert.is(filterFlags({ ...permissive(), flags: ["SECCOMP_FILTER_FLAG_LOG"] }, false), 2);
  assert.is(filterFlags(permissive(), true), 4 + 8);
  const flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"] as const;
  assert.is(filterFlags({ ...permissive(), flags }, true), 8 + 32);
});

/** A filter that answers one call and allows the rest. */
function denies(name: SyscallName): Uint8Array {
  const { LD_ABS, JEQ, RET_K } = classicBpf;
  const here = process.arch === "arm64" ? "aarch64" : "x86_64";
  const words = [
    ...[LD_ABS, 0],
    // To the next instruction, or over it.
    ...[JEQ + (1 << 24), syscallNumberOn(here, name)],
    ...[RET_K, SECCOMP_RET_ERRNO + 1],
    ...[RET_K, SECCOMP_RET_ALLOW],
  ];
  return new Uint8Array(new Uint32Array(words).buffer);
}

test("findForbidden() finds what init still has to call, and nothing else", () => {
  const here = process.arch === "arm64" ? "aarch64" : "x86_64";
  for (const name of [
    "accept4",
    "dup3",
    "write",
    "mmap",
    "prctl",
    "capset",
    "prlimit64",
  ] as const) {
    assert.is(findForbidden(denies(name)), syscallNumberOn(here, name), name);
  }
  for (const name of ["mount", "execve", "openat2"] as const) {
    assert.is(findForbidden(denies(name)), -1, name);
  }
});

const load = { program: denies("mount"), flags: 0 };
const forAgent = { ...load, flags: 8 };
const privileged = {
  cwd: "/",
  capabilities: { permitted: ["CAP_SYS_ADMIN"], effective: ["CAP_SYS_ADMIN"] },
};

/** The calls of a plan, by name, at its three places. */
function namesOf({ atCreate, behind, atStart }: PlannedFilter) {
  const names = (steps: PlannedFilter["atCreate"]) => steps.map(({ call }) => call.name);
  const ofPart = (part: Part) => (part.kind === "host" ? [part.action] : names(part.steps));
  return { atCreate: names(atCreate), behind: behind.flatMap(ofPart), atStart: names(atStart) };
}

test("planContainerFilter() has create load the filter, with the capability that it takes only while it does", () => {
  const fine = { ...load, forbidden: -1 };
  const plan = planContainerFilter({ cwd: "/" }, "parked", fine);
  assert.equal(namesOf(plan), {
    atCreate: ["capset", "seccomp", "capset"],
    behind: [],
    atStart: [],
  });
  assert.is(plan.kept, 1n << 21n);
  const nobodyElse = planContainerFilter({ cwd: "/", noNewPrivileges: true }, "parked", fine);
  assert.equal(namesOf(nobodyElse).atCreate, ["seccomp"]);
  assert.is(nobodyElse.kept, 0n);
  assert.equal(namesOf(planContainerFilter(privileged, "parked", fine)).atCreate, ["seccomp"]);
});

test("planContainerFilter() has start load what forbids init something, and run all of them", () => {
  const last = { atCreate: [], behind: [], atStart: ["capset", "seccomp"] };
  const parked = planContainerFilter({ cwd: "/" }, "parked", { ...load, forbidden: 3 });
  assert.equal(namesOf(parked), last);
  assert.equal(
    namesOf(planContainerFilter({ cwd: "/" }, "started", { ...load, forbidden: -1 })),
    last,
  );
  assert.equal(namesOf(planProcessFilter({ cwd: "/" }, load)), last);
});

test("a filter that asks an agent is loaded before anything waits, and its listener handed over and closed", () => {
  const expected = {
    atCreate: [],
    behind: ["capset", "seccomp", "send-listener", "close", "capset"],
    atStart: [],
  };
  for (const fate of ["parked", "started"] as const) {
    assert.equal(
      namesOf(planContainerFilter({ cwd: "/" }, fate, { ...forAgent, forbidden: -1 })),
      expected,
    );
  }
  assert.equal(namesOf(planProcessFilter({ cwd: "/" }, forAgent)), expected);
  const here = process.arch === "arm64" ? "aarch64" : "x86_64";
  const forbidden = syscallNumberOn(here, "accept4");
  try {
    planContainerFilter({ cwd: "/" }, "parked", { ...forAgent, forbidden });
    assert.unreachable();
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
    assert.match(wordFaultError(error), /SCMP_ACT_NOTIFY has to let accept4 through/);
  }
});

test("the load is printed with its length, not with every instruction", () => {
  const [step] = planProcessFilter({ cwd: "/", noNewPrivileges: true }, load).atStart;
  assert.ok(step !== undefined);
  if (step === undefined) return;
  assert.match(printSyscall(step.call), /^seccomp\(SECCOMP_SET_MODE_FILTER, 0, \{len: 4, filter: /);
});

test("the profile of the other tests is as large as it says", () => {
  assert.ok(requestFilter(largeProfile).names.length > 350);
});

test.run();
