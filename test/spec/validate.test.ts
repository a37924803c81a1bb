import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Violation } from "../../src/base/fault.ts";
import { wordFaultError } from "../../src/base/word-fault.ts";
import { defaultSpec, printSpec } from "../../src/spec/default-spec.ts";
import { parseConfig } from "../../src/spec/load.ts";
import { configRules } from "../../src/spec/rules/config-rules.ts";
import { resourceRules } from "../../src/spec/rules/linux-rules.ts";
import { processRules } from "../../src/spec/rules/process-rules.ts";
import type { SpecFacts } from "../../src/spec/rules/rule.ts";
import { validateConfig, validateProcess, validateResources } from "../../src/spec/validate.ts";
import { missingValue } from "../support/names-value.ts";
import { catchFault } from "./catch-fault.ts";
import { makeConfig } from "./config-builder.ts";
import { ruleCases } from "./rule-cases.ts";

const test = suite("spec/validate");

function violationsOf(check: () => unknown): readonly Violation[] {
  const fault = catchFault(check)?.fault;
  return fault?.kind === "invalid" ? fault.violations : [];
}

function violationsIn(config: unknown, facts?: SpecFacts): readonly Violation[] {
  return violationsOf(() => validateConfig(config, facts));
}

for (const { name, broken, sound, pointer, message, facts } of ruleCases) {
  test(`validateConfig() refuses ${name}, and nothing else of that config`, () => {
    const [violation, ...others] = violationsIn(broken, facts);
    assert.equal(others, []);
    assert.is(violation?.pointer, pointer);
    assert.ok(violation?.message.includes(message), violation?.message);
    assert.match(violation?.section ?? "", /^config(-linux)?\.md#[a-z-]+$/);
    const named = violation?.message ?? "";
    assert.is(missingValue(named, { document: broken, pointer }), undefined);
  });
  test(`validateConfig() accepts a config like the one with ${name}`, () => {
    assert.equal(violationsIn(sound, facts), []);
  });
}

test("each rule is broken by a case of the list", () => {
  const places = ruleCases.map(({ pointer }) => pointer);
  const rows = [
    ...configRules.map(({ pointer }) => pointer),
    ...processRules.map(({ pointer }) => `/process${pointer}`),
    ...resourceRules.map(({ pointer }) => `/linux/resources${pointer}`),
  ];
  const untried = rows.filter((row) => !places.some((place) => place.startsWith(row)));
  assert.equal(untried, []);
});

test("validateConfig() accepts the default configs", () => {
  for (const cgroupV2 of [false, true]) {
    for (const rootless of [undefined, { uid: 1000, gid: 1000 }]) {
      const text = printSpec(defaultSpec({ rootless, cgroupV2 }));
      const facts = { rootless: rootless !== undefined };
      assert.equal(violationsIn(parseConfig(text, "config.json"), facts), []);
    }
  }
});

test("validateConfig() accepts unknown properties everywhere", () => {
  const config = makeConfig({
    future: 1,
    "": null,
    process: { future: {} },
    linux: { future: [], resources: { future: { cpu: null } } },
    windows: { layerFolders: ["x"], future: 1 },
    mounts: [{ destination: "/a", type: "tmpfs", future: true }],
  });
  assert.equal(violationsIn(config), []);
});

test("validateConfig() accepts the forms of rootfsPropagation that engines write", () => {
  for (const propagation of ["shared", "slave", "private", "unbindable"]) {
    for (const rootfsPropagation of [propagation, `r${propagation}`]) {
      assert.equal(violationsIn(makeConfig({ linux: { rootfsPropagation } })), []);
    }
  }
  const [violation] = violationsIn(makeConfig({ linux: { rootfsPropagation: "rr" } }));
  assert.is(violation?.message, 'must be one of shared, slave, private, unbindable, got "rr"');
});

test("validateConfig() accepts the modes of devices that engines write", () => {
  const withMode = (fileMode: unknown): unknown =>
    makeConfig({
      linux: { devices: [{ path: "/dev/x", type: "c", major: 1, minor: 3, fileMode }] },
    });
  for (const mode of [0, 0o666, 0o20644, 0o4755]) assert.equal(violationsIn(withMode(mode)), []);
  for (const mode of [-1, 0o200000, 1.5, "0666"]) assert.is(violationsIn(withMode(mode)).length, 1);
});

test("validateConfig() reports all that the schema finds, with place, value and rule", () => {
  const config = makeConfig({
    hostname: 5,
    root: {},
    process: { terminal: "y".repeat(100), rlimits: [{ type: "nofile", soft: -1, hard: 1.5 }] },
    linux: { namespaces: [{ type: "net" }], seccomp: { syscalls: [{ names: [], action: "a" }] } },
    mounts: {},
  });
  const lines = violationsIn(config).map(({ pointer, message }) => `${pointer}: ${message}`);
  assert.equal(lines.sort(), [
    "/hostname: must be a string, got 5",
    '/linux/namespaces/0/type: must be one of cgroup, ipc, mount, network, pid, time, user, uts, got "net"',
    '/linux/seccomp/syscalls/0/action: must be one of SCMP_ACT_ALLOW, SCMP_ACT_ERRNO, SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_LOG, SCMP_ACT_NOTIFY, SCMP_ACT_TRACE, SCMP_ACT_TRAP, got "a"',
    "/linux/seccomp/syscalls/0/names: must have at least 1 entries, got []",
    '/linux/seccomp: must have the property "defaultAction"',
    "/mounts: must be an array, got {}",
    "/process/rlimits/0/hard: must be an integer, got 1.5",
    "/process/rlimits/0/soft: must be >= 0, got -1",
    '/process/rlimits/0/type: must match ^RLIMIT_[A-Z]+$, got "nofile"',
    `/process/terminal: must be a boolean, got "${"y".repeat(59)}...`,
    '/root: must have the property "path"',
  ]);
});

test("validateConfig() reports all that the rules find, in one sentence with sections", () => {
  const config = makeConfig({
    ociVersion: "3.0.0",
    process: { cwd: "x", args: [] },
    root: undefined,
  });
  const fault = catchFault(() => validateConfig(config));
  assert.is(
    fault && wordFaultError(fault),
    "config.json is not valid: " +
      '/ociVersion: "3.0.0" is not supported, only versions 1.x are (config.md#specification-version); ' +
      "/root: root property must not be empty (config.md#root); " +
      '/process/cwd: Cwd must be an absolute path, got "x" (config.md#process); ' +
      "/process/args: args must not be empty (config.md#posix-process)",
  );
});

test("validateConfig() refuses an integer that cannot be held exactly, where it is read", () => {
  const read = '{"ociVersion":"1.3.0","linux":{"resources":{"pids":{"limit":9007199254740993}}}}';
  assert.equal(violationsIn(parseConfig(read, "config.json")), [
    { pointer: "/linux/resources/pids/limit", message: "9007199254740993 cannot be held exactly" },
  ]);
  const unread = JSON.stringify(makeConfig({ future: 0 })).replace(":0}", ":9007199254740993}");
  assert.equal(violationsIn(parseConfig(unread, "config.json")), []);
});

test("validateConfig() refuses documents that are no object", () => {
  for (const value of [null, [], "x", 1, true]) {
    assert.match(violationsIn(value)[0]?.message ?? "", "must be an object");
  }
});

test("validateConfig() does not take inherited properties for the document's", () => {
  const config = parseConfig('{"__proto__": {"ociVersion": "1.3.0"}}', "config.json");
  assert.is(violationsIn(config)[0]?.message, 'must have the property "ociVersion"');
});

test("validateConfig() counts the violations it does not list", () => {
  const violations = violationsIn(makeConfig({ process: { env: new Array(200_000).fill(0) } }));
  assert.is(violations.length, 101);
  assert.is(violations.at(-1)?.message, "and 199900 more violations");
  const masked = violationsIn(makeConfig({ linux: { maskedPaths: new Array(200_000).fill("a") } }));
  assert.is(masked.length, 101);
});

test("validateProcess() applies the rules of config.json's process, from its own root", () => {
  const rlimit = { type: "RLIMIT_CPU", soft: 1, hard: 1 };
  const broken = { cwd: "x", args: [], rlimits: [rlimit, rlimit] };
  const violations = violationsOf(() => validateProcess(broken));
  assert.equal(
    violations.map(({ pointer }) => pointer),
    ["/cwd", "/args", "/rlimits/1"],
  );
  assert.equal(
    violationsOf(() => validateProcess({ args: ["a"] })),
    [{ pointer: "", message: 'must have the property "cwd"' }],
  );
  assert.is(validateProcess({ cwd: "/", args: ["sh"] }).args[0], "sh");
});

test("validateResources() applies the rules of linux.resources, from its own root", () => {
  const broken = { devices: [{ allow: true, type: "x" }], unified: { "a/b": "" } };
  assert.equal(
    violationsOf(() => validateResources(broken)).map(({ pointer }) => pointer),
    ["/devices/0", "/unified/a~1b"],
  );
  assert.equal(
    violationsOf(() => validateResources({ pids: {} })),
    [{ pointer: "/pids", message: 'must have the property "limit"' }],
  );
  assert.is(validateResources({ memory: { limit: -1 } }).memory?.limit, -1);
});

test("a config of 1 MB is parsed and checked in less than 50 ms", () => {
  const env = Array.from({ length: 6000 }, (_, index) => `NAME_${index}=${"v".repeat(40)}`);
  const mounts = Array.from({ length: 5000 }, (_, index) => ({
    destination: `/srv/data-${index}`,
    type: "bind",
    source: `/var/lib/data-${index}`,
    options: ["rbind", "ro", "nosuid", "nodev"],
  }));
  const text = JSON.stringify(makeConfig({ process: { env }, mounts, padding: ["[".repeat(2e5)] }));
  assert.ok(text.length > 1e6, `${text.length} characters`);
  // Processor time, and the smallest of some runs: the rest is what else this machine does.
  const times = Array.from({ length: 8 }, () => {
    const before = process.cpuUsage();
    validateConfig(parseConfig(text, "config.json"));
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  assert.ok(Math.min(...times) < 50, `${Math.min(...times)} ms`);
});

test.run();
