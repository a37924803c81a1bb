// Terminals, hooks and filters of an ordinary user's containers, with the built executable and beside Debian's runc. Needs root,
// which it puts off.

import { chownSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { pollEvents, socketFamilies, socketTypes } from "../../src/abi/socket.ts";
import { executeForOutput, must } from "../../src/ffi/execute.ts";
import { own } from "../../src/host/files.ts";
import type { Spec } from "../../src/spec/types.ts";
import { read } from "../../src/syscall/files.ts";
import { bindPath, ppoll, socket } from "../../src/syscall/sockets.ts";
import { runc, runOnTerminal } from "../cli/executable.ts";
import { listenAt, receiveDescriptor } from "../support/descriptor-socket.ts";
import { openUser, programs, uid } from "../support/ordinary-user.ts";
import { openRoom, slowness } from "../support/room.ts";

const test = suite("kernel/rootless-terminal");
const room = openRoom("rootless-terminal");
const { asUser, commandOf, environment, expectNothingLeft, running, runtime, runtimeDirectory } =
  openUser(room);
const both = runc === undefined ? (["ts-runc"] as const) : (["ts-runc", "runc"] as const);
if (runc === undefined) console.log("skip: runc is not installed, nothing is compared with it");

test.after(() => room.remove());

test.after.each(expectNothingLeft);

function onTerminal(spec: Spec): Spec {
  return { ...spec, process: { args: [], cwd: "/", ...spec.process, terminal: true } };
}

const look =
  "test -t 0 && test -t 2 && readlink /proc/self/fd/1; stat -c %u:%g:%a $(readlink /proc/self/fd/0) /dev/console";

test("run and exec on a terminal give the container one of its own, as with runc", async () => {
  const shown = [];
  const directory = running(["sh", "-c", look], onTerminal);
  const sleeper = running(["sleep", "1000"]);
  for (const program of both) {
    const ran = await runOnTerminal(
      commandOf([programs[program], "run", "-b", directory, room.newId()]),
      { env: environment },
    );
    const id = room.newId();
    const created = asUser([
      "sh",
      "-c",
      `"$0" create -b "${sleeper}" ${id} >/dev/null 2>&1 </dev/null`,
      programs[program],
    ]);
    assert.is(created.status, 0, program);
    const argv = [
      "exec",
      "-t",
      id,
      "sh",
      "-c",
      "test -t 0 && test -t 1 && readlink /proc/self/fd/0",
    ];
    const entered = await runOnTerminal(commandOf([programs[program], ...argv]), {
      env: environment,
    });
    assert.is(runtime(program, ["delete", "--force", id]).status, 0);
    shown.push({ ran, entered });
  }
  const [ours, theirs = ours] = shown;
  assert.is(ours?.ran.status, 0, ours?.ran.shown);
  assert.match(ours?.ran.shown ?? "", "/dev/pts/0");
  assert.match(ours?.entered.shown ?? "", "/dev/pts/");
  assert.equal(ours, theirs);
});

test("a console socket gets the master of an ordinary user's container", () => {
  const path = join(runtimeDirectory, "console");
  using listener = listenAt(path);
  chownSync(path, uid, uid);
  const id = room.newId();
  const directory = running(["sleep", "1000"], onTerminal);
  const created = runtime("ts-runc", ["create", "-b", directory, "--console-socket", path, id]);
  assert.is(created.status, 0, created.stderr);
  const { descriptor, text } = receiveDescriptor(listener);
  using _master = descriptor;
  assert.is(text, "/dev/ptmx");
  assert.is(runtime("ts-runc", ["delete", "--force", id]).status, 0);
  rmSync(path);
});

test("hooks of all kinds run, on the host as the user and inside as root of the container, as with runc", () => {
  const said = join(runtimeDirectory, "said");
  const hook = (name: string) => ({
    path: "/bin/sh",
    args: ["sh", "-c", `echo ${name} $(id -u) >>$SAID`],
    env: ["PATH=/bin:/usr/bin", `SAID=${said}`],
  });
  const directory = running(["true"], (spec) => ({
    ...spec,
    hooks: {
      createRuntime: [hook("createRuntime")],
      createContainer: [hook("createContainer")],
      startContainer: [
        { path: "/bin/sh", args: ["sh", "-c", "test $(id -u) = 0"], env: ["PATH=/bin"] },
      ],
      poststart: [hook("poststart")],
      poststop: [hook("poststop")],
    },
  }));
  for (const program of both) {
    writeFileSync(said, "");
    chownSync(said, uid, uid);
    const { status, stderr } = runtime(program, ["run", "-b", directory, room.newId()]);
    assert.is(status, 0, `${program}: ${stderr}`);
    const lines = [
      "createRuntime USER",
      "createContainer 0",
      "poststart USER",
      "poststop USER",
      "",
    ];
    assert.is(readFileSync(said, "utf8"), lines.join("\n").replaceAll("USER", `${uid}`));
  }
  rmSync(said);
});

test("a seccomp filter is loaded", () => {
  const directory = running(["sh", "-c", "mkdir /dev/shm/x; touch /dev/shm/y"], (spec) => ({
    ...spec,
    linux: {
      ...spec.linux,
      seccomp: {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 95 }],
      },
    },
  }));
  const { status, stderr } = runtime("ts-runc", ["run", "-b", directory, room.newId()]);
  assert.is(status, 0, stderr);
  assert.match(stderr, /not supported/i);
});

test("an agent gets the listener of an ordinary user's container, and is told who asks, as with runc", async () => {
  const path = join(runtimeDirectory, "agent");
  const directory = running(["sh", "-c", "mkdir /dev/shm/x"], (spec) => ({
    ...spec,
    process: { args: [], cwd: "/", ...spec.process, noNewPrivileges: true },
    linux: {
      ...spec.linux,
      seccomp: {
        defaultAction: "SCMP_ACT_ALLOW",
        listenerPath: path,
        listenerMetadata: "of a user",
        syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY" }],
      },
    },
  }));
  const told = [];
  for (const program of both) {
    const listener = listenAt(path);
    chownSync(path, uid, uid);
    const id = room.newId();
    const argv = commandOf([programs[program], "run", "-b", directory, id]);
    const child = Bun.spawn(argv, { env: environment, stdio: ["ignore", "ignore", "ignore"] });
    const { descriptor, text } = receiveDescriptor(listener);
    // Nobody answers any more: the call fails.
    descriptor[Symbol.dispose]();
    assert.is(await child.exited, 1, `mkdir's own status with ${program}`);
    const { fds, metadata, pid, state } = JSON.parse(text);
    told.push({ fds, metadata, init: pid === state.pid, keys: Object.keys(state).sort() });
    listener[Symbol.dispose]();
    rmSync(path);
  }
  const [ours, theirs = ours] = told;
  assert.is(ours?.metadata, "of a user");
  assert.equal(ours, theirs);
});

test("a service manager of the user is told when the container is ready", async () => {
  const path = join(runtimeDirectory, "manager");
  const fd = must(socket(socketFamilies.AF_UNIX, socketTypes.SOCK_DGRAM), "making a socket");
  using manager = own(fd);
  must(bindPath(manager.fd, path), "binding a socket");
  chownSync(path, uid, uid);
  // busybox's logger sends to /dev/log, whose place the notify socket takes.
  const script =
    "ln -s $NOTIFY_SOCKET /dev/log; busybox logger \"$(printf 'up\\nREADY=1')\"; sleep 1";
  const directory = running(["sh", "-c", script]);
  const argv = commandOf([programs["ts-runc"], "run", "-b", directory, room.newId()]);
  const child = Bun.spawn(argv, {
    env: { ...environment, NOTIFY_SOCKET: path },
    stdio: ["ignore", "ignore", "ignore"],
  });
  const next = (): string => {
    assert.is(must(ppoll(manager.fd, pollEvents.POLLIN, 10_000 * slowness), "waiting"), 1);
    const { result, output } = executeForOutput(read(manager.fd, 4096));
    return new TextDecoder().decode(output.subarray(0, result));
  };
  assert.is(next(), "READY=1\n");
  assert.is(next(), `MAINPID=${child.pid}\n`);
  assert.is(await child.exited, 0);
  rmSync(path);
});

test.run();
