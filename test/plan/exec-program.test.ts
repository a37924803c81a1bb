// The order of exec: what must come before what, whatever the container and the process are like.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encodeBatch } from "../../src/init/batch.ts";
import {
  execParts,
  type JoinFacts,
  type PlannedProcess,
  type ProcessFacts,
} from "../../src/plan/exec-program.ts";
import { checkProgram } from "../../src/program/check.ts";
import { type InitProgram, initPidSlot, type Part } from "../../src/program/program.ts";
import type { Step } from "../../src/program/step.ts";
import type { ExecProcess } from "../../src/spec/exec-process.ts";
import type { NamespaceType } from "../../src/spec/types.ts";
import { printSyscall } from "../../src/syscall/print.ts";
import { someFacts, someFactsV1 } from "../support/host-facts.ts";

const test = suite("plan/exec-program");

const usual: readonly NamespaceType[] = ["pid", "mount", "network", "ipc", "uts", "cgroup"];
const root: ExecProcess = { args: ["sh"], cwd: "/", env: ["PATH=/bin:/usr/bin"] };

type Case = {
  readonly joined?: Partial<JoinFacts>;
  readonly process?: Partial<ExecProcess>;
  readonly facts?: Partial<ProcessFacts>;
};

function program({ joined, process, facts }: Case): InitProgram {
  const planned: PlannedProcess = {
    process: { ...root, ...process },
    facts: {
      ...someFacts,
      ...{ initPid: 2000, ownsMounts: true, groups: "set", linux: {} },
      ...{ activated: false, searches: true },
      ...facts,
    },
  };
  return { parts: [...execParts({ ...someFacts, namespaces: usual, ...joined }, () => planned)] };
}

/** The calls in the order in which they stand, as they are printed; nested ones behind their parents. */
function calls({ parts }: InitProgram): readonly string[] {
  const flat = (steps: readonly Step[]): string[] =>
    steps.flatMap(({ call, onSuccess }) => [printSyscall(call), ...flat(onSuccess ?? [])]);
  return parts.flatMap((part) => (part.kind === "batch" ? flat(part.steps) : []));
}

/** Checks that calls that look like these follow each other, each the first of its kind behind the one before. */
function assertOrder(program: InitProgram, patterns: readonly RegExp[]): void {
  const all = calls(program);
  let at = -1;
  for (const pattern of patterns) {
    const next = all.findIndex((call, index) => index > at && pattern.test(call));
    assert.ok(next > at, `${pattern} is not behind "${all[at]}":\n${all.join("\n")}`);
    at = next;
  }
}

const hide = /^prctl\(PR_SET_DUMPABLE, 0/;
const die = /^prctl\(PR_SET_PDEATHSIG, 9/;

const cases: Readonly<Record<string, Case>> = {
  usual: {},
  "cgroup v1": { joined: { cgroupPlaces: someFactsV1.cgroupPlaces } },
  "a hybrid host": {
    joined: { cgroupPlaces: { v1: someFactsV1.cgroupPlaces.v1, v2: "/sys/fs/cgroup/unified/a" } },
  },
  "no cgroup": { joined: { cgroupPlaces: { v1: [], v2: undefined } } },
  "no pid namespace": { joined: { namespaces: ["mount"] } },
  "no mount namespace": { facts: { ownsMounts: false } },
  "nothing to join": { joined: { namespaces: [] }, facts: { ownsMounts: false } },
  "a user namespace": { joined: { namespaces: ["user", ...usual] } },
  "a user namespace without groups": {
    joined: { namespaces: ["user", ...usual] },
    facts: { groups: "denied" },
  },
  "a terminal": { process: { terminal: true, consoleSize: { width: 80, height: 25 } } },
  "a terminal in a user namespace": {
    joined: { namespaces: ["user", ...usual] },
    process: { terminal: true, user: { uid: 5, gid: 6 } },
  },
  "another user": { process: { user: { uid: 5, gid: 6, additionalGids: [7], umask: 0o77 } } },
  "limits, descriptors and sockets": {
    joined: { preserveFds: 7 },
    process: { rlimits: [{ type: "RLIMIT_NOFILE", soft: 3, hard: 3 }], noNewPrivileges: true },
    facts: { activated: true, nullStreams: [0, 1, 2], keyring: undefined },
  },
};

for (const [name, example] of Object.entries(cases)) {
  test(`execParts() makes a sound program for ${name}`, () => {
    const made = program(example);
    checkProgram(made);
    const known = new Map<string, number>();
    for (const part of made.parts) {
      if (part.kind !== "batch") continue;
      // What is prepared while another batch runs can know nothing of it.
      const { lines } = encodeBatch(part.steps, part.independent ? new Map() : known, part);
      lines.forEach(({ step }, index) => {
        if (step.slot !== undefined) known.set(step.slot, 10 + index);
      });
    }
  });

  test(`the process of exec is hidden and bound to the runtime from its first to its last step: ${name}`, () => {
    const made = program(example);
    assertOrder(made, [
      hide,
      die,
      /^close_range\(\d+, 4294967295, 0\)/,
      /^clone/,
      die,
      /^setresuid/,
    ]);
    assert.match(calls(made)[0] ?? "", hide);
    // Whatever changes credentials may show the process again, and unties it.
    const all = calls(made);
    const last = all.findLastIndex((call) =>
      /^(setresuid|setresgid|setgroups|capset|setns)/.test(call),
    );
    const behind = all.slice(last + 1);
    assert.ok(behind.some((call) => hide.test(call)));
    assert.ok(behind.some((call) => die.test(call)));
    assert.not(all.some((call) => /^prctl\(PR_SET_DUMPABLE, 1/.test(call)));
  });

  test(`exec mounts nothing: ${name}`, () => {
    const mounting =
      /^(mount|mount_setattr|move_mount|open_tree|fsopen|fsmount|umount2|pivot_root|unshare|mknodat|mkdirat)\(/;
    assert.equal(
      calls(program(example)).filter((call) => mounting.test(call)),
      [],
    );
  });
}

test("the cgroup is joined by a child that is still the host's root in the host's mounts", () => {
  for (const namespaces of [usual, ["user", ...usual] as const]) {
    const v1 = program({ joined: { namespaces, cgroupPlaces: someFactsV1.cgroupPlaces } });
    assertOrder(v1, [
      /^setns\(\d+, CLONE_NEWPID\)/,
      /^clone\(/,
      /\/tasks/,
      /^write.*"0"/,
      /^setns/,
    ]);
    assertOrder(program({ joined: { namespaces } }), [/^clone3.*CLONE_INTO_CGROUP/, /^setns/]);
  }
});

test("limits are raised before, and the root is opened behind, the other namespaces", () => {
  const process = { rlimits: [{ type: "RLIMIT_CORE", soft: 1, hard: 2 }] };
  assertOrder(program({ process }), [
    /^clone3/,
    /RLIMIT_CORE/,
    /^setns/,
    /^openat\(AT_FDCWD, "\/"/,
  ]);
  assertOrder(program({ facts: { ownsMounts: false } }), [
    ...[/^openat\(AT_FDCWD, "\/proc\/2000\/root"/, /^setns\(\d+, CLONE_NEWNS/, /^fchdir/],
    ...[/^chroot/, /^chdir\("\/"\)/, /^capset/],
  ]);
});

test("the pidfd of init is let go of before anything of the container is opened", () => {
  assertOrder(program({}), [/^setns\(4, CLONE_NEWNS/, /^close\(4\)/, /"\/dev\/null"/, /^capset/]);
});

test("a multiplexer is verified in a batch before the one that opens it", () => {
  const { parts } = program({ process: { terminal: true } });
  const indexOf = (pattern: RegExp): number =>
    parts.findIndex((part) => calls({ parts: [part] }).some((call) => pattern.test(call)));
  assert.ok(indexOf(/^statx.*ptmx/) < indexOf(/^openat\(descriptors, "\d+"/));
  assert.ok(indexOf(/^statx.*ptmx/) > 0);
});

test("execParts() forks in the first batch, asks for the process behind it, and ends when there is none", () => {
  const asked: string[] = [];
  const parts = execParts({ ...someFacts, namespaces: usual }, () => {
    asked.push("now");
    return undefined;
  });
  const first: Part | undefined = parts.next().value ?? undefined;
  assert.equal(asked, []);
  assert.ok(first?.kind === "batch" && first.steps.some(({ slot }) => slot === initPidSlot));
  assert.is(parts.next().done, true);
  assert.equal(asked, ["now"]);
});

test.run();
