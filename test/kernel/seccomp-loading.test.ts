// linux.seccomp around the program: when the filter is loaded, with which capabilities, what is refused, what the library and
// the cache have to do with it. Needs root.

import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Seccomp } from "../../src/spec/seccomp.ts";
import { runc } from "../cli/executable.ts";
import { openRoom, type RuntimeName, statusField, until } from "../support/room.ts";
import { deny, largeProfile, permissive } from "../support/seccomp-profile.ts";

const test = suite("kernel/seccomp-loading");
const room = openRoom("seccomp-loading");
const runtimes: readonly RuntimeName[] = runc === undefined ? ["ts-runc"] : ["ts-runc", "runc"];
if (runc === undefined) console.log("skip: there is no runc to compare with");

type Shown = Readonly<Record<string, string>>;
const fields = ["Seccomp", "NoNewPrivs", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Uid"];

function show(pid: number): Shown {
  return Object.fromEntries(fields.map((field) => [field, statusField(pid, field)]));
}

/** What the program of exec says of itself. */
function execShown(of: RuntimeName, id: string): Shown {
  const { stdout, stderr } = room.runtime(of, ["exec", id, "cat", "/proc/self/status"]);
  const value = (field: string): string =>
    new RegExp(`^${field}:\\s+(.*)$`, "m").exec(stdout)?.[1] ?? `no ${field} ${stderr}`;
  return Object.fromEntries(fields.map((field) => [field, value(field)]));
}

const withCapabilities = { CAP_KILL: ["CAP_KILL"], many: ["CAP_KILL", "CAP_SYS_ADMIN"], none: [] };

for (const noNewPrivileges of [true, false]) {
  for (const [name, set] of Object.entries(withCapabilities)) {
    for (const uid of [0, 1000]) {
      test(`created, started and exec: as under runc, no_new_privs ${noNewPrivileges}, capabilities ${name}, user ${uid}`, async () => {
        const capabilities = { bounding: set, effective: set, permitted: set };
        const shown = [];
        for (const of of runtimes) {
          const bundle = room.makeBundle({
            process: {
              args: ["sleep", "1000"],
              noNewPrivileges,
              capabilities,
              user: { uid, gid: uid },
            },
            linux: { seccomp: largeProfile },
          });
          const id = room.newId();
          const made = room.runtime(of, ["create", "--bundle", bundle.directory, id]);
          assert.is(made.status, 0, made.stderr);
          const { pid } = JSON.parse(room.runtime(of, ["state", id]).stdout);
          const created = show(pid);
          assert.is(room.runtime(of, ["start", id]).status, 0);
          // runc's start does not wait for the program.
          await until(() => statusField(pid, "Name") === "sleep");
          const outcome = { created, started: show(pid), executed: execShown(of, id) };
          assert.is(room.runtime(of, ["delete", "--force", id]).status, 0);
          shown.push(outcome);
        }
        const [ours, theirs] = shown;
        assert.is(ours?.created["Seccomp"], "2");
        assert.is(ours?.started["Seccomp"], "2");
        assert.is(ours?.executed["Seccomp"], "2");
        if (theirs !== undefined) assert.equal(ours, theirs);
      });
    }
  }
}

test("a profile that forbids what init does while it waits is loaded by start", () => {
  const names = ["execve", "write", "exit_group", "nanosleep", "clock_nanosleep", "getpid", "brk"];
  const more = [
    "arch_prctl",
    "mmap",
    "read",
    "open",
    "openat",
    "inotify_rm_watch",
    "poll",
    "getuid",
    "rt_sigaction",
  ];
  const rest = [
    "ioctl",
    "set_tid_address",
    "prlimit64",
    "sendfile",
    "fstat",
    "newfstatat",
    "mprotect",
  ];
  const others = ["prctl", "set_robust_list", "rseq", "getrandom", "readlink", "munmap", "uname"];
  const seccomp: Seccomp = {
    defaultAction: "SCMP_ACT_KILL_PROCESS",
    syscalls: [{ names: [...names, ...more, ...rest, ...others], action: "SCMP_ACT_ALLOW" }],
  };
  for (const noNewPrivileges of [true, false]) {
    const set: readonly string[] = [];
    const capabilities = { bounding: set, effective: set, permitted: set };
    const bundle = room.makeBundle({
      process: { args: ["sleep", "1000"], noNewPrivileges, capabilities },
      linux: { seccomp },
    });
    const id = room.newId();
    const made = room.tsRunc(["create", "--bundle", bundle.directory, id]);
    assert.is(made.status, 0, made.stderr);
    const { pid = 0 } = room.state(id) ?? {};
    assert.is(show(pid)["Seccomp"], "0");
    const started = room.tsRunc(["start", id]);
    assert.is(started.status, 0, started.stderr);
    assert.is(show(pid)["Seccomp"], "2");
    assert.is(show(pid)["CapPrm"], "0000000000000000");
    assert.is(room.state(id)?.status, "running");
    assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
  }
});

test("a profile that forbids execve is an error, and nothing is left of the container", () => {
  const seccomp = permissive({ names: ["execve"], action: "SCMP_ACT_ERRNO" });
  const bundle = room.makeBundle({ process: { noNewPrivileges: true }, linux: { seccomp } });
  const { status, stderr } = room.tsRunc(["run", "--bundle", bundle.directory, room.newId()]);
  assert.is(status, 1);
  assert.match(stderr, /exec .*\/bin\/sh: operation not permitted/);
});

test("flags are handed to the kernel, and TSYNC is accepted", () => {
  const flags = [
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
  ];
  for (const some of [[], flags.slice(0, 1), flags]) {
    const seccomp = { ...deny("SCMP_ACT_ERRNO"), flags: some };
    const bundle = room.makeBundle({
      process: {
        args: ["grep", "Speculation_Store_Bypass", "/proc/self/status"],
        noNewPrivileges: true,
      },
      linux: { seccomp },
    });
    const { status, stderr } = room.tsRunc(["run", "--bundle", bundle.directory, room.newId()]);
    assert.is(status, 0, stderr);
  }
});

const bad: readonly (readonly [name: string, seccomp: object, error: RegExp])[] = [
  [
    "an unknown action",
    { defaultAction: "SCMP_ACT_NOTHING" },
    /seccomp\/defaultAction.*SCMP_ACT_NOTHING/,
  ],
  [
    "an unknown architecture",
    { ...permissive(), architectures: ["SCMP_ARCH_VAX"] },
    /seccomp\/architectures\/0.*SCMP_ARCH_VAX/,
  ],
  ["an unknown flag", { ...permissive(), flags: ["SECCOMP_FILTER_FLAG_X"] }, /seccomp\/flags\/0/],
  [
    "an unknown operator",
    {
      ...permissive(),
      syscalls: [
        {
          names: ["inotify_rm_watch"],
          action: "SCMP_ACT_ERRNO",
          args: [{ index: 0, value: 1, op: "SCMP_CMP_LIKE" }],
        },
      ],
    },
    /args\/0\/op.*SCMP_CMP_LIKE/,
  ],
  ["errnoRet where it means nothing", deny("SCMP_ACT_KILL", 5), /errnoRet: can only be set with/],
  ["NOTIFY without a listener", deny("SCMP_ACT_NOTIFY"), /listenerPath: must be set/],
  [
    "NOTIFY for write",
    { ...permissive({ names: ["write"], action: "SCMP_ACT_NOTIFY" }), listenerPath: "/nowhere" },
    /SCMP_ACT_NOTIFY cannot be used for the write syscall/,
  ],
];

for (const [name, seccomp, error] of bad) {
  test(`${name} is refused by name, before anything is made`, () => {
    const bundle = room.makeBundle({ linux: { seccomp } });
    const { status, stderr } = room.tsRunc(["run", "--bundle", bundle.directory, room.newId()]);
    assert.is(status, 1);
    assert.match(stderr, error);
  });
}

/** Runs ts-runc where a file has been put over the host's library, or an empty place; in a mount namespace of its own. */
function runWithLibrary(library: "none" | "damaged", seccomp: Seccomp | undefined) {
  const bundle = room.makeBundle({
    process: { args: ["true"], noNewPrivileges: true },
    linux: { seccomp },
  });
  const folder = "/usr/lib/x86_64-linux-gnu";
  const [upper, work] = ["upper", "work"].map((part) => join(bundle.directory, part));
  for (const made of [upper, work]) if (made !== undefined) mkdirSync(made);
  const hide =
    library === "none"
      ? `for f in ${folder}/libseccomp.so*; do mknod ${upper}/$(basename $f) c 0 0; done`
      : `echo damaged > ${upper}/libseccomp.so.2`;
  const script = [
    "set -e",
    `mount -t tmpfs tmpfs ${bundle.directory}/work`,
    `mkdir ${work}/up ${work}/work`,
    hide.replaceAll(String(upper), `${work}/up`),
    `mount -t overlay -o lowerdir=${folder},upperdir=${work}/up,workdir=${work}/work overlay ${folder}`,
    `exec ${room.command("--root", join(room.directory, "other"), "run", "-b", bundle.directory, room.newId()).join(" ")}`,
  ].join("\n");
  const child = Bun.spawnSync(["unshare", "-m", "sh", "-c", script], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
  });
  return { status: child.exitCode, stderr: child.stderr.toString() };
}

const onDebian = existsSync("/usr/lib/x86_64-linux-gnu/libseccomp.so.2") ? test : test.skip;

onDebian(
  "without libseccomp a profile is an error that says what is missing, and nothing else is",
  () => {
    assert.equal(runWithLibrary("none", undefined), { status: 0, stderr: "" });
    const { status, stderr } = runWithLibrary("none", deny("SCMP_ACT_ERRNO"));
    assert.match(stderr, /linux\.seccomp needs libseccomp, which is not installed/);
    assert.is(status, 1);
  },
);

onDebian("a libseccomp that cannot be loaded is an error that names it", () => {
  const { status, stderr } = runWithLibrary("damaged", deny("SCMP_ACT_ERRNO"));
  assert.match(stderr, /compiling linux\.seccomp: .*libseccomp\.so\.2 cannot be used: /);
  assert.is(status, 1);
});

test("what was compiled once is found again, also by start and exec, and without it they compile anew", () => {
  const cache = join(room.directory, "state/@seccomp");
  for (const lost of [false, true]) {
    const bundle = room.makeBundle({
      process: { args: ["sleep", "1000"], noNewPrivileges: true },
      linux: { seccomp: deny("SCMP_ACT_ERRNO", 44) },
    });
    const id = room.newId();
    assert.is(room.tsRunc(["create", "--bundle", bundle.directory, id]).status, 0);
    assert.is(room.tsRunc(["start", id]).status, 0);
    if (lost) for (const name of readdirSync(cache)) chmodSync(join(cache, name), 0o622);
    const log = join(bundle.directory, "log");
    const { status } = room.tsRunc(["--debug", "--log", log, "exec", id, "true"]);
    assert.is(status, 0);
    assert.is(/seccomp: filter of .* compiled/.test(readFileSync(log, "utf8")), lost);
    assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
  }
});

test("nothing of all this is left", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(() => room.remove());

test.run();
