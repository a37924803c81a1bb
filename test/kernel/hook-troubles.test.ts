// Hooks that fail to run, hang, flood, leave something behind or call the runtime again. Needs root.

import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { HookPoint } from "../../src/spec/types.ts";
import { logMessages, runc } from "../cli/executable.ts";
import { type HookChange, hook, makeHookBundle } from "../support/hook-bundle.ts";
import {
  type Bundle,
  openRoom,
  type RuntimeName,
  runBriefly,
  slowness,
  until,
} from "../support/room.ts";

const test = suite("kernel/hook-troubles");
const room = openRoom("troubles");
if (runc === undefined) console.log("skip: beside runc: it is not installed");
const beside = runc === undefined ? test.skip : test;
const strace = existsSync("/usr/bin/strace");
if (!strace) console.log("skip: a slow reader: there is no strace");
const traced = strace ? test : test.skip;

const makeBundle = (change: HookChange): Bundle => makeHookBundle(room, change);

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

test("a hook may ask for anything: what cannot be done while it runs is refused, and does not wait for it", () => {
  const answers = join(room.directory, "answers");
  const id = room.newId();
  const ask = (...argv: readonly string[]): string =>
    `${room.command(...argv).join(" ")} >> ${answers} 2>&1; echo ${argv[0]} $? >> ${answers}`;
  const asked = [
    ask("update", "--pids-limit", "77", id),
    ask("start", id),
    ask("delete", id),
    ask("exec", id, "true"),
    ask("pause", id),
    ask("kill", id),
    ask("state", id),
  ];
  const bundle = makeBundle({
    hooks: { createRuntime: [hook(asked.join("\n"), { timeout: 60 })] },
    process: { args: ["sleep", "100"] },
  });
  assert.is(room.tsRunc(["create", "-b", bundle.directory, id]).status, 0);
  const said = readFileSync(answers, "utf8");
  for (const command of ["update", "start", "delete", "pause", "kill"]) {
    assert.match(said, `${command} 1\n`);
  }
  assert.match(said, "exec 255\n");
  assert.is(said.split("container is still being created").length - 1, 6);
  const state = /\n(\{.*\n\})state 0\n/s.exec(said)?.[1] ?? "";
  const { status, pid } = JSON.parse(state);
  assert.is(status, "creating");
  assert.is(pid, room.state(id)?.pid);
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
});

test("a container whose hooks hang can be seen, and deleted by force", async () => {
  for (const point of ["createRuntime", "createContainer"] as const) {
    const id = room.newId();
    const pidFile = join(room.directory, `pid-${id}`);
    // In the container it is a number of the container's.
    const hanging = `echo $$ > ${pidFile}; exec sleep 1000`;
    const bundle = makeBundle({ hooks: { [point]: [hook(hanging)] } });
    const create = Bun.spawn(room.command("create", "-b", bundle.directory, id), {
      stdio: ["ignore", "ignore", "ignore"],
    });
    await until(() => existsSync(pidFile) && readFileSync(pidFile, "utf8") !== "");
    assert.is(room.state(id)?.status, "creating", point);
    const began = performance.now();
    assert.is(room.tsRunc(["delete", "--force", id]).status, 0, point);
    assert.ok(performance.now() - began < 5_000 * slowness);
    assert.is(await create.exited, 137);
    assert.is(room.state(id), undefined);
    const pid = Number(readFileSync(pidFile, "utf8"));
    if (point === "createRuntime") process.kill(pid, "SIGKILL");
  }
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

function isThere(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
