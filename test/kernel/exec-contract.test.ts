// exec beside Debian's runc: the same containers, the same command lines, the same outputs, errors and exit statuses; and bad
// input, which leaves nothing. Needs root.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { logMessages, runc } from "../cli/executable.ts";
import { openExecRoom } from "../support/exec-room.ts";
import { type Bundle, type RuntimeName, until } from "../support/room.ts";

const test = suite("kernel/exec-contract");
const execRoom = openExecRoom("exec-contract");
const { room, startContainer, exec, outputOf, processFile } = execRoom;
const runtimes: readonly RuntimeName[] = ["ts-runc", "runc"];
if (runc === undefined) console.log("skip: beside runc: it is not installed");
const beside = runc === undefined ? test.skip : test;

type Answer = {
  readonly status: number;
  readonly stdout: string;
  readonly errors: readonly string[];
};

function ask(
  runtime: RuntimeName,
  argv: readonly string[],
  env: Record<string, string> = {},
): Answer {
  const path = { PATH: process.env["PATH"] ?? "" };
  const { status, stdout, stderr } = room.runtime(runtime, argv, { env: { ...path, ...env } });
  return { status, stdout, errors: logMessages(stderr) };
}

/** Starts a container of the bundle in each runtime, and returns the ids. */
function startBoth(bundle: Bundle): Readonly<Record<RuntimeName, string>> {
  const ids = { "ts-runc": room.newId(), runc: room.newId() };
  for (const runtime of runtimes) {
    const run = ["run", "-d", "--bundle", bundle.directory, ids[runtime]];
    assert.is(ask(runtime, run).status, 0);
  }
  return ids;
}

function removeBoth(ids: Readonly<Record<RuntimeName, string>>): void {
  for (const runtime of runtimes) {
    assert.is(ask(runtime, ["delete", "--force", ids[runtime]]).status, 0);
  }
}

const identity =
  "grep -E '^(Uid|Gid|Groups|Umask|Cap...|NoNewPrivs|Seccomp):' /proc/self/status; cat /proc/self/oom_score_adj /proc/self/limits; env | sort; cd .; ls -ld .";
const killCap = ["CAP_KILL", "CAP_CHOWN"];
const container = {
  process: {
    args: ["sleep", "1000"],
    env: ["PATH=/bin", "OWN=1"],
    user: { uid: 0, gid: 0, additionalGids: [5] },
    capabilities: { bounding: killCap, effective: killCap, permitted: killCap },
    rlimits: [
      { type: "RLIMIT_NOFILE", soft: 1000, hard: 1000 },
      { type: "RLIMIT_CORE", soft: 11, hard: 12 },
    ],
    oomScoreAdj: 10,
    noNewPrivileges: true,
  },
};
/** Limits are named, because runc's process is given Go's limit of files otherwise. */
const given = { cwd: "/tmp", env: ["PATH=/bin"], rlimits: container.process.rlimits };

/** Command lines between `exec` and the id, and behind the id. */
const lines: readonly (readonly [options: readonly string[], rest: readonly string[]])[] = [
  [[], ["sh", "-c", identity]],
  [
    ["-u", "1000"],
    ["sh", "-c", identity],
  ],
  [
    ["--user", "1000:1001", "-g", "7", "-g", "8"],
    ["sh", "-c", identity],
  ],
  [
    ["-c", "CAP_SYS_ADMIN", "-c", "CAP_NET_RAW"],
    ["sh", "-c", identity],
  ],
  [
    ["--no-new-privs=false", "--cwd", "/tmp"],
    ["sh", "-c", identity],
  ],
  [
    ["-e", "OWN=2", "-e", "A=b,c", "-e", "HOME="],
    ["sh", "-c", identity],
  ],
  [["--tty=false"], ["sh", "-c", "test -t 0; echo $?"]],
  [[], ["sh", "-c", "echo out; echo err >&2; exit 42"]],
  [[], ["sh", "-c", "kill -TERM $$"]],
  [["--"], ["true"]],
  [[], ["--", "true"]],
  [[], ["absent"]],
  [[], ["/absent"]],
  [[], ["/etc/plain"]],
  [[], ["./absent"]],
  [[], [""]],
  [["--cwd", "relative"], ["true"]],
  [["-t", "-d"], ["true"]],
  [["--console-socket", "/absent", "-d"], ["true"]],
  [["--cgroup", ".."], ["true"]],
  [["--cgroup", "x:y"], ["true"]],
  [["--cgroup", "cpu:/", "--cgroup", "b"], ["true"]],
  [["--cgroup", "/"], ["true"]],
  [["-p", "FILE"], []],
  [["-p", "USER"], []],
  [["-p", "FILE", "-e", "X=1", "-u", "99", "--cwd", "/absent", "-c", "CAP_SYS_ADMIN"], ["absent"]],
  [["-p", "EMPTY"], []],
  [["-p", "RELATIVE"], []],
];

/** What runc 1.1.5 says otherwise, or says more of. */
function alike(runtime: RuntimeName, answer: Answer): Answer {
  const errors = answer.errors.map((error) =>
    error
      // All that is wrong with a document is said at once, with the place.
      .replace(
        /^exec failed: \S+ is not valid: .*(args must not be empty|Cwd must be an absolute path).*$/,
        "exec failed: $1",
      )
      .replace("unable to create new parent process: ", "")
      // Go's errors for an empty name differ from those of exec(3).
      .replace(/stat : no such file or directory$/, "executable file not found in $PATH"),
  );
  const stdout = answer.stdout.replace(/Max open files .*\n/, "");
  return runtime === "runc" ? { ...answer, stdout, errors } : { ...answer, stdout, errors };
}

beside("the same command lines have runc's outputs, errors and exit statuses", () => {
  const bundle = room.makeBundle(container);
  writeFileSync(join(bundle.rootfs, "etc/plain"), "", { mode: 0o644 });
  const documents: Readonly<Record<string, string>> = {
    FILE: processFile({ ...given, args: ["sh", "-c", identity] }),
    USER: processFile({
      ...given,
      args: ["sh", "-c", identity],
      user: { uid: 3, gid: 4, additionalGids: [5, 6] },
      capabilities: {
        bounding: ["CAP_KILL"],
        inheritable: ["CAP_KILL"],
        permitted: ["CAP_KILL"],
        ambient: ["CAP_KILL"],
      },
      noNewPrivileges: true,
    }),
    EMPTY: processFile({ ...given, args: [] }),
    RELATIVE: processFile({ ...given, args: ["true"], cwd: "tmp" }),
  };
  const ids = startBoth(bundle);
  using undo = new DisposableStack();
  undo.defer(() => removeBoth(ids));
  let shown = 0;
  for (const [options, rest] of lines) {
    const [ours, theirs] = runtimes.map((runtime) => {
      const resolved = options.map((option) => documents[option] ?? option);
      return alike(runtime, ask(runtime, ["exec", ...resolved, ids[runtime], ...rest]));
    });
    assert.equal(ours, theirs, `exec ${[...options, "ID", ...rest].join(" ")}`);
    if (ours?.status === 0 && /NoNewPrivs[\s\S]*Max core[\s\S]*PATH/.test(ours.stdout)) shown += 1;
  }
  // Otherwise nothing has been compared.
  assert.is(shown, 9);
});

/** Freezes or thaws a container's group, as `pause` does. */
function setFrozen(runtime: RuntimeName, id: string, frozen: boolean): void {
  const folder = runtime === "runc" ? "runc-state" : "state";
  const record = readFileSync(join(room.directory, folder, id, "state.json"), "utf8");
  const { cgroup_paths: paths } = JSON.parse(record);
  if (paths.freezer === undefined) {
    writeFileSync(join(paths[""], "cgroup.freeze"), frozen ? "1" : "0");
  } else writeFileSync(join(paths.freezer, "freezer.state"), frozen ? "FROZEN" : "THAWED");
}

beside("created, running, paused, stopped and missing containers answer as runc's", async () => {
  const bundle = room.makeBundle(container);
  const answers = await Promise.all(
    runtimes.map(async (runtime) => {
      const id = room.newId();
      const attempt = (...options: readonly string[]): Answer =>
        ask(runtime, ["exec", ...options, id, "echo", "ran"]);
      const missing = attempt();
      assert.is(ask(runtime, ["create", "--bundle", bundle.directory, id]).status, 0);
      const created = attempt();
      assert.is(ask(runtime, ["start", id]).status, 0);
      const running = attempt();
      setFrozen(runtime, id, true);
      await until(() => JSON.parse(ask(runtime, ["state", id]).stdout).status === "paused");
      const paused = attempt();
      setFrozen(runtime, id, false);
      const ignoring = attempt("--ignore-paused");
      assert.is(ask(runtime, ["kill", id, "KILL"]).status, 0);
      await until(() => JSON.parse(ask(runtime, ["state", id]).stdout).status === "stopped");
      const stopped = attempt();
      assert.is(ask(runtime, ["delete", id]).status, 0);
      return { missing, created, running, paused, ignoring, stopped };
    }),
  );
  const [ours, theirs] = answers;
  assert.equal(ours, theirs);
  assert.is(ours?.paused.status, 255);
  assert.is(ours?.created.stdout, "ran\n");
});

test("with --ignore-paused the program waits until the container goes on", async () => {
  const id = startContainer();
  setFrozen("ts-runc", id, true);
  await until(() => room.state(id)?.status === "paused");
  const child = Bun.spawn(room.command("exec", "--ignore-paused", id, "echo", "ran"), {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const early = await Promise.race([child.exited, Bun.sleep(300).then(() => "waits")]);
  assert.is(early, "waits");
  setFrozen("ts-runc", id, false);
  assert.is(await new Response(child.stdout).text(), "ran\n");
  assert.is(await child.exited, 0);
});

test("bad input is refused with status 255, a reason, and nothing that goes on", () => {
  const id = startContainer();
  const file = (text: unknown): readonly string[] => ["-p", processFile(text), id];
  const good = { args: ["true"], cwd: "/" };
  const cases: readonly (readonly [argv: readonly string[], words: RegExp])[] = [
    [[id], /exec args cannot be empty/],
    [["-p", "/absent.json", id], /reading the process: openat "\/absent.json": no such file/],
    [["-p", "/", id], /is a directory/],
    [file(""), /process\d+\.json: /],
    [file("{"), /process\d+\.json: /],
    [file("[]"), /is not valid/],
    [file("null"), /is not valid/],
    [file({}), /is not valid/],
    [file({ args: ["true"] }), /cwd/],
    [file({ cwd: "/", args: [1] }), /\/args\/0/],
    [
      file({ cwd: "tmp", args: [], rlimits: [{ type: "RLIMIT_X", soft: 1, hard: 0 }] }),
      /Cwd must be an absolute path.*args must not be empty.*unknown type.*soft limit/,
    ],
    [file({ ...good, user: { uid: -1 } }), /\/user\/uid/],
    [file({ ...good, user: { uid: 4294967295 } }), /is not an id/],
    [file({ ...good, args: ["a\u0000b"] }), /NUL/],
    [file({ ...good, cwd: "/absent" }), /chdir "\/absent": no such file or directory/],
    [["--cwd", "/absent", id, "true"], /chdir "\/absent": no such file or directory/],
    [["--cwd", "/bin/sh", id, "true"], /chdir "\/bin\/sh": not a directory/],
    [["-u", "1:", id, "true"], /invalid --user/],
    [["--preserve-fds", "-1", id, "true"], /out of range/],
    [["--preserve-fds", "9999999999", id, "true"], /out of range/],
    [["--pid-file", "/absent/x", id, "true"], /writing the pid file.*no such file/],
    [["--cgroup", "a", "--cgroup", "b", id, "true"], /missing <controller>/],
    [[id, "x".repeat(5000)], /executable file not found/],
    [file({ ...good, args: ["/bin/true", "x".repeat(131_072)] }), /argument list too long/],
  ];
  for (const [argv, words] of cases) {
    const { status, stdout, stderr } = exec(...argv);
    const shown = argv.map((argument) => argument.slice(0, 40)).join(" ");
    assert.is(status, 255, shown);
    assert.is(stdout, "", shown);
    assert.match(logMessages(stderr).at(-1) ?? "", words, shown);
    assert.match(logMessages(stderr).at(-1) ?? "", /^exec failed: /);
  }
  const running = outputOf(id, "sh", "-c", "cat /proc/[0-9]*/comm");
  assert.not.match(running, /ts-runc|true/);
});

test("unknown capabilities are warned of, and the program runs without them", () => {
  const id = startContainer();
  const { status, stderr } = exec("--cap", "CAP_NOPE", "--cap", "SYS_ADMIN", id, "true");
  assert.is(status, 0);
  assert.match(
    stderr,
    /level=warning msg="ignoring unknown or unavailable capabilities: \[CAP_NOPE SYS_ADMIN\]"/,
  );
});

test("the last line of the JSON log is the whole error", () => {
  const id = startContainer();
  const log = join(room.directory, "log.json");
  const { status, stderr } = room.tsRunc([
    "--log",
    log,
    "--log-format",
    "json",
    "exec",
    id,
    "absent",
  ]);
  assert.is(status, 255);
  const last = JSON.parse(readFileSync(log, "utf8").trim().split("\n").at(-1) ?? "");
  const message =
    'exec failed: unable to start container process: exec: "absent": executable file not found in $PATH';
  assert.is(last.level, "error");
  assert.is(last.msg, message);
  assert.is(stderr.trim(), message);
});

test("a container that is killed meanwhile ends the program, and is not waited for", async () => {
  const id = startContainer();
  const ready = join(room.directory, "ready");
  const child = Bun.spawn(room.command("exec", "--pid-file", ready, id, "sleep", "1000"), {
    stdio: ["ignore", "ignore", "inherit"],
  });
  await until(() => existsSync(ready));
  assert.is(room.tsRunc(["kill", id, "KILL"]).status, 0);
  assert.is(await child.exited, 137);
  const { status, stderr } = exec(id, "true");
  assert.is(status, 255);
  assert.match(stderr, /cannot exec in a stopped container/);
});

test("signals that we get in the foreground go to the program", async () => {
  const id = startContainer();
  for (const signal of ["SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP"] as const) {
    const ready = join(room.directory, `ready-${signal}`);
    const script = `trap 'exit 33' ${signal.slice(3)}; sleep 1000 & wait`;
    const child = Bun.spawn(room.command("exec", "--pid-file", ready, id, "sh", "-c", script), {
      stdio: ["ignore", "ignore", "inherit"],
    });
    await until(() => existsSync(ready));
    // The shell has to get as far as its trap.
    await Bun.sleep(200);
    child.kill(signal);
    assert.is(await child.exited, 33, signal);
  }
});

test("nothing is left behind", async () => {
  assert.equal(await execRoom.end(), []);
});

test.after(room.remove);

test.run();
