// Takes containers through their lives with the built executable, beside Debian's runc where it is there: exit codes,
// statuses, error texts, what an init looks like from outside and from inside, and races. Needs root.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { prctlOptions, waitOptions, waitTypes } from "../../src/abi/process.ts";
import { execute, must } from "../../src/ffi/execute.ts";
import { prctl, waitid } from "../../src/syscall/processes.ts";
import { executable, logMessages, type Outcome, runc } from "../cli/executable.ts";
import {
  type Bundle,
  openRoom,
  type RuntimeName,
  runBriefly,
  slowness,
  statusField,
  until,
} from "../support/room.ts";
import { permissive } from "../support/seccomp-profile.ts";

const test = suite("kernel/lifecycle");
const room = openRoom("life");
const beside = runc === undefined ? test.skip : test;
if (runc === undefined) console.log("skip: there is no runc to compare with");

const sleeper = (): Bundle => room.makeBundle({ process: { args: ["sleep", "1000"] } });

function create(bundle: Bundle, id = room.newId(), ...options: readonly string[]): string {
  const { status, stderr } = room.tsRunc(["create", ...options, "--bundle", bundle.directory, id]);
  assert.is(status, 0, stderr);
  return id;
}

function run(bundle: Bundle, options: { readonly env?: Record<string, string> } = {}): Outcome {
  return room.tsRunc(["run", "--bundle", bundle.directory, room.newId()], options);
}

function pidOf(id: string): number {
  return room.state(id)?.pid ?? 0;
}

function remove(id: string): void {
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
}

/** What one command answers, with the id and the place taken out. */
type Answer = {
  readonly command: string;
  readonly status: number;
  readonly errors: readonly string[];
};

/** A whole life, every command also where the status forbids it. */
async function live(runtime: RuntimeName, bundle: Bundle): Promise<readonly (Answer | string)[]> {
  const id = room.newId();
  const seen: (Answer | string)[] = [];
  const ask = (...argv: readonly string[]): void => {
    const { status, stderr } = room.runtime(runtime, [...argv, id]);
    const errors = logMessages(stderr).map((message) => message.replaceAll(id, "ID"));
    seen.push({ command: argv.join(" "), status, errors });
  };
  const showStatus = (): string => {
    const { status, stdout } = room.runtime(runtime, ["state", id]);
    return status === 0 ? JSON.parse(stdout).status : "gone";
  };
  const createArguments = ["create", "--bundle", bundle.directory];
  ask("state");
  ask("start");
  ask("kill");
  ask("delete");
  ask(...createArguments);
  seen.push(showStatus());
  ask(...createArguments);
  ask("start");
  seen.push(showStatus());
  ask("start");
  ask("delete");
  const { stderr, status } = room.runtime(runtime, ["kill", id, "BOGUS"]);
  seen.push({ command: "kill BOGUS", status, errors: logMessages(stderr) });
  assert.is(room.runtime(runtime, ["kill", id, "KILL"]).status, 0);
  await until(() => showStatus() === "stopped");
  seen.push(showStatus());
  seen.push({ command: "kill KILL", ...pick(room.runtime(runtime, ["kill", id, "KILL"])) });
  ask("start");
  ask("delete");
  ask("delete");
  ask("delete", "--force");
  return seen;
}

function pick({ status, stderr }: Outcome): Omit<Answer, "command"> {
  return { status, errors: logMessages(stderr) };
}

beside("every command answers as runc's, whatever the status of the container", async () => {
  const bundle = sleeper();
  const [ours, theirs] = [await live("ts-runc", bundle), await live("runc", bundle)];
  assert.equal(ours, theirs);
  assert.equal(
    ours.filter((item) => typeof item === "string"),
    ["created", "running", "stopped"],
  );
});

beside("state prints the fields that runc prints", () => {
  const bundle = room.makeBundle({ annotations: { "org.example": "yes" } });
  const id = room.newId();
  const states = (["ts-runc", "runc"] as const).map((runtime) => {
    const made = room.runtime(runtime, ["create", "--bundle", bundle.directory, id]);
    assert.is(made.status, 0, made.stderr);
    const state: Record<string, unknown> = JSON.parse(room.runtime(runtime, ["state", id]).stdout);
    assert.is(room.runtime(runtime, ["delete", "--force", id]).status, 0);
    return state;
  });
  const [ours = {}, theirs = {}] = states;
  assert.equal(Object.keys(ours), Object.keys(theirs));
  for (const key of ["id", "status", "bundle", "rootfs", "annotations", "owner"]) {
    // runc 1.1.5 says "" for the owner root.
    if (key === "owner" && theirs[key] === "") continue;
    assert.equal(ours[key], theirs[key], key);
  }
  assert.match(String(ours["created"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
});

beside("a program that is not there fails create in runc's words", () => {
  const missing = [["nowhere"], ["/bin/nowhere"], ["/etc/plain"], ["./nowhere"]];
  for (const args of missing) {
    const bundle = room.makeBundle({ process: { args } });
    writeFileSync(join(bundle.rootfs, "etc/plain"), "", { mode: 0o644 });
    const [ours, theirs] = (["ts-runc", "runc"] as const).map((runtime) => {
      const id = room.newId();
      return pick(room.runtime(runtime, ["create", "--bundle", bundle.directory, id]));
    });
    assert.equal(ours, theirs, args.join(" "));
    assert.is(ours?.status, 1);
  }
  // Here runc 1.1.5 says "permission denied", and its later versions what we say.
  const directory = run(room.makeBundle({ process: { args: ["/bin"] } }));
  assert.match(logMessages(directory.stderr)[0] ?? "", /exec: "\/bin": is a directory$/);
});

test("start reports a program that cannot be executed, and the container has stopped", () => {
  const programs = { "#!/nowhere\n": /no such file or directory/, garbage: /exec format error/ };
  for (const [text, reason] of Object.entries(programs)) {
    const bundle = room.makeBundle({ process: { args: ["/bin/broken"] } });
    writeFileSync(join(bundle.rootfs, "bin/broken"), text, { mode: 0o755 });
    const id = create(bundle);
    const { status, stderr } = room.tsRunc(["start", id]);
    assert.is(status, 1);
    assert.match(stderr, reason);
    assert.match(stderr, /\/bin\/broken/);
    assert.is(room.state(id)?.status, "stopped");
    assert.is(room.tsRunc(["delete", id]).status, 0);
    const atOnce = run(bundle);
    assert.is(atOnce.status, 1);
    assert.match(atOnce.stderr, reason);
  }
});

/** Makes us the parent of containers, who reaps them late, as engines do: of a process that is gone nobody can tell anything. */
function whileReapingLate(action: () => void): void {
  const subreaper = (on: number): void =>
    void must(prctl(prctlOptions.PR_SET_CHILD_SUBREAPER, on), "becoming a subreaper");
  subreaper(1);
  try {
    action();
  } finally {
    subreaper(0);
  }
}

function reap(pid: number): void {
  execute(waitid(waitTypes.P_PID, pid, waitOptions.WEXITED | waitOptions.__WALL));
}

test("start and run report an init that is killed before its program runs", () => {
  const process = { args: ["sleep", "1000"], noNewPrivileges: true };
  const seccomp = permissive({ names: ["execve"], action: "SCMP_ACT_KILL_PROCESS" });
  const dies = room.makeBundle({ process, linux: { seccomp } });
  whileReapingLate(() => {
    const id = create(dies);
    const pid = pidOf(id);
    const started = room.tsRunc(["start", id]);
    assert.is(started.status, 1);
    assert.match(started.stderr, /starting the program: container init has died/);
    assert.is(room.state(id)?.status, "stopped");
    assert.is(room.tsRunc(["delete", id]).status, 0);
    reap(pid);
  });
  for (const argv of [["run"], ["run", "-d"]]) {
    const { status, stderr } = room.tsRunc([...argv, "-b", dies.directory, room.newId()]);
    assert.is(status, 1);
    assert.match(stderr, /unable to start .*: starting the program: container init has died/);
  }
});

test("start reports an init that a hook has killed", () => {
  const script = `kill -9 $(sed 's/.*"pid":\\([0-9]*\\).*/\\1/')`;
  const bundle = room.makeBundle({
    process: { args: ["sleep", "1000"] },
    hooks: {
      startContainer: [{ path: "/bin/sh", args: ["sh", "-c", script], env: ["PATH=/bin"] }],
    },
    linux: { namespaces: [{ type: "mount" }] },
  });
  const id = create(bundle);
  const { status, stderr } = room.tsRunc(["start", id]);
  assert.is(status, 1, stderr);
  assert.match(stderr, /container init has died/);
  assert.is(room.tsRunc(["delete", id]).status, 0);
});

test("start says so when the kernel has killed init for want of memory", () => {
  const limit = 8 * 1024 * 1024;
  // More than the limit in one batch, which only start sends.
  const env = Array.from({ length: 120 }, (_, index) => `V${index}=${"x".repeat(120_000)}`);
  const bundle = room.makeBundle({
    process: { args: ["sleep", "1000"], env: ["PATH=/bin", ...env] },
    linux: { resources: { memory: { limit, swap: limit } } },
  });
  whileReapingLate(() => {
    const id = create(bundle);
    const pid = pidOf(id);
    const { status, stderr } = room.tsRunc(["start", id]);
    assert.is(status, 1);
    assert.match(stderr, /container init was OOM-killed/);
    assert.is(room.state(id)?.status, "stopped");
    assert.is(room.tsRunc(["delete", id]).status, 0);
    reap(pid);
  });
});

test("a created init shows its final ids, groups, capabilities and no_new_privs", () => {
  const capabilities = {
    bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"],
    effective: ["CAP_KILL"],
    permitted: ["CAP_KILL", "CAP_NET_RAW"],
    inheritable: ["CAP_NET_RAW"],
    ambient: ["CAP_NET_RAW"],
  };
  const user = { uid: 1000, gid: 1001, additionalGids: [7, 8], umask: 0o27 };
  const process = { args: ["sleep", "1000"], user, capabilities, noNewPrivileges: true };
  const id = create(room.makeBundle({ process }));
  const look = (): Record<string, string> => {
    const pid = pidOf(id);
    const names = ["Uid", "Gid", "Groups", "NoNewPrivs", "Umask", "Seccomp"];
    const sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    const entries = [...names, ...sets].map((name): [string, string] => {
      return [name, statusField(pid, name).trim()];
    });
    return Object.fromEntries(entries);
  };
  const expected = {
    Uid: "1000\t1000\t1000\t1000",
    Gid: "1001\t1001\t1001\t1001",
    Groups: "7 8",
    NoNewPrivs: "1",
    Umask: "0027",
    Seccomp: "0",
    CapInh: "0000000000002000",
    CapPrm: "0000000000002020",
    CapEff: "0000000000000020",
    CapBnd: "0000000000002021",
    CapAmb: "0000000000002000",
  };
  assert.equal(look(), expected);
  assert.is(room.tsRunc(["start", id]).status, 0);
  // execve as another user than root: what is permitted afterwards is the ambient set (capabilities(7)).
  assert.equal(look(), { ...expected, CapPrm: "0000000000002000", CapEff: "0000000000002000" });
  remove(id);
});

test("a created init has no environment, no signal of its own but SIGTERM, and few pages", () => {
  const id = create(sleeper());
  const pid = pidOf(id);
  assert.is(readFileSync(`/proc/${pid}/environ`, "utf8"), "");
  assert.is(readFileSync(`/proc/${pid}/cmdline`, "utf8"), "ts-runc:init\0");
  assert.is(BigInt(`0x${statusField(pid, "SigIgn")}`), 0n);
  assert.is(BigInt(`0x${statusField(pid, "SigBlk")}`), 0n);
  assert.is(BigInt(`0x${statusField(pid, "SigCgt")}`), 1n << 14n);
  assert.ok(pssKib(pid) < 64, `${pssKib(pid)} KiB`);
  remove(id);
});

/** Memory that the process would free by ending. */
function pssKib(pid: number): number {
  return Number(/^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]);
}

test("a created container takes at most half of the memory of crun's", () => {
  const bundle = sleeper();
  const root = join(room.directory, "crun-state");
  const crun = (...argv: readonly string[]): Outcome =>
    runBriefly(["crun", "--root", root, ...argv]);
  const theirs = room.newId();
  const made = crun("create", "--bundle", bundle.directory, theirs);
  if (made.status !== 0) return console.log(`skip: crun does not run here: ${made.stderr.trim()}`);
  const id = create(bundle);
  try {
    const [oursKib, theirsKib] = [pidOf(id), JSON.parse(crun("state", theirs).stdout).pid].map(
      pssKib,
    );
    assert.ok((oursKib ?? 0) <= (theirsKib ?? 0) / 2, `${oursKib} KiB, crun ${theirsKib} KiB`);
  } finally {
    remove(id);
    crun("delete", "--force", theirs);
  }
});

test("run returns the program's exit code, and leaves nothing of the container", () => {
  for (const code of [0, 1, 7, 255]) {
    const bundle = room.makeBundle({ process: { args: ["sh", "-c", `exit ${code}`] } });
    assert.is(run(bundle).status, code);
  }
  assert.is(room.tsRunc(["list", "-q"]).stdout, "");
});

test("run returns 128 and the signal that ended the program", async () => {
  for (const signal of [9, 6]) {
    const id = room.newId();
    const bundle = room.makeBundle({ process: { args: ["cat", "/dev/zero"] } });
    const child = Bun.spawn(room.command("run", "--bundle", bundle.directory, id), {
      stdio: ["ignore", "ignore", "ignore"],
    });
    await until(() => room.state(id)?.status === "running");
    // From outside of its pid namespace, process 1 can be ended by any signal only if it is SIGKILL.
    process.kill(pidOf(id), "SIGKILL");
    assert.is(await child.exited, 137);
    if (signal === 9) continue;
    // Without a pid namespace init is a process like others.
    const namespaces = ["mount", "uts"].map((type) => ({ type }));
    const args = ["sh", "-c", `kill -${signal} $$`];
    assert.is(
      run(room.makeBundle({ process: { args }, linux: { namespaces } })).status,
      128 + signal,
    );
  }
});

test("run forwards the signals that it gets", async () => {
  const names = ["USR1", "TERM", "INT", "HUP", "QUIT", "CONT", "WINCH"] as const;
  const traps = names.map((name) => `trap 'echo ${name} >> /tmp/got' ${name}`).join("; ");
  const script = `${traps}; trap 'exit 5' USR2; while :; do echo ready > /tmp/ready; sleep 0.02; done`;
  const bundle = room.makeBundle({ process: { args: ["sh", "-c", script] } });
  const child = Bun.spawn(room.command("run", "--bundle", bundle.directory, room.newId()), {
    stdio: ["ignore", "ignore", "ignore"],
  });
  const read = (name: string): string => {
    try {
      return readFileSync(join(bundle.rootfs, "tmp", name), "utf8");
    } catch {
      // The script has not written it yet.
      return "";
    }
  };
  await until(() => read("ready") !== "");
  const forwarded = names.filter((name) => name !== "WINCH");
  // A window's size is the terminal's affair and is not forwarded.
  for (const name of ["WINCH", ...forwarded] as const) {
    child.kill(`SIG${name}`);
    if (name !== "WINCH") await until(() => read("got").includes(name));
  }
  child.kill("SIGUSR2");
  assert.is(await child.exited, 5);
  assert.equal(read("got").trim().split("\n"), forwarded);
});

test("create and run -d write the pid file that they were asked for", () => {
  const file = join(room.directory, "pid");
  const id = create(sleeper(), room.newId(), "--pid-file", file);
  assert.is(readFileSync(file, "utf8"), `${pidOf(id)}`);
  remove(id);
  const other = room.newId();
  const argv = ["run", "-d", "--pid-file", file, "--bundle", sleeper().directory, other];
  assert.is(room.tsRunc(argv).status, 0);
  assert.is(readFileSync(file, "utf8"), `${pidOf(other)}`);
  remove(other);
});

test("SIGTERM ends a container that was created and never started", async () => {
  const id = create(sleeper());
  assert.is(room.tsRunc(["kill", id, "TERM"]).status, 0);
  await until(() => room.state(id)?.status === "stopped");
  assert.is(room.state(id)?.status, "stopped");
  assert.is(room.tsRunc(["delete", id]).status, 0);
});

test("delete takes a created container away, init and all", () => {
  const id = create(sleeper());
  const pid = pidOf(id);
  assert.is(room.tsRunc(["delete", id]).status, 0);
  assert.is(room.state(id), undefined);
  assert.match(statusField(pid, "State"), /^(no State|Z)/);
});

/** Starts the same command several times at once, and returns how each ended. */
async function race(times: number, ...argv: readonly string[]): Promise<readonly Outcome[]> {
  const children = Array.from({ length: times }, () =>
    Bun.spawn(room.command(...argv), { stdio: ["ignore", "ignore", "pipe"] }),
  );
  return await Promise.all(
    children.map(async (child) => {
      const status = await child.exited;
      // A winner's container may hold its end of the pipe: only a failure's words are waited for.
      const stderr = status === 0 ? "" : await new Response(child.stderr).text();
      return { status, stdout: "", stderr };
    }),
  );
}

function losers(outcomes: readonly Outcome[]): readonly (string | undefined)[] {
  assert.is(outcomes.filter(({ status }) => status === 0).length, 1, "one wins");
  const lost = outcomes.filter(({ status }) => status !== 0);
  for (const { status } of lost) assert.is(status, 1);
  return [...new Set(lost.map(({ stderr }) => logMessages(stderr)[0]))];
}

test("a foreground run does not keep other commands waiting, and leaves what follows it alone", async () => {
  const id = room.newId();
  const { directory } = sleeper();
  const child = Bun.spawn(room.command("run", "--bundle", directory, id), {
    stdio: ["ignore", "ignore", "ignore"],
  });
  await until(() => room.state(id)?.status === "running");
  const started = room.tsRunc(["start", id]);
  assert.is(started.status, 1);
  assert.equal(logMessages(started.stderr), ["cannot start an already running container"]);
  // Held back, the run finds another container of its name when it comes to clean up.
  child.kill("SIGSTOP");
  remove(id);
  create({ directory, rootfs: "" }, id);
  child.kill("SIGCONT");
  await child.exited;
  assert.is(child.exitCode, 137);
  assert.is(room.state(id)?.status, "created");
  remove(id);
});

test("of two starts at once, one starts and one finds it running", async () => {
  for (let round = 0; round < 5; round += 1) {
    const id = create(sleeper());
    assert.equal(losers(await race(2, "start", id)), ["cannot start an already running container"]);
    assert.is(room.state(id)?.status, "running");
    remove(id);
  }
});

test("of two deletes at once, one deletes and one finds nothing", async () => {
  for (let round = 0; round < 5; round += 1) {
    const id = create(sleeper());
    assert.equal(losers(await race(2, "delete", id)), ["container does not exist"]);
  }
});

test("a delete that finds another one at its last file waits for its end", async () => {
  const id = room.newId();
  const directory = join(room.directory, "state", id);
  mkdirSync(directory, { recursive: true });
  const other = Bun.spawn(["flock", directory, "sh", "-c", `echo; sleep 1; rmdir ${directory}`], {
    stdout: "pipe",
  });
  await other.stdout.getReader().read();
  const { status, stderr } = room.tsRunc(["delete", id]);
  assert.is(status, 1);
  assert.equal(logMessages(stderr), ["container does not exist"]);
  assert.is(await other.exited, 0);
});

test("of many creates of one id, exactly one wins", async () => {
  const { directory } = sleeper();
  const id = room.newId();
  const outcomes = await race(slowness === 1 ? 100 : 8, "create", "--bundle", directory, id);
  assert.equal(losers(outcomes), ["runc create failed: container with given ID already exists"]);
  assert.is(room.state(id)?.status, "created");
  remove(id);
});

test("--preserve-fds refuses a descriptor that the caller has not opened, whoever has taken its number since", () => {
  const bundle = room.makeBundle({ process: { args: ["ls", "-l", "/proc/self/fd"] } });
  for (const [count, missing, open] of [
    ["1", 3, ""],
    ["3", 3, "4</dev/zero 5</dev/zero"],
    ["3", 5, "3</dev/zero 4</dev/zero"],
  ] as const) {
    const argv = ["--preserve-fds", count, "--bundle", bundle.directory, room.newId()];
    for (const command of ["create", "run"]) {
      const script = `exec 3<&- 4<&- 5<&- ${open}; exec "$@"`;
      const { status, stdout, stderr } = runBriefly([
        ...["sh", "-c", script, "sh", ...room.command(command, ...argv)],
      ]);
      assert.is(status, 1, stdout);
      assert.match(stderr, new RegExp(`unable to preserve fd ${missing}`));
    }
  }
});

test("a started container keeps the descriptors that create was given", () => {
  const args = ["sh", "-c", "cat <&3 >/tmp/read; ls /proc/self/fd >/tmp/list"];
  const bundle = room.makeBundle({ process: { args } });
  const file = join(room.directory, "passed");
  writeFileSync(file, "through create");
  const id = room.newId();
  const command = room.command("create", "--preserve-fds", "1", "--bundle", bundle.directory, id);
  const made = runBriefly(["sh", "-c", `exec 3<${file}; exec "$@"`, "sh", ...command]);
  assert.is(made.status, 0, made.stderr);
  assert.is(room.tsRunc(["start", id]).status, 0);
  return until(() => room.state(id)?.status === "stopped").then(() => {
    assert.is(readFileSync(join(bundle.rootfs, "tmp/read"), "utf8"), "through create");
    assert.is(readFileSync(join(bundle.rootfs, "tmp/list"), "utf8"), "0\n1\n2\n3\n4\n");
    remove(id);
  });
});

test("LISTEN_FDS tells the program of its descriptors, and nothing else of the caller's environment", () => {
  const bundle = room.makeBundle({ process: { args: ["env"] } });
  const hostile = {
    BUN_OPTIONS: "--smol",
    BUN_INSPECT_NOTIFY: "unix:///x",
    SECRET: "x",
    NODE_OPTIONS: "--y",
  };
  const plain = run(bundle, { env: { PATH: process.env["PATH"] ?? "", ...hostile } });
  assert.is(plain.stdout, "PATH=/bin\nHOME=/\n", plain.stderr);
  const command = room.command("run", "--bundle", bundle.directory, room.newId());
  const listening = runBriefly(
    ["sh", "-c", `exec 3</dev/null; export LISTEN_PID=$$; exec "$@"`, "sh", ...command],
    {
      env: { PATH: process.env["PATH"] ?? "", LISTEN_FDS: "1" },
    },
  );
  assert.is(listening.stdout, "PATH=/bin\nHOME=/\nLISTEN_FDS=1\nLISTEN_PID=1\n");
});

test("a program starts with default signals, an empty mask and the caller's limit of files", () => {
  const args = ["grep", "-E", "^Sig(Ign|Blk|Cgt)|^Shd", "/proc/self/status"];
  const bundle = room.makeBundle({ process: { args } });
  // The caller ignores some and blocks none; nohup and CI systems do so.
  const command = room.command("run", "--bundle", bundle.directory, room.newId());
  const ignoring = `trap '' HUP INT PIPE USR1; "$@"`;
  const { stdout, stderr } = runBriefly(["sh", "-c", ignoring, "sh", ...command]);
  const zero = "\t0000000000000000\n";
  assert.is(stdout, `ShdPnd:${zero}SigBlk:${zero}SigIgn:${zero}SigCgt:${zero}`, stderr);
  const limits = room.makeBundle({ process: { args: ["sh", "-c", "ulimit -Sn; ulimit -Hn"] } });
  const limited = room.command("run", "--bundle", limits.directory, room.newId());
  // Nothing of it is left in another process: the runtime's parent has its own limit.
  const script = `ulimit -Sn 700; ulimit -Hn 900; exec "$@"`;
  assert.is(runBriefly(["sh", "-c", script, "sh", ...limited]).stdout, "700\n900\n");
});

test("later edits of config.json have no effect on a created container", async () => {
  const bundle = room.makeBundle({ process: { args: ["sh", "-c", "echo first >/tmp/said"] } });
  const id = create(bundle);
  writeFileSync(join(bundle.directory, "config.json"), "{}");
  assert.is(room.tsRunc(["start", id]).status, 0);
  await until(() => room.state(id)?.status === "stopped");
  assert.is(readFileSync(join(bundle.rootfs, "tmp/said"), "utf8"), "first\n");
  remove(id);
});

test("list shows what there is, and a directory that is none of ours does no harm", () => {
  const id = create(sleeper());
  assert.is(room.tsRunc(["list", "-q"]).stdout, `${id}\n`);
  const [entry] = JSON.parse(room.tsRunc(["list", "--format", "json"]).stdout);
  assert.equal([entry.id, entry.status, entry.pid], [id, "created", pidOf(id)]);
  remove(id);
  assert.is(room.tsRunc(["list", "-q"]).stdout, "");
});

test("nothing of all these lives is left", async () => {
  assert.equal(await room.leftovers(), []);
  assert.ok(readdirSync(room.directory).length > 0 && executable !== "");
});

test.after(() => room.remove());

test.run();
