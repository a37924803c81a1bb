// Compares the init program of each sample bundle with its committed text: a change to what is done to the kernel, or to its
// order, is a visible diff. Needs no root.
//
//   scripts/bun test/golden/programs.test.ts --update      writes the texts anew

import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { seccompFilterFlags } from "../../src/abi/seccomp.ts";
import { createProgram } from "../../src/plan/create-program.ts";
import { execParts, type JoinFacts } from "../../src/plan/exec-program.ts";
import type { HostFacts } from "../../src/plan/host-facts.ts";
import { noIdmaps } from "../../src/plan/idmaps.ts";
import { planIdmaps } from "../../src/plan/plan-idmaps.ts";
import { planContainerFilter } from "../../src/plan/seccomp-filter.ts";
import { startSteps } from "../../src/plan/start-program.ts";
import { checkProgram } from "../../src/program/check.ts";
import { printProgram, printSteps } from "../../src/program/print.ts";
import type { NamespaceType } from "../../src/spec/types.ts";
import { type ValidatedSpec, validateConfig } from "../../src/spec/validate.ts";

const test = suite("golden/programs");
const { SECCOMP_FILTER_FLAG_NEW_LISTENER } = seccompFilterFlags;
const update = process.argv.includes("--update");
const bundles = join(import.meta.dir, "../../bundles");

type Golden = { readonly name: string; readonly print: () => string };

const configs = globSync("**/config.json", { cwd: bundles, exclude: ["**/rootfs/**"] }).sort();
const goldens: readonly Golden[] = [
  ...configs.flatMap((config): readonly Golden[] => {
    const folder = dirname(config);
    const name = folder.replaceAll("/", "-");
    const spec = readConfig(config);
    const facts = hostFacts(folder, usesCgroups(spec) ? "v2" : "none");
    return [{ name, print: () => printCreate(spec, facts) }];
  }),
  {
    name: "hello-cgroup-v1",
    print: () => printCreate(readConfig("hello/config.json"), hostFacts("hello", "v1")),
  },
  { name: "attributes", print: () => printAttributes([]) },
  { name: "attributes-user-namespace", print: () => printAttributes([{ type: "user" }]) },
  ...(["seccomp", "seccomp-agent"] as const).map((name) => ({
    name,
    print: () => printFiltered(name === "seccomp" ? 0 : SECCOMP_FILTER_FLAG_NEW_LISTENER),
  })),
  { name: "start", print: () => printStart(readConfig("hello/config.json")) },
  { name: "exec", print: () => printExec({}) },
  { name: "exec-cgroup-v1", print: () => printExec({ cgroups: "v1", activated: true }) },
  {
    name: "exec-user-namespace",
    print: () => printExec({ namespaces: ["user", "pid", "mount", "network"], user: 1000 }),
  },
  { name: "exec-attributes", print: () => printExec({ attributes: true }) },
  { name: "exec-terminal", print: () => printExec({ terminal: true }) },
  {
    name: "exec-without-namespaces",
    print: () => printExec({ namespaces: ["mount", "network"], ownsMounts: false }),
  },
];

/** What hardly any container asks for, all at once. */
const attributes = {
  apparmorProfile: "some-profile",
  selinuxLabel: "user_u:role_r:type_t",
  scheduler: { policy: "SCHED_BATCH", nice: 5 },
  ioPriority: { class: "IOPRIO_CLASS_BE", priority: 6 },
  execCPUAffinity: { final: "0-3" },
} as const;
const inherited = {
  personality: { domain: "LINUX32" },
  memoryPolicy: { mode: "MPOL_BIND", nodes: "0" },
} as const;

function printAttributes(more: readonly { readonly type: string }[]): string {
  const { linux, process, ...rest } = readConfig("hello/config.json");
  const map = [{ containerID: 0, hostID: 100_000, size: 1000 }];
  const spec = validateConfig({
    ...rest,
    process: { ...process, ...attributes },
    linux: {
      ...linux,
      ...inherited,
      ...(more.length === 0 ? {} : { uidMappings: map, gidMappings: map }),
      namespaces: [...(linux?.namespaces ?? []), { type: "time" }, ...more],
      timeOffsets: { boottime: { secs: 1 } },
      netDevices: { eth1: { name: "eth0" } },
      intelRdt: { closID: "gold" },
      mountLabel: "user_u:object_r:type_t",
    },
  });
  return printCreate(spec, hostFacts("hello", "v2"));
}

function readConfig(config: string): ValidatedSpec {
  return validateConfig(JSON.parse(readFileSync(join(bundles, config), "utf8")));
}

/** Every container has a cgroup; only where it matters does the text show one. */
function usesCgroups({ linux = {} }: ValidatedSpec): boolean {
  return linux.resources !== undefined || /cgroup/.test(JSON.stringify(linux.namespaces));
}

/** A host as ordinary as can be, the same on every machine that runs this test. */
function hostFacts(folder: string, cgroups: "none" | "v1" | "v2"): HostFacts {
  const group = (controller: string): string => `/sys/fs/cgroup/${controller}/my-container`;
  const bundle = `/bundles/${folder}`;
  return {
    bundle,
    notifies: false,
    filter: undefined,
    root: { path: `${bundle}/rootfs`, device: "8:1", inode: 4711n, parentMount: "/" },
    delegatesCgroup: false,
    cgroupPlaces: {
      v1: cgroups === "v1" ? [group("cpu,cpuacct"), group("memory"), group("pids")] : [],
      v2: cgroups === "v2" ? "/sys/fs/cgroup/my-container" : undefined,
    },
    cgroup:
      cgroups === "v1"
        ? {
            version: "v1",
            ownNamespace: true,
            hierarchies: ["cpu,cpuacct", "memory"].map((controllers) => ({
              directory: controllers,
              option: controllers,
              group: group(controllers),
              links: controllers === "memory" ? [] : controllers.split(","),
            })),
          }
        : { version: "v2", ownNamespace: true, shown: "/sys/fs/cgroup/my-container" },
    runtimePid: 1000,
    preserveFds: 0,
    nullStreams: [0],
    callerOpenFiles: { soft: 1024n, hard: 4096n },
    hostHasKcore: true,
    lastCapability: 40,
    inUserNamespace: false,
    ordinaryUser: false,
    selinux: false,
    noPivot: false,
    wholeMounts: [],
    keyring: "_ses.my-container",
    exitAddress: 0x400200,
    directory: "/run/ts-runc/my-container",
    idmaps: noIdmaps,
    links: new Map(),
  };
}

function printCreate(spec: ValidatedSpec, facts: HostFacts): string {
  const program = createProgram(spec, { ...facts, idmaps: planIdmaps(spec) });
  checkProgram(program);
  return printProgram(program);
}

/** With a filter that allows everything: what it says is libseccomp's. */
function printFiltered(flags: number): string {
  const spec = readConfig("hello/config.json");
  const program = new Uint8Array([6, 0, 0, 0, 0, 0, 0xff, 0x7f]);
  const filter = planContainerFilter(spec.process, "parked", { program, flags, forbidden: -1 });
  return printCreate(spec, { ...hostFacts("hello", "v2"), filter });
}

function printExec(exec: {
  readonly cgroups?: "v1" | "v2";
  readonly namespaces?: readonly NamespaceType[];
  readonly ownsMounts?: boolean;
  readonly user?: number;
  readonly terminal?: boolean;
  readonly activated?: boolean;
  readonly attributes?: boolean;
}): string {
  const { cgroups = "v2", namespaces = ["pid", "mount", "network", "ipc", "uts"] } = exec;
  const { terminal = false, activated = false, ownsMounts = true } = exec;
  const facts = hostFacts("hello", cgroups);
  const process = {
    ...readConfig("hello/config.json").process,
    ...(exec.attributes === true ? attributes : {}),
    terminal,
    user: { uid: exec.user ?? 0, gid: exec.user ?? 0 },
  };
  const joined: JoinFacts = { ...facts, namespaces };
  const planned = {
    ...facts,
    linux: exec.attributes === true ? inherited : {},
    initPid: 2000,
    ownsMounts,
    groups: "set" as const,
    activated,
    searches: true,
  };
  const program = { parts: [...execParts(joined, () => ({ process, facts: planned }))] };
  checkProgram(program);
  return printProgram(program);
}

function printStart(spec: ValidatedSpec): string {
  const facts = hostFacts("hello", "v2");
  return printSteps(
    startSteps(spec.process, {
      ...facts,
      path: "/bin/sh",
      env: ["PATH=/bin", "HOME=/"],
      filterSteps: [],
    }),
  );
}

function goldenPath(name: string): string {
  return join(import.meta.dir, `${name}.txt`);
}

test("there is a text for every bundle and a bundle for every text", () => {
  const texts = readdirSync(import.meta.dir).filter((name) => name.endsWith(".txt"));
  const names = goldens.map(({ name }) => `${name}.txt`);
  if (!update) assert.equal(texts.sort(), names.sort());
  assert.ok(names.length > 10, `${names.length} texts`);
});

for (const { name, print } of goldens) {
  test(`createProgram() gives the committed program of ${name}`, () => {
    const text = print();
    assert.is(print(), text, "two printings differ");
    const path = goldenPath(name);
    if (update) writeFileSync(path, text);
    assert.ok(existsSync(path), `${basename(path)} is missing: run this file with --update`);
    assert.fixture(
      text,
      readFileSync(path, "utf8"),
      "if the change is meant, run this file with --update",
    );
  });
}

test.run();
