// The executable for arm64 in an emulator of its user space, beside the one of this machine. Needs root.
//
// The stub is a file in memory that the kernel itself starts: it is told of the emulator by binfmt_misc, in a user
// namespace, where that holds for nobody else. What this does not show, since QEMU's emulator of user space lacks it:
//   - containers: no mount calls by descriptor, no openat2, seccomp, bpf, keyctl, and no clone with CLONE_PARENT
//   - what posix_spawn says when execve fails: a vfork is a fork there, which shares no memory to tell it through
//   - the stub as /proc shows it (test/init/stub/process.test.ts): there it is the emulator
//   - structures of arm64: the emulator translates those it knows (their layout is checked in test/abi)

import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { isFeatures } from "../../build/validators.js";
import { buildOnce, compileArm64, fetchArm64Bun } from "../../scripts/build.ts";
import { errnos } from "../../src/abi/errno.ts";
import type { Features } from "../../src/spec/reports.ts";
import { executable, logMessages, type Outcome, type RunOptions } from "../cli/executable.ts";
import { openRoom, runBriefly } from "../support/room.ts";
import type { Report } from "./arm64/drive-stubs.ts";
import { buildUserSpace } from "./arm64/user-space.ts";

const test = suite("kernel/arm64");
const emulator = "/usr/bin/qemu-aarch64-static";
const room = openRoom("arm64");
const stateRoot = join(room.directory, "state");

/** How programs for arm64 are run here, or why they cannot be. */
type Emulation = { readonly command: readonly string[] } | { readonly obstacle: string };

const emulation = findEmulation();
if ("obstacle" in emulation) console.log(`skip: ${emulation.obstacle}`);
const check = "obstacle" in emulation ? test.skip : test;
const arm64Executable = "obstacle" in emulation ? "" : buildOnce("arm64");

function findEmulation(): Emulation {
  if (process.env["TS_RUNC_MACHINE"] !== undefined) {
    return { obstacle: "the machine of test/vm has no emulator of arm64" };
  }
  if (process.arch !== "x64")
    return { obstacle: "every other test of this machine is one of arm64" };
  if (process.getuid?.() !== 0) return { obstacle: "not root" };
  if (!existsSync(emulator)) return { obstacle: `${emulator} is not installed` };
  try {
    fetchArm64Bun();
    return { command: [emulator, "-L", buildUserSpace()] };
  } catch (error) {
    return { obstacle: `what arm64 needs cannot be had: ${String(error).split("\n")[0]}` };
  }
}

function emulated(...argv: readonly string[]): readonly string[] {
  return "obstacle" in emulation ? argv : [...emulation.command, ...argv];
}

function arm64(argv: readonly string[], options: RunOptions = {}): Outcome {
  return runBriefly(emulated(arm64Executable, ...argv), { cwd: room.directory, ...options });
}

function native(argv: readonly string[], options: RunOptions = {}): Outcome {
  return runBriefly([executable, ...argv], { cwd: room.directory, ...options });
}

/** Both fail with this status and no other words. */
function expectFailure(argv: readonly string[], message: string): void {
  for (const { status, stdout, stderr } of [arm64(argv), native(argv)]) {
    assert.equal(
      { status, stdout, messages: logMessages(stderr) },
      { status: 1, stdout: "", messages: [message] },
      `${argv.join(" ")}: ${stderr}`,
    );
  }
}

check("the executable is one for arm64, and tells its version", () => {
  const EM_AARCH64 = 183;
  const header = readFileSync(arm64Executable).subarray(0, 64);
  assert.is(header.readUInt16LE(18), EM_AARCH64);
  const { status, stdout } = arm64(["--version"]);
  assert.is(status, 0);
  assert.match(stdout, /^runc version \d+\.\d+\.\d+\ncommit: .*\nspec: .*\nts-runc: /);
  assert.is(stdout, native(["--version"]).stdout);
});

check("a build without changes leaves the executable alone", () => {
  const before = Bun.file(arm64Executable).lastModified;
  buildOnce("arm64");
  assert.is(Bun.file(arm64Executable).lastModified, before);
});

function withoutFlags(features: Features): object {
  const { linux = {} } = features;
  return { ...features, linux: { ...linux, seccomp: { ...linux.seccomp, supportedFlags: [] } } };
}

check("features is valid and says of this kernel what the native one says", () => {
  const { status, stdout } = arm64(["features"]);
  assert.is(status, 0);
  const document: unknown = JSON.parse(stdout);
  assert.ok(isFeatures(document), stdout);
  const theirs: unknown = JSON.parse(native(["features"]).stdout);
  assert.ok(isFeatures(theirs));
  // The emulator has no seccomp(2) that could be asked for its flags.
  assert.equal(withoutFlags(document), withoutFlags(theirs));
  const last = Number(readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"));
  assert.is(document.linux?.capabilities?.length, last + 1);
});

check("spec writes the config that the native one writes", () => {
  for (const options of [[], ["--rootless"]]) {
    const [ours = "", theirs = ""] = ["arm64", "native"].map((name) => {
      const bundle = join(room.directory, `spec-${name}${options.join("")}`);
      mkdirSync(bundle);
      return bundle;
    });
    assert.is(arm64(["spec", "--bundle", ours, ...options]).status, 0);
    assert.is(native(["spec", "--bundle", theirs, ...options]).status, 0);
    const config = readFileSync(join(ours, "config.json"), "utf8");
    assert.match(config, '"ociVersion"');
    assert.is(config, readFileSync(join(theirs, "config.json"), "utf8"));
  }
});

check("a container that does not exist is reported in runc's words", () => {
  mkdirSync(stateRoot, { recursive: true });
  for (const command of ["state", "start", "delete"]) {
    expectFailure(["--root", stateRoot, command, "missing"], "container does not exist");
  }
});

check("O_DIRECTORY is arm64's: openat itself refuses a file", () => {
  const file = join(room.directory, "file");
  writeFileSync(file, "");
  expectFailure(
    ["--root", file, "list"],
    `listing containers: openat ${JSON.stringify(file)}: not a directory`,
  );
});

check("O_NOFOLLOW is arm64's: a link in a container's place is not followed", () => {
  const root = join(room.directory, "linked");
  mkdirSync(join(root, "elsewhere"), { recursive: true });
  symlinkSync("elsewhere", join(root, "link"));
  expectFailure(
    ["--root", root, "delete", "link"],
    `locking the container: openat ${JSON.stringify(join(root, "link"))}: not a directory`,
  );
});

check("errors name the call, the path and the errno", () => {
  const loop = join(room.directory, "loop");
  symlinkSync("loop", loop);
  const long = join(room.directory, "n".repeat(300));
  const cases = [
    ["no/such", "no such file or directory"],
    ["loop", "too many levels of symbolic links"],
    ["n".repeat(300), "file name too long"],
  ] as const;
  for (const [bundle, words] of cases) {
    const path = JSON.stringify(`${bundle}/config.json`);
    expectFailure(["spec", "--bundle", bundle], `writing config.json: openat ${path}: ${words}`);
  }
  expectFailure(
    ["--root", long, "list"],
    `listing containers: openat ${JSON.stringify(long)}: file name too long`,
  );
});

check("the caller's limit of open files is noted before Bun raises it", () => {
  const { directory } = room.makeBundle({ process: { args: ["true"] } });
  const argv = emulated(arm64Executable, "program", "--bundle", directory);
  const { stdout } = runBriefly(["sh", "-c", `ulimit -Sn 700; exec "$@"`, "sh", ...argv]);
  assert.match(stdout, /setting RLIMIT_NOFILE to 700 and /);
});

check("a config is validated: a hostname without its namespace is refused", () => {
  const { directory } = room.makeBundle({ hostname: "name", linux: { namespaces: [] } });
  const argv = ["--root", stateRoot, "run", "--bundle", directory, room.newId()];
  const messages = logMessages(arm64(argv).stderr);
  assert.match(messages.join(), /config\.json is not valid: .*\/hostname/s);
  assert.equal(messages, logMessages(native(argv).stderr));
});

/** How the kernel knows a program for arm64, and what it starts it with: F opens the emulator now, O hands over the file. */
const binaryFormat = [
  ":qemu-aarch64:M:",
  String.raw`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`,
  String.raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`,
  emulator,
  "OF",
].join(":");
const namespaces = ["--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc"];

/** Runs a command where the kernel starts programs for arm64 through the emulator; nothing outlives it. */
function runInNamespaces(argv: readonly string[], preparation = "true"): Outcome {
  const script = [
    "mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc",
    'printf %s "$0" >/proc/sys/fs/binfmt_misc/register',
    preparation,
    'exec "$@"',
  ].join(" && ");
  const command = ["unshare", ...namespaces, "--kill-child", "sh", "-c", script];
  return runBriefly([...command, binaryFormat, ...argv], { cwd: room.directory });
}

const inNamespaces = findNamespaces();

function findNamespaces(): typeof test | typeof test.skip {
  if ("obstacle" in emulation) return test.skip;
  const { status, stderr } = runInNamespaces(["true"]);
  if (status === 0) return test;
  // Linux before 6.7 has one binfmt_misc for all.
  console.log(`skip: no binfmt_misc of our own for stubs: ${stderr.trim()}`);
  return test.skip;
}

function driveStubs(count: number, preparation?: string): Report {
  const program = join(room.directory, "drive-stubs");
  if (!existsSync(program)) {
    compileArm64({
      source: join(import.meta.dir, "arm64/drive-stubs.ts"),
      executable: program,
    });
  }
  const { status, stdout, stderr } = runInNamespaces(emulated(program, `${count}`), preparation);
  assert.is(status, 0, status === -1 ? "it hangs" : stderr);
  return JSON.parse(stdout);
}

/** What the emulator lacks of our calls, in its version of Debian 12; a later one has more. */
const knownMissing = [
  ["bpf", "clone3", "execveat", "fchmodat2", "fsconfig", "fsmount", "fsopen", "fspick", "keyctl"],
  ["mount_setattr", "move_mount", "open_tree", "open_tree_attr", "openat2", "seccomp"],
  ["set_mempolicy", "statmount"],
].flat();

inNamespaces("200 stubs are spawned from memory, answer a batch each and end", () => {
  const started = performance.now();
  const { stubs, memfd, missing } = driveStubs(200);
  assert.equal({ stubs, memfd }, { stubs: 200, memfd: 0 });
  console.log(`200 stubs in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  // A wrong number in the table of arm64 would show here as one more.
  assert.equal(
    missing.filter((name) => !knownMissing.includes(name)),
    [],
  );
  if (missing.length > 0) console.log(`skip: no container: no ${missing.join(", ")} in here`);
});

const noExec = "/proc/sys/vm/memfd_noexec";
inNamespaces(
  "a stub is spawned from a file without a name where memory may not be executed",
  () => {
    if (!existsSync(noExec)) return console.log(`skip: there is no ${noExec}`);
    const preparation = `echo 2 >${noExec} && mount -t tmpfs tmpfs /run`;
    const { stubs, memfd } = driveStubs(3, preparation);
    assert.equal({ stubs, memfd }, { stubs: 3, memfd: -errnos.EACCES });
  },
);

inNamespaces("a run that the kernel refuses half-way leaves nothing", async () => {
  // The emulator knows no mount_setattr: that is behind the stub's start, the making of cgroups and the limits.
  const { directory } = room.makeBundle({ linux: { namespaces: [{ type: "mount" }] } });
  const argv = ["--root", stateRoot, "run", "--bundle", directory, room.newId()];
  const { status, stderr } = runInNamespaces(emulated(arm64Executable, ...argv));
  assert.is(status, 1, stderr);
  assert.match(
    logMessages(stderr).join(),
    /^runc run failed: .*error during container init: .*the kernel has no mount_setattr/,
  );
  assert.equal(await room.leftovers(), []);
});

test.after(() => room.remove());

test.run();
