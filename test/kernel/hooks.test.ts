// Hooks beside Debian's runc: when, where and as whom they run, what they are told, and what becomes of a container whose
// hook fails; for hooks that make trouble see hook-troubles.test.ts. Needs root.

import { chmodSync, chownSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { HookPoint } from "../../src/spec/types.ts";
import { logMessages, type Outcome, runc } from "../cli/executable.ts";
import {
  type HookChange,
  hook,
  makeHookBundle,
  path,
  points,
  types,
} from "../support/hook-bundle.ts";
import { comparableGroups } from "../support/hybrid-host.ts";
import { type Bundle, openRoom, type RuntimeName } from "../support/room.ts";

const test = suite("kernel/hooks");
const room = openRoom("hooks");
if (runc === undefined) console.log("skip: beside runc: it is not installed");
const beside = runc === undefined ? test.skip : test;

const makeBundle = (change: HookChange): Bundle => makeHookBundle(room, change);

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
    const script = `umask 027; ulimit -Sn 555; exec "$@"`;
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
    // open files, and on v2 the limit of locked memory that it lifts for its device program; its last hooks find the directory
    // of the caller.
    const comparable = (text: string | undefined): string =>
      comparableGroups(text ?? "")
        .replace('"status":"running"', '"status":"created"')
        .replace(/^(descriptors|Max open files) .*$/gm, "")
        .replace(/Max locked memory \S+ \S+ /, "")
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

test("who is told that a hook has failed finds the container's processes dead", () => {
  // Memory takes its time to be given back, and init, to whose namespace it belongs, ends last.
  const args = ["sh", "-c", "dd if=/dev/zero bs=192M count=1 | sleep 100"];
  const filled = "grep -q '^VmRSS:.*[0-9]\\{6\\} kB' $(grep -l '^Name:.dd$' /proc/[0-9]*/status)";
  const hooks = {
    poststart: [hook(`until ${filled} 2>/dev/null; do sleep 0.1; done; exit 3`, { timeout: 60 })],
  };
  const bundle = makeBundle({ hooks, process: { args } });
  const id = room.newId();
  assert.is(room.tsRunc(["create", "-b", bundle.directory, id]).status, 0);
  const pid = room.state(id)?.pid;
  const { status, stderr } = room.tsRunc(["start", id]);
  assert.is(status, 1);
  assert.match(stderr, "exit status 3");
  assert.ok(!existsSync(`/proc/${pid}/stat`) || isZombie(pid), "init has not ended");
  assert.is(room.tsRunc(["delete", id]).status, 0);
});

function isZombie(pid: number | undefined): boolean {
  return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
}

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
