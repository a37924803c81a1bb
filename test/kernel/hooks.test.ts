// Hooks beside Debian's runc: when, where and as whom they run, what they are told, and what becomes of those that fail, hang,
// flood or leave something behind. Needs root.

import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { HookPoint } from "../../src/spec/types.ts";
import { logMessages, type Outcome, runc } from "../cli/executable.ts";
import { type Bundle, openRoom, type RuntimeName, runBriefly, slowness } from "../support/room.ts";

const test = suite("kernel/hooks");
const room = openRoom("hooks");
if (runc === undefined) console.log("skip: beside runc: it is not installed");
const beside = runc === undefined ? test.skip : test;
const strace = existsSync("/usr/bin/strace");
if (!strace) console.log("skip: a slow reader: there is no strace");
const traced = strace ? test : test.skip;

const points: readonly HookPoint[] = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
];
const types = ["pid", "mount", "uts", "ipc", "network"];
const path = "PATH=/usr/bin:/bin";

/** A shell's hook; `script` is what it does. */
function hook(script: string, more: object = {}): object {
  return { path: "/bin/sh", args: ["sh", "-c", script], env: [path], ...more };
}

type Change = {
  readonly hooks: object;
  readonly namespaces?: readonly object[];
  readonly linux?: object;
  readonly process?: object;
  readonly annotations?: object;
};

function makeBundle({ hooks, linux, process, ...change }: Change): Bundle {
  const namespaces = change.namespaces ?? types.map((type) => ({ type }));
  const { annotations = { "org.example": "value" } } = change;
  const args = ["sh", "-c", "echo program; exit 5"];
  const bundle = room.makeBundle({
    annotations,
    hooks,
    process: { args, ...process },
    linux: { namespaces, ...linux },
  });
  mkdirSync(join(bundle.rootfs, "log"));
  chmodSync(join(bundle.rootfs, "log"), 0o777);
  return bundle;
}

/** What every hook says of itself, into a file that the container and the host can both reach. */
function teller(name: string, directory: string): string {
  return [
    `exec > ${directory}/${name} 2>&1`,
    "echo state $(cat)",
    "echo directory $(pwd -P)",
    `echo root $(test -e ${room.directory} && echo the host\\'s || echo its own)`,
    "for one in mnt pid uts net; do echo $one $(readlink /proc/self/ns/$one); done",
    "grep -E '^(Umask|Uid|Gid|Groups|Cap|NoNewPrivs|Sig|Cpus_allowed)' /proc/self/status",
    "echo limits $(grep -v 'Max open files' /proc/self/limits)",
    "grep 'Max open files' /proc/self/limits",
    "echo ready to be killed $(cat /proc/self/oom_score_adj)",
    "echo groups $(cat /proc/self/cgroup)",
    "echo named $(cat /proc/sys/kernel/hostname)",
    "echo descriptors $(ls /proc/self/fd | tr '\\n' ' ')",
    "echo environment $(tr '\\0' ' ' < /proc/self/environ)",
  ].join("\n");
}

function tellingHooks(of: (point: HookPoint) => string): object {
  return Object.fromEntries(points.map((point) => [point, [hook(of(point))]]));
}

function logOf(bundle: Bundle): (point: HookPoint) => string {
  return (point) => (point === "startContainer" ? "/log" : join(bundle.rootfs, "log"));
}

/** What the hooks of a life have said, with what differs from one container to the next taken out. */
function readTales(runtime: RuntimeName, hostNamespaces: string): Readonly<Record<string, string>> {
  const bundle = makeBundle({ hooks: {}, process: tellingProcess });
  const config = JSON.parse(readFileSync(join(bundle.directory, "config.json"), "utf8"));
  const log = logOf(bundle);
  const hooks = tellingHooks((point) => teller(point, log(point)));
  writeFileSync(join(bundle.directory, "config.json"), JSON.stringify({ ...config, hooks }));
  const id = room.newId();
  const ask = (...argv: readonly string[]): Outcome => {
    // As a caller with habits of its own.
    const script = `umask 027; ulimit -Sn 555; "$@"; exit $?`;
    const stdio = ["ignore", "ignore", "ignore"] as const;
    const asked = ["sh", "-c", script, "sh", ...room.commandOf(runtime, ...argv)];
    const { exitCode } = Bun.spawnSync(asked, { stdio: [...stdio] });
    return { status: exitCode, stdout: "", stderr: "" };
  };
  assert.is(ask("create", "-b", bundle.directory, id).status, 0);
  assert.is(ask("start", id).status, 0);
  assert.is(ask("delete", "--force", id).status, 0);
  return Object.fromEntries(
    points.map((point) => {
      const text = readFileSync(join(bundle.rootfs, "log", point), "utf8")
        .replaceAll(bundle.directory, "BUNDLE")
        .replaceAll(id, "ID")
        .replace(/"ociVersion":"[^"]*"/, "VERSION")
        .replace(/^Shd.*$/m, "")
        .replace(/"pid":\d{2,}/, '"pid":MANY')
        .replace(/^(mnt|pid|uts|net) (\w+:\[\d+\])$/gm, (_, name, link) =>
          hostNamespaces.includes(link) ? `${name} the host's` : `${name} its own`,
        );
      return [point, text];
    }),
  );
}

const tellingProcess = {
  args: ["sleep", "100"],
  user: { uid: 1000, gid: 1000, additionalGids: [10] },
  capabilities: { bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"] },
  noNewPrivileges: true,
  oomScoreAdj: 77,
  rlimits: [{ type: "RLIMIT_CORE", soft: 0, hard: 0 }],
};

beside("all six are told the same, in the same places and as the same users, as by runc", () => {
  const names = ["mnt", "pid", "uts", "net"].map((name) => `/proc/self/ns/${name}`);
  const host = Bun.spawnSync(["readlink", ...names]).stdout.toString();
  const ours = readTales("ts-runc", host);
  const theirs = readTales("runc", host);
  for (const point of points) {
    // runc 1.1.5 runs poststart hooks at create; what leaks into a hook of init are its own descriptors, and Go's limit of
    // open files; its last hooks find the directory of the caller.
    const comparable = (text: string | undefined): string =>
      (text ?? "")
        .replace('"status":"running"', '"status":"created"')
        .replace(/^(descriptors|Max open files) .*$/gm, "")
        .replace(point === "poststop" ? /^directory .*$/m : /$^/, "");
    assert.is(comparable(ours[point]), comparable(theirs[point]), point);
    assert.match(ours[point] ?? "", /^descriptors 0 1 2 3 ?$/m, point);
    assert.match(ours[point] ?? "", /^Max open files +555 /m, point);
  }
  assert.match(ours["poststop"] ?? "", /^directory BUNDLE$/m);
  assert.match(ours["poststart"] ?? "", /"status":"running"/);
});

test("they run in the order of the lifecycle and of their lists", () => {
  const bundle = makeBundle({ hooks: {} });
  const config = JSON.parse(readFileSync(join(bundle.directory, "config.json"), "utf8"));
  const log = logOf(bundle);
  const hooks = Object.fromEntries(
    points.map((point) => [
      point,
      [1, 2].map((number) => hook(`echo ${point} ${number} >> ${log(point)}/order`)),
    ]),
  );
  writeFileSync(join(bundle.rootfs, "log/order"), "");
  writeFileSync(join(bundle.directory, "config.json"), JSON.stringify({ ...config, hooks }));
  const order = (): string => readFileSync(join(bundle.rootfs, "log/order"), "utf8");
  const lines = (...names: readonly HookPoint[]): string =>
    names.map((name) => `${name} 1\n${name} 2\n`).join("");
  const id = room.newId();
  assert.is(room.tsRunc(["create", "-b", bundle.directory, id]).status, 0);
  assert.is(order(), lines("prestart", "createRuntime", "createContainer"));
  assert.is(room.tsRunc(["start", id]).status, 0);
  assert.is(order(), lines(...points.slice(0, 5)));
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
  assert.is(order(), lines(...points));
});

function failing(point: HookPoint): Bundle {
  const script = "echo said; echo complained >&2; exit 3";
  return makeBundle({ hooks: { [point]: [hook(script), hook("touch /log/never")] } });
}

for (const point of points.filter((name) => name !== "poststop")) {
  beside(`a ${point} hook that fails ends the container, in runc's words`, async () => {
    const answers = (["ts-runc", "runc"] as const).map((runtime) => {
      const bundle = failing(point);
      const run = room.runtime(runtime, ["run", "-b", bundle.directory, room.newId()]);
      assert.not.ok(existsSync(join(bundle.rootfs, "log/never")));
      return { status: run.status, messages: logMessages(run.stderr).at(-1) ?? "" };
    });
    const [ours, theirs] = answers;
    assert.is(ours?.status, 1);
    assert.is(theirs?.status, 1);
    const wanted = `error running ${point} hook #0: error running hook: exit status 3, stdout: said\n, stderr: complained\n`;
    assert.match(ours?.messages ?? "", wanted);
    const early = ["prestart", "createRuntime", "createContainer"].includes(point);
    if (early) assert.is(ours?.messages.replace(`${point} hook #0`, "hook #0"), theirs?.messages);
    assert.equal(await room.leftoverProcesses(), []);
  });
}

test("whatever fails, the poststop hooks run, and nothing but their traces is left", () => {
  for (const point of points) {
    const bundle = makeBundle({ hooks: {} });
    const config = JSON.parse(readFileSync(join(bundle.directory, "config.json"), "utf8"));
    const note = hook(`echo stopped >> ${bundle.rootfs}/log/stop`);
    const hooks = { [point]: [hook("exit 1")], poststop: [note, note] };
    if (point === "poststop") hooks.poststop.unshift(hook("exit 1"));
    writeFileSync(join(bundle.directory, "config.json"), JSON.stringify({ ...config, hooks }));
    const id = room.newId();
    const { status, stderr } = room.tsRunc(["run", "-b", bundle.directory, id]);
    assert.is(status, point === "poststop" ? 5 : 1, `${point}: ${stderr}`);
    assert.is(readFileSync(join(bundle.rootfs, "log/stop"), "utf8"), "stopped\nstopped\n");
    assert.is(room.tsRunc(["state", id]).status, 1);
  }
});

test("a container that is started fails with its startContainer and poststart hooks", () => {
  for (const point of ["startContainer", "poststart"] as const) {
    const bundle = failing(point);
    const id = room.newId();
    assert.is(room.tsRunc(["create", "-b", bundle.directory, id]).status, 0);
    const { status, stderr } = room.tsRunc(["start", id]);
    assert.is(status, 1);
    assert.match(stderr, `error running ${point} hook #0`);
    assert.is(room.state(id)?.status, "stopped");
    assert.is(room.tsRunc(["delete", id]).status, 0);
  }
});

test("a hook that takes too long is killed, in the container as on the host", () => {
  for (const point of ["createRuntime", "createContainer", "startContainer"] as const) {
    const bundle = makeBundle({ hooks: { [point]: [hook("exec sleep 1000", { timeout: 1 })] } });
    const began = performance.now();
    const { status, stderr } = room.tsRunc(["run", "-b", bundle.directory, room.newId()]);
    assert.is(status, 1);
    assert.match(stderr, "hook ran past specified timeout of 1.0s", point);
    assert.ok(performance.now() - began < 10_000 * slowness);
  }
});

test("a hook that leaves something behind does not keep the container waiting", () => {
  const began = performance.now();
  const bundle = makeBundle({ hooks: { createRuntime: [hook("sleep 20 & echo $! > log")] } });
  const { status, stdout } = room.tsRunc(["run", "-b", bundle.directory, room.newId()]);
  process.kill(Number(readFileSync(join(bundle.directory, "log"), "utf8")), "SIGKILL");
  assert.is(status, 5);
  assert.is(stdout, "program\n");
  assert.ok(performance.now() - began < 15_000);
});

traced("what a hook has left behind may write for ever", () => {
  const writer = "timeout 60 dd if=/dev/zero bs=64k 2> /dev/null & echo $! >> writers;";
  const bundle = makeBundle({
    hooks: { createRuntime: [hook(`${writer.repeat(4)} sleep 0.5; exit 1`)] },
  });
  const began = performance.now();
  // So slow a reader always finds something more to be read.
  const slowly = ["strace", "-o", "/dev/null", "-e", "inject=ppoll:delay_exit=5000"];
  const run = room.command("run", "-b", bundle.directory, room.newId());
  const { status, stderr } = runBriefly([...slowly, ...run]);
  const writers = readFileSync(join(bundle.directory, "writers"), "utf8").trim().split("\n");
  for (const pid of writers.map(Number).filter(isThere)) process.kill(pid, "SIGKILL");
  assert.is(status, 1);
  assert.match(stderr, "error running hook: exit status 1");
  assert.ok(performance.now() - began < 15_000 * slowness);
});

function isThere(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

test("of a hook that floods, the end is kept", () => {
  const flood = "yes | dd bs=1M count=20 iflag=fullblock 2> /dev/null; echo the end; exit 1";
  const bundle = makeBundle({ hooks: { createRuntime: [hook(flood)] } });
  const { status, stderr } = room.tsRunc(["run", "-b", bundle.directory, room.newId()]);
  assert.is(status, 1);
  assert.match(stderr, /the end\\n, stderr: "$/m);
  assert.ok(stderr.length < 200_000, `${stderr.length}`);
});

beside("a hook that cannot be executed, or is killed, is told of in runc's words", () => {
  const unreadable = join(room.directory, "no-format");
  writeFileSync(unreadable, "neither a program nor a script");
  chmodSync(unreadable, 0o755);
  const answer = (runtime: RuntimeName, point: HookPoint, one: object): string => {
    const bundle = makeBundle({ hooks: { [point]: [one] } });
    const run = room.runtime(runtime, ["run", "-b", bundle.directory, room.newId()]);
    assert.is(run.status, 1);
    // What runc's init says of a startContainer hook, it says on its own.
    const said = logMessages(run.stderr).at(-1) ?? run.stderr;
    return said.replace(/^.*?(\w+ )?hook #0: /s, "").trim();
  };
  const paths = ["/no/such/hook", "/etc", unreadable, "/etc/passwd/x"];
  const hooks = [
    ...paths.map((path) => ({ path })),
    ...["HUP", "KILL", "USR1", "SYS"].map((signal) => hook(`kill -${signal} $$`)),
  ];
  for (const point of ["createRuntime", "createContainer"] as const) {
    for (const one of hooks) {
      const [ours, theirs] = [answer("ts-runc", point, one), answer("runc", point, one)];
      assert.is(ours, theirs, `${point}: ${JSON.stringify(one)}`);
    }
  }
  const inside = answer("ts-runc", "startContainer", { path: "/no/such/hook" });
  assert.is(inside, "fork/exec /no/such/hook: no such file or directory");
});

test("a hook without arguments has its path as the first one", () => {
  const copy = join(room.directory, "shows-arguments");
  writeFileSync(copy, "#!/bin/sh\ntr '\\0' ' ' < /proc/$$/cmdline > given\n");
  chmodSync(copy, 0o755);
  for (const more of [{}, { args: [] }]) {
    const hooks = { createRuntime: [{ path: copy, env: [path], ...more }] };
    const bundle = makeBundle({ hooks });
    assert.is(room.tsRunc(["run", "-b", bundle.directory, room.newId()]).status, 5);
    const given = readFileSync(join(bundle.directory, "given"), "utf8");
    assert.is(given, `/bin/sh ${copy} `);
  }
  // busybox looks at its first argument for what it is.
  const hooks = { startContainer: [{ path: "/bin/true", args: [] }] };
  const bundle = makeBundle({ hooks });
  assert.is(room.tsRunc(["run", "-b", bundle.directory, room.newId()]).status, 5);
});

test("a hook may ask for anything: what cannot be done while it runs is refused, and does not wait for it", () => {
  const answers = join(room.directory, "answers");
  const id = room.newId();
  const ask = (...argv: readonly string[]): string =>
    `${room.command(...argv).join(" ")} >> ${answers} 2>&1; echo ${argv[0]} $? >> ${answers}`;
  const asked = [
    ask("update", "--pids-limit", "77", id),
    ask("start", id),
    ask("delete", id),
    ask("state", id),
  ];
  const bundle = makeBundle({
    hooks: { createRuntime: [hook(asked.join("\n"), { timeout: 60 })] },
    process: { args: ["sleep", "100"] },
  });
  assert.is(room.tsRunc(["create", "-b", bundle.directory, id]).status, 0);
  const said = readFileSync(answers, "utf8");
  for (const command of ["update", "start", "delete"]) assert.match(said, `${command} 1\n`);
  assert.is(said.split("container is still being created").length - 1, 3);
  assert.match(said, "state 0\n");
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
});

test("a poststart hook may change the container, and have it deleted", () => {
  for (const verbs of ["create, start", "run", "run --detach"]) {
    for (const code of [0, 1]) {
      const id = room.newId();
      const ask = (...argv: readonly string[]): string => room.command(...argv).join(" ");
      const changes = `${ask("update", "--pids-limit", "77", id)} && ${ask("delete", "--force", id)}`;
      const bundle = makeBundle({
        hooks: { poststart: [hook(`${changes} || exit 9; exit ${code}`, { timeout: 60 })] },
        process: { args: ["sleep", "100"] },
      });
      const [verb = ""] = verbs.split(/,? /);
      const flags = verbs.endsWith("--detach") ? ["--detach"] : [];
      const made = room.tsRunc([verb, ...flags, "-b", bundle.directory, id]);
      const { status, stderr } = verb === "create" ? room.tsRunc(["start", id]) : made;
      assert.is(status, code === 0 && verbs === "run" ? 137 : code, `${verbs} ${stderr}`);
      if (code === 1) assert.match(stderr, "hook: exit status 1", verbs);
      assert.is(room.state(id), undefined);
    }
  }
});

test("in a pid namespace of somebody else's, hooks of the container are told its number there", () => {
  const other = makeBundle({ hooks: {}, process: { args: ["sleep", "100"] } });
  const otherId = room.newId();
  assert.is(room.tsRunc(["create", "-b", other.directory, otherId]).status, 0);
  const pidNamespace = `/proc/${room.state(otherId)?.pid}/ns/pid`;
  const rest = types.filter((type) => type !== "pid").map((type) => ({ type }));
  const bundle = makeBundle({
    hooks: {},
    namespaces: [{ type: "pid", path: pidNamespace }, ...rest],
  });
  const config = JSON.parse(readFileSync(join(bundle.directory, "config.json"), "utf8"));
  const log = logOf(bundle);
  const script = (point: HookPoint): string => `cat > ${log(point)}/${point}`;
  const hooks = {
    createContainer: [hook(script("createContainer"))],
    startContainer: [hook(script("startContainer"))],
  };
  config.process.args = ["sh", "-c", "echo $$; exit 5"];
  writeFileSync(join(bundle.directory, "config.json"), JSON.stringify({ ...config, hooks }));
  const { status, stdout } = room.tsRunc(["run", "-b", bundle.directory, room.newId()]);
  assert.is(status, 5);
  for (const point of ["createContainer", "startContainer"]) {
    const told = JSON.parse(readFileSync(join(bundle.rootfs, "log", point), "utf8"));
    assert.is(`${told.pid}\n`, stdout, point);
  }
  assert.is(room.tsRunc(["delete", "--force", otherId]).status, 0);
});

test("in a user namespace those of the container are its root's, and those of the host the host's", () => {
  const maps = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  const bundle = makeBundle({
    hooks: {},
    namespaces: [...types, "user"].map((type) => ({ type })),
    linux: { uidMappings: maps, gidMappings: maps },
  });
  const config = JSON.parse(readFileSync(join(bundle.directory, "config.json"), "utf8"));
  const log = logOf(bundle);
  const hooks = tellingHooks(
    (point) =>
      `{ id -u; cat /proc/self/uid_map; grep CapEff /proc/self/status; } > ${log(point)}/${point}`,
  );
  writeFileSync(join(bundle.directory, "config.json"), JSON.stringify({ ...config, hooks }));
  for (const name of ["", "dev", "log"]) chownSync(join(bundle.rootfs, name), 100_000, 100_000);
  const { status, stderr } = room.tsRunc(["run", "-b", bundle.directory, room.newId()]);
  assert.is(status, 5, stderr);
  const said = (point: HookPoint): string =>
    readFileSync(join(bundle.rootfs, "log", point), "utf8").replace(/ +/g, " ");
  for (const point of ["prestart", "createRuntime", "poststart", "poststop"] as const) {
    assert.match(said(point), /^0\n 0 0 4294967295\n/, point);
  }
  assert.match(said("createContainer"), /^0\n 0 100000 65536\nCapEff:\t0+1f+$/m);
  assert.match(said("startContainer"), /^0\n 0 100000 65536\nCapEff:\t0+$/m);
});

test("a container without namespaces of its own has hooks, too", () => {
  const log = join(room.directory, "without");
  const note = (name: string): object => hook(`echo ${name} >> ${log}`);
  const bundle = makeBundle({
    hooks: { createRuntime: [note("runtime")], createContainer: [note("container")] },
    namespaces: [],
  });
  const { status, stderr } = room.tsRunc(["run", "-b", bundle.directory, room.newId()]);
  assert.is(status, 5, stderr);
  assert.is(readFileSync(log, "utf8"), "runtime\ncontainer\n");
});

test("what hooks write goes to the files that crun's annotations name", () => {
  const [output, errors] = [join(room.directory, "hook-out"), join(room.directory, "hook-err")];
  const bundle = makeBundle({
    hooks: tellingHooks((point) => `echo ${point}; echo not ${point} >&2`),
    annotations: { "run.oci.hooks.stdout": output, "run.oci.hooks.stderr": errors },
  });
  assert.is(room.tsRunc(["run", "-b", bundle.directory, room.newId()]).status, 5);
  assert.is(readFileSync(output, "utf8"), points.map((point) => `${point}\n`).join(""));
  assert.is(readFileSync(errors, "utf8"), points.map((point) => `not ${point}\n`).join(""));
});

test("hooks get nothing of what the container is given, nor of our environment", () => {
  const bundle = makeBundle({
    hooks: {
      createRuntime: [
        {
          path: "/bin/sh",
          args: [
            "sh",
            "-c",
            "ls /proc/self/fd | tr '\\n' ' ' > fds; tr '\\0' '\\n' < /proc/$$/environ > env",
          ],
        },
      ],
    },
  });
  const run = room.command("run", "--preserve-fds", "2", "-b", bundle.directory, room.newId());
  const script = `exec 3< /dev/null 4< /dev/null; SECRET=1 ${run.join(" ")}`;
  assert.is(
    Bun.spawnSync(["sh", "-c", script], { stdio: ["ignore", "ignore", "ignore"] }).exitCode,
    5,
  );
  assert.is(readFileSync(join(bundle.directory, "fds"), "utf8").trim(), "0 1 2 3");
  assert.is(readFileSync(join(bundle.directory, "env"), "utf8"), "");
});

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
