// The order of create: what must come before what, and that no config makes a program that is not sound.

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FaultError } from "../../src/base/fault.ts";
import { encodeBatch } from "../../src/init/batch.ts";
import { createProgram } from "../../src/plan/create-program.ts";
import type { HostFacts } from "../../src/plan/host-facts.ts";
import { checkProgram } from "../../src/program/check.ts";
import { type InitProgram, initPidSlot, parkingBatch } from "../../src/program/program.ts";
import type { Step } from "../../src/program/step.ts";
import { defaultSpec } from "../../src/spec/default-spec.ts";
import { parseConfig } from "../../src/spec/load.ts";
import type { NamespaceType, Spec } from "../../src/spec/types.ts";
import { validateConfig } from "../../src/spec/validate.ts";
import { printSyscall } from "../../src/syscall/print.ts";
import { someFacts, someFactsV1 } from "../support/host-facts.ts";
import { type Random, seeded } from "../support/random.ts";

const test = suite("plan/create-program");

const usual = defaultSpec({ rootless: undefined, cgroupV2: true });
const rootless = defaultSpec({ rootless: { uid: 1000, gid: 1000 }, cgroupV2: true });
const types: readonly NamespaceType[] = ["pid", "network", "ipc", "uts", "mount", "cgroup", "user"];

function program(spec: Spec, facts: HostFacts = someFacts): InitProgram {
  return createProgram(validateConfig(structuredClone(spec), { noPivot: facts.noPivot }), facts);
}

/** All steps in the order in which they stand, nested ones behind their parents. */
function allSteps({ parts }: InitProgram): Step[] {
  const flat = (steps: readonly Step[]): Step[] =>
    steps.flatMap((step) => [
      step,
      ...flat(step.onSuccess ?? []),
      ...flat(step.recovery?.steps ?? []),
    ]);
  return parts.flatMap((part) => (part.kind === "batch" ? flat(part.steps) : []));
}

/** Where the first call stands that looks like this. */
function indexOf(steps: readonly Step[], pattern: RegExp): number {
  const index = steps.findIndex(({ call }) => pattern.test(printSyscall(call)));
  assert.is.not(index, -1, `${pattern} is in the program`);
  return index;
}

function lastIndexOf(steps: readonly Step[], pattern: RegExp): number {
  return steps.length - 1 - indexOf([...steps].reverse(), pattern);
}

/** Encodes every batch as it will be sent, with results that earlier batches could have had. */
function encodeAll({ parts }: InitProgram): void {
  const known = new Map<string, number>();
  for (const part of parts) {
    if (part.kind !== "batch") continue;
    const { lines } = encodeBatch(part.steps, known);
    lines.forEach(({ step }, index) => {
      if (step.slot !== undefined) known.set(step.slot, index + 3);
    });
  }
}

function checkSound(made: InitProgram): void {
  checkProgram(made);
  encodeAll(made);
  const last = made.parts.at(-1);
  assert.ok(last?.kind === "batch" && last.name === parkingBatch, "parking comes last");
}

test("createProgram() is sound for the default config, with and without root", () => {
  for (const facts of [someFacts, someFactsV1]) {
    checkSound(program(usual, facts));
    checkSound(program(rootless, facts));
  }
});

test("createProgram() is sound for every sample bundle", () => {
  const root = join(import.meta.dir, "../../bundles");
  for (const path of globSync("*/config.json", { cwd: root })) {
    const text = readFileSync(join(root, path), "utf8");
    const spec = validateConfig(parseConfig(text, path), { noPivot: false });
    for (const facts of [someFacts, someFactsV1]) checkSound(createProgram(spec, facts));
  }
});

/** A config and a host that differ from the usual in a random choice of what the order depends on. */
function randomCase(random: Random): { spec: Spec; facts: HostFacts } {
  const chance = (): boolean => random.below(2) === 0;
  const maybe = <T extends object>(value: T): T | object => (chance() ? value : {});
  const namespaces = types
    .filter((type) => type === "mount" || chance())
    .map((type) => ({ type, ...(random.below(4) === 0 ? { path: `/proc/7/ns/${type}` } : {}) }));
  const makesUser = namespaces.some(({ type, ...rest }) => type === "user" && !("path" in rest));
  const mapping = { containerID: 0, hostID: 1000, size: random.pick([1, 65536]) };
  const joined = namespaces.some(({ type, ...rest }) => type === "mount" && "path" in rest);
  const spec: Spec = {
    ...usual,
    ...(namespaces.some(({ type }) => type === "uts") ? maybe({ domainname: "d" }) : {}),
    hostname: "",
    root: { path: "rootfs", readonly: chance() },
    process: {
      ...usual.process,
      args: [random.pick(["sh", "/bin/sh"])],
      cwd: random.pick(["/", "/a/b"]),
      user: random.pick([
        { uid: 0, gid: 0 },
        { uid: 5, gid: 6, additionalGids: [7], umask: 0o77 },
      ]),
      ...maybe({ rlimits: [{ type: "RLIMIT_NOFILE", soft: 3, hard: 10 }] }),
    },
    mounts: [
      ...(usual.mounts ?? []),
      ...(chance()
        ? [{ destination: "/data", type: "bind", source: "data", options: ["rbind", "ro"] }]
        : []),
      ...(chance()
        ? [{ destination: "/dev", type: "bind", source: "/dev", options: ["rbind"] }]
        : []),
    ],
    linux: {
      ...usual.linux,
      namespaces,
      ...(makesUser ? { uidMappings: [mapping], gidMappings: [mapping] } : {}),
      ...(joined
        ? {}
        : maybe({ rootfsPropagation: random.pick(["shared", "rslave", "private", "unbindable"]) })),
      ...(namespaces.some(({ type }) => type === "network")
        ? maybe({ sysctl: { "net.ipv4.ip_forward": "1" } })
        : {}),
      devices: chance() ? [{ type: "c", path: "/dev/x/y", major: 10, minor: 200, uid: 3 }] : [],
    },
  };
  const facts: HostFacts = {
    ...(chance() ? someFacts : someFactsV1),
    preserveFds: random.below(3),
    noPivot: chance(),
    inUserNamespace: chance(),
    nullStreams: chance() ? [] : [0, 2],
    keyring: chance() ? undefined : "k",
  };
  return { spec, facts };
}

/** Random programs by their seed; configs that the specification forbids are left out. */
function* randomPrograms(count: number): Generator<{ seed: number; make: () => InitProgram }> {
  let valid = 0;
  for (let seed = 0; seed < count; seed++) {
    const { spec, facts } = randomCase(seeded(seed));
    const checked = catchInvalid(() =>
      validateConfig(structuredClone(spec), { noPivot: facts.noPivot }),
    );
    if (checked === undefined) continue;
    valid += 1;
    yield { seed, make: () => createProgram(checked, facts) };
  }
  assert.ok(valid > count / 4, `only ${valid} of ${count} configs are valid`);
}

function catchInvalid<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof FaultError && error.fault.kind === "invalid") return undefined;
    throw error;
  }
}

/** All that is data in it; of steps that depend on what is found, which a function makes, the first ones. */
function asText(made: InitProgram): string {
  return JSON.stringify(made, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
}

test("createProgram() is sound for random configs on random hosts, and the same each time", () => {
  for (const { seed, make } of randomPrograms(300)) {
    try {
      checkSound(make());
      assert.is(asText(make()), asText(make()));
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});

test("createProgram() hides the stub, and ties its life to the runtime, before anything else", () => {
  for (const { make } of randomPrograms(50)) {
    const [hide, tie, look] = allSteps(make()).map(({ call }) => printSyscall(call));
    assert.match(hide ?? "", /^prctl\(PR_SET_DUMPABLE, 0/);
    assert.match(tie ?? "", /^prctl\(PR_SET_PDEATHSIG, 9/);
    assert.match(look ?? "", /^getppid\(/);
  }
});

test("createProgram() ties init to the runtime again behind the fork and behind the change of user", () => {
  const steps = allSteps(program(usual));
  const fork = steps.findIndex(({ slot }) => slot === initPidSlot);
  const tie = /PR_SET_PDEATHSIG, 9/;
  assert.ok(steps.slice(fork).some(({ call }) => tie.test(printSyscall(call))));
  assert.ok(lastIndexOf(steps, tie) > lastIndexOf(steps, /^setresuid/));
});

test("createProgram() covers paths behind all mounts and devices, and before the root is entered", () => {
  const steps = allSteps(program(usual));
  const pivot = indexOf(steps, /^pivot_root/);
  const masking = steps.findIndex(({ doing }) => doing.startsWith("masking"));
  const readonly = steps.findIndex(({ doing }) => doing.startsWith("making /proc/bus read-only"));
  const lastMount = steps.findLastIndex(({ doing }) => doing.startsWith("error mounting"));
  assert.ok(lastMount < readonly && readonly < masking && masking < pivot);
  assert.ok(lastIndexOf(steps, /^mknodat/) < masking);
});

test("createProgram() sets limits before, and no capability behind, the change of user", () => {
  const steps = allSteps(program(usual));
  const user = lastIndexOf(steps, /^setresuid/);
  assert.ok(lastIndexOf(steps, /^prlimit64/) < user);
  assert.ok(lastIndexOf(steps, /PR_CAPBSET_DROP/) < user);
  assert.ok(indexOf(steps, /PR_SET_NO_NEW_PRIVS/) < user);
  assert.ok(indexOf(steps, /^capset/) > user);
  // As the user: a directory and a program count only if the user may reach them.
  assert.ok(indexOf(steps, /^getcwd/) > indexOf(steps, /^capset/));
  assert.ok(indexOf(steps, /^faccessat2/) > indexOf(steps, /^capset/));
});

test("createProgram() lets go of the runtime only in the batch that parks", () => {
  const made = program(usual);
  const untie = /PR_SET_PDEATHSIG, 0/;
  const { parts } = made;
  const index = parts.findIndex(
    (part) =>
      part.kind === "batch" && part.steps.some(({ call }) => untie.test(printSyscall(call))),
  );
  assert.is(index, parts.length - 1);
});

test("createProgram() opens no path of the rootfs by a string once the root is a mount", () => {
  for (const facts of [someFacts, someFactsV1]) {
    const steps = allSteps(program(usual, facts));
    const start = indexOf(steps, /^open_tree\(rootfs/);
    const pivot = indexOf(steps, /^pivot_root/);
    const byString = steps.slice(start, pivot).filter(({ call }) => {
      const printed = printSyscall(call);
      const absolute = /\((AT_FDCWD, )?"\//.test(printed);
      // The sources of binds are the host's, and a link's target is only a text.
      return absolute && !/^(open_tree|symlinkat)/.test(printed);
    });
    // The paths are that of a descriptor, in the host's proc, and that of the host's root, about to be left.
    const hosts = /^openat\(AT_FDCWD, "\/(proc\/self\/fd\/101)?"/;
    assert.equal(
      byString.filter(({ call }) => !hosts.test(printSyscall(call))),
      [],
    );
  }
});

test("createProgram() has init in its groups before it joins another's cgroup namespace", () => {
  for (const v2 of [undefined, "/sys/fs/cgroup/box"]) {
    const cgroupPlaces = { v1: ["/sys/fs/cgroup/pids/box"], v2 };
    const namespaces = [
      ...(usual.linux?.namespaces ?? []).filter(({ type }) => type !== "cgroup"),
      { type: "cgroup" as const, path: "/proc/7/ns/cgroup" },
    ];
    const steps = allSteps(
      program({ ...usual, linux: { ...usual.linux, namespaces } }, { ...someFacts, cgroupPlaces }),
    );
    const joins = indexOf(steps, /^setns\(.*CLONE_NEWCGROUP/);
    for (const group of [/pids\/box\/tasks/, ...(v2 === undefined ? [] : [/box\/cgroup\.procs/])]) {
      assert.ok(lastIndexOf(steps, group) < joins, String(group));
    }
    assert.not(steps.some(({ call }) => printSyscall(call).includes("CLONE_INTO_CGROUP")));
  }
});

test("createProgram() makes no fork without a new or joined pid namespace", () => {
  const namespaces = (usual.linux?.namespaces ?? []).filter(({ type }) => type !== "pid");
  const steps = allSteps(program({ ...usual, linux: { ...usual.linux, namespaces } }));
  assert.not(steps.some(({ slot }) => slot === initPidSlot));
});

test.run();
