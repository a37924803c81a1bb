// exec as its process sees itself: who it is, where it is, what it has. Needs root.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mustForOutput } from "../../src/ffi/execute.ts";
import { prlimitRead } from "../../src/syscall/processes.ts";
import { openExecRoom } from "../support/exec-room.ts";
import { type Bundle, statusField, until } from "../support/room.ts";

const test = suite("kernel/exec");
const execRoom = openExecRoom("exec");
const { room, startContainer, exec, outputOf, processFile } = execRoom;

const shared = startContainer({
  process: {
    env: ["PATH=/bin", "OWN=1"],
    user: { uid: 0, gid: 0, umask: 0o27, additionalGids: [5] },
    capabilities: {
      bounding: ["CAP_KILL", "CAP_CHOWN"],
      effective: ["CAP_KILL"],
      permitted: ["CAP_KILL"],
    },
    rlimits: [{ type: "RLIMIT_CORE", soft: 11, hard: 12 }],
    noNewPrivileges: true,
    oomScoreAdj: 300,
  },
});

const identity = "grep -E '^(Uid|Gid|Groups|Umask|Cap...|NoNewPrivs):' /proc/self/status";

test("the process is who the container's config says", () => {
  assert.equal(outputOf(shared, "sh", "-c", identity).replace(/\t/g, " ").split(/ ?\n/), [
    "Umask: 0027",
    "Uid: 0 0 0 0",
    "Gid: 0 0 0 0",
    "Groups: 5",
    "CapInh: 0000000000000000",
    "CapPrm: 0000000000000020",
    "CapEff: 0000000000000020",
    "CapBnd: 0000000000000021",
    "CapAmb: 0000000000000000",
    "NoNewPrivs: 1",
  ]);
  assert.is(outputOf(shared, "cat", "/proc/self/oom_score_adj"), "300");
  assert.match(outputOf(shared, "cat", "/proc/self/limits"), /Max core file size +11 +12 /);
});

test("the command line changes user, groups, capabilities and no_new_privs", () => {
  const changed = outputOf(
    ...["-u", "1000:1001", "-g", "6", "-g", "7", "-c", "CAP_SYS_ADMIN", "--no-new-privs=false"],
    ...[shared, "sh", "-c", identity],
  );
  assert.equal(changed.replace(/\t/g, " ").split(/ ?\n/), [
    "Umask: 0027",
    "Uid: 1000 1000 1000 1000",
    "Gid: 1001 1001 1001 1001",
    "Groups: 5 6 7",
    "CapInh: 0000000000000000",
    "CapPrm: 0000000000000000",
    "CapEff: 0000000000000000",
    "CapBnd: 0000000000200021",
    "CapAmb: 0000000000000000",
    "NoNewPrivs: 0",
  ]);
  const root = outputOf("--cap", "CAP_SYS_ADMIN", shared, "sh", "-c", identity);
  assert.match(root, /CapEff:\s+0000000000200020/);
});

test("environment and working directory are the config's, changed by the command line", () => {
  const env = outputOf("-e", "OWN=2", "-e", "MORE=a,b=c", shared, "env").split("\n");
  assert.equal(env, ["PATH=/bin", "OWN=2", "MORE=a,b=c", "HOME=/"]);
  assert.is(outputOf("--cwd", "/tmp", shared, "sh", "-c", "pwd"), "/tmp");
});

test("a process file replaces the config's process, and inherits what it leaves out of capabilities, umask and oomScoreAdj", () => {
  const args = ["sh", "-c", `${identity}; pwd; cat /proc/self/oom_score_adj; env`];
  const process = { args, cwd: "/tmp", env: ["PATH=/bin"], user: { uid: 3, gid: 4 } };
  const bare = outputOf("-p", processFile(process), "-e", "IGNORED=1", shared, "ignored");
  assert.match(bare, /Umask:\s+0027\n/);
  assert.match(bare, /CapBnd:\s+0000000000000021\nCapAmb:.*\nNoNewPrivs:\s+0\n\/tmp\n300\n/);
  assert.match(bare, /\nPATH=\/bin\n/);
  assert.not.match(bare, /IGNORED|OWN/);
  const full = outputOf(
    "--process",
    processFile({
      ...process,
      user: { uid: 3, gid: 4, umask: 0o77, additionalGids: [8] },
      capabilities: {
        bounding: ["CAP_KILL"],
        inheritable: ["CAP_KILL"],
        permitted: ["CAP_KILL"],
        ambient: ["CAP_KILL"],
      },
      noNewPrivileges: true,
      oomScoreAdj: 400,
    }),
    shared,
  );
  assert.match(full, /Umask:\s+0077\nUid:\s+3\b.*\nGid:\s+4\b.*\nGroups:\s+8 ?\n/);
  assert.match(
    full,
    /CapInh:\s+0+20\nCapPrm:\s+0+20\nCapEff:\s+0+20\nCapBnd:\s+0+20\nCapAmb:\s+0+20\n/,
  );
  assert.match(full, /NoNewPrivs:\s+1\n\/tmp\n400\n/);
});

test("the process is in init's namespaces, session of its own, and cgroups", () => {
  const links = "for n in cgroup ipc mnt net pid time user uts; do readlink /proc/$1/ns/$n; done";
  const of = (pid: string): string => outputOf(shared, "sh", "-c", links, "links", pid);
  assert.is(of("self"), of("1"));
  const [, , , , pgrp, session] = outputOf(shared, "cat", "/proc/self/stat").split(" ");
  assert.is(pgrp, session);
  assert.is.not(session, "0");
  assert.is(
    outputOf(shared, "cat", "/proc/self/cgroup"),
    readFileSync(`/proc/${room.state(shared)?.pid}/cgroup`, "utf8").trim(),
  );
});

/** Everything that can be joined but the user namespace, in all the ways in which a container may lack some. */
const variants: Readonly<Record<string, object>> = {
  "no namespace but the mount's": { namespaces: [{ type: "mount" }] },
  "no mount namespace": { namespaces: [{ type: "pid" }] },
  "no namespace at all": { namespaces: [] },
  "a cgroup namespace": { namespaces: [{ type: "pid" }, { type: "mount" }, { type: "cgroup" }] },
};

for (const [what, linux] of Object.entries(variants)) {
  test(`a container with ${what} is entered, and its root is the process's`, () => {
    const id = startContainer({ mounts: [], linux });
    const { rootfs } = JSON.parse(room.tsRunc(["state", id]).stdout);
    writeFileSync(join(rootfs, "etc/mark"), what);
    assert.is(outputOf(id, "cat", "/etc/mark"), what);
    assert.is(outputOf(id, "cat", "/../../etc/mark"), what);
    const pidFile = join(room.directory, "variant.pid");
    outputOf("-d", "--pid-file", pidFile, id, "sleep", "1000");
    const pid = readFileSync(pidFile, "utf8");
    for (const name of ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"]) {
      const link = (of: unknown): string =>
        Bun.spawnSync(["readlink", `/proc/${of}/ns/${name}`]).stdout.toString();
      assert.is(link(pid), link(room.state(id)?.pid), name);
    }
    // Without a pid namespace nothing but the cgroup leads to it.
    assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
  });
}

const idMap = [{ containerID: 0, hostID: 100_000, size: 1000 }];

test("in a user namespace the process has its ids and no right outside", () => {
  const namespaces = ["user", "pid", "mount", "network", "ipc", "uts"].map((type) => ({ type }));
  const capabilities = {
    bounding: ["CAP_SYS_ADMIN"],
    effective: ["CAP_SYS_ADMIN"],
    permitted: ["CAP_SYS_ADMIN"],
  };
  const id = startContainer({
    process: { capabilities, rlimits: [{ type: "RLIMIT_NOFILE", soft: 100, hard: 200 }] },
    // Where the container's root may make files: the rootfs is not its own.
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs" },
    ],
    linux: { namespaces, uidMappings: idMap, gidMappings: idMap },
  });
  const own = outputOf("-u", "5:6", "-g", "7", id, "sh", "-c", "id; ulimit -n; ulimit -Hn");
  assert.equal(own.split("\n"), ["uid=5 gid=6 groups=7", "100", "200"]);
  const namespace = outputOf(id, "readlink", "/proc/self/ns/user");
  assert.is(namespace, outputOf(id, "readlink", "/proc/1/ns/user"));
  const ours = Bun.spawnSync(["readlink", "/proc/self/ns/user"]).stdout.toString().trim();
  assert.is.not(namespace, ours);
  assert.match(outputOf(id, "grep", "CapEff", "/proc/self/status"), /0000000000200000/);
  const pidFile = join(room.directory, "user.pid");
  outputOf("-d", "-u", "5", "--pid-file", pidFile, id, "sleep", "1000");
  assert.match(statusField(Number(readFileSync(pidFile, "utf8")), "Uid"), /^100005\b/);
});

test("exit statuses are the program's, 128 and the signal, and 255 for failures of ours", () => {
  assert.is(exec(shared, "sh", "-c", "exit 7").status, 7);
  assert.is(exec(shared, "sh", "-c", "kill -9 $$").status, 137);
  for (const argv of [
    [room.newId(), "true"],
    [shared, "absent"],
    ["--cwd", "/absent", shared, "true"],
    ["-u", "nobody", shared, "true"],
  ]) {
    const { status, stdout } = exec(...argv);
    assert.is(status, 255, argv.join(" "));
    assert.is(stdout, "");
  }
});

/** A program that shows its descriptors: `ls` itself has one more open, on the directory. */
const descriptors = ["sh", "-c", "cd /proc/self/fd; echo *"];

test("the program has the descriptors that it was promised, and no other", () => {
  const shell = (argv: readonly string[], open: string): string =>
    room
      .command("exec", ...argv, shared)
      .join(" ")
      .concat(` "$@" ${open}`);
  const run = (argv: readonly string[], open = ""): string[] => {
    const file = join(room.directory, "fds");
    const script = `exec 9<&- ; ${shell(argv, open)} > ${file}`;
    const child = Bun.spawnSync(["sh", "-c", script, "sh", ...descriptors], { stdin: "ignore" });
    assert.is(child.exitCode, 0, child.stderr.toString());
    // The glob's own descriptor is closed by the time it is printed, but was seen.
    return readFileSync(file, "utf8").trim().split(" ");
  };
  const seen = run([]);
  assert.equal(seen.slice(0, 3), ["0", "1", "2"]);
  assert.equal(run([], "3</etc/passwd 4</etc/passwd 77</etc/passwd"), seen);
  assert.equal(run(["--preserve-fds", "2"], "3</dev/zero 4</dev/zero 5</dev/zero"), [
    ...seen.slice(0, 3),
    "3",
    "4",
    ...seen.slice(3).map((fd) => `${Number(fd) + 2}`),
  ]);
  const missing = exec("--preserve-fds", "2", shared, "true");
  assert.is(missing.status, 255);
  assert.match(missing.stderr, /unable to preserve fd 3/);
});

test("sockets of activation are passed on, with the pid that the program has", () => {
  const script = "echo $LISTEN_FDS $LISTEN_PID $$; test -e /proc/self/fd/3 && echo open";
  const command = room.command("exec", shared, "sh", "-c", `'${script}'`).join(" ");
  const child = Bun.spawnSync(
    ["sh", "-c", `export LISTEN_FDS=1 LISTEN_PID=$$; exec ${command} 3</etc/passwd`],
    {
      stdin: "ignore",
    },
  );
  const [first = "", second] = child.stdout.toString().split("\n");
  const [count, told, pid] = first.split(" ");
  assert.is(count, "1");
  assert.is(told, pid);
  assert.is(second, "open");
});

test("sockets that were meant for somebody else are not looked for", () => {
  const env = { PATH: process.env["PATH"] ?? "", LISTEN_FDS: "3", LISTEN_PID: "1" };
  const { status, stdout } = room.tsRunc(["exec", shared, "env"], { env });
  assert.is(status, 0);
  assert.not.match(stdout, /LISTEN/);
});

test("a detached exec leaves a running program and a complete pid file", async () => {
  const pidFile = join(room.directory, "detached.pid");
  assert.is(outputOf("-d", "--pid-file", pidFile, shared, "sleep", "1000"), "");
  const text = readFileSync(pidFile, "utf8");
  assert.match(text, /^\d+$/);
  assert.is(readFileSync(`/proc/${text}/cmdline`, "utf8"), "sleep\u00001000\u0000");
  assert.is(exec(shared, "kill", "-9", "-1").status, 0);
  await until(
    () =>
      !existsSync(`/proc/${text}/cmdline`) || statusField(Number(text), "State").startsWith("Z"),
  );
});

test("a failing exec leaves no pid file and no process", async () => {
  const pidFile = join(room.directory, "failed.pid");
  assert.is(exec("-d", "--pid-file", pidFile, shared, "absent").status, 255);
  assert.not(existsSync(pidFile));
  const unwritable = exec("-d", "--pid-file", "/proc/absent/pid", shared, "sleep", "1000");
  assert.is(unwritable.status, 255);
  assert.match(unwritable.stderr, /writing the pid file/);
  const left = outputOf(shared, "sh", "-c", "cat /proc/[0-9]*/cmdline").match(/sleep/g);
  assert.is(left?.length, 1);
});

test("no mount of the host is made, not even for a moment", () => {
  const before = readFileSync("/proc/self/mountinfo", "utf8");
  const within = outputOf(shared, "cat", "/proc/self/mountinfo");
  // The program itself looks at the host's table: it runs while exec is there.
  const child = Bun.spawnSync([...room.command("exec", shared, "cat")], { stdin: new Blob([""]) });
  assert.is(child.exitCode, 0);
  assert.is(readFileSync("/proc/self/mountinfo", "utf8"), before);
  assert.is(outputOf(shared, "cat", "/proc/self/mountinfo"), within);
});

test("ten execs at once do not disturb each other", async () => {
  const children = Array.from({ length: 10 }, (_, index) =>
    Bun.spawn(room.command("exec", shared, "sh", "-c", `echo ${index}; exit ${index}`), {
      stdio: ["ignore", "pipe", "inherit"],
    }),
  );
  for (const [index, child] of children.entries()) {
    assert.is(await new Response(child.stdout).text(), `${index}\n`);
    assert.is(await child.exited, index);
  }
});

test("the caller's limit of files is the program's, where config and file say nothing", () => {
  const { output } = mustForOutput(prlimitRead(0, "RLIMIT_NOFILE"), "reading our limit");
  const [soft] = new BigUint64Array(output.buffer);
  assert.is(outputOf(shared, "sh", "-c", "ulimit -n"), `${soft}`);
});

test("a created container takes execs, and is still to be started", () => {
  const bundle: Bundle = room.makeBundle({ process: { args: ["true"] } });
  const id = room.newId();
  assert.is(room.tsRunc(["create", "-b", bundle.directory, id]).status, 0);
  assert.is(outputOf(id, "echo", "hello"), "hello");
  assert.is(room.state(id)?.status, "created");
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
});

test("nothing is left behind", async () => {
  assert.equal(await execRoom.end(), []);
});

test.after(room.remove);

test.run();
