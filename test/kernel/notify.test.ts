// What a service manager is told of containers, sd_notify(3), with the built executable: by run, run -d, and create and start.
// Needs root.

import { closeSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { pollEvents, socketFamilies, socketTypes } from "../../src/abi/socket.ts";
import { executeForOutput, must } from "../../src/ffi/execute.ts";
import { read } from "../../src/syscall/files.ts";
import { bindPath, ppoll, socket } from "../../src/syscall/sockets.ts";
import { type Bundle, openRoom, slowness, until } from "../support/room.ts";

const test = suite("kernel/notify");
const room = openRoom("notify");

type Manager = Disposable & {
  readonly environment: Readonly<Record<string, string>>;
  /** The next message; undefined when none comes for a while. */
  readonly next: (patienceMs?: number) => string | undefined;
};

let managers = 0;

/** A service manager: a socket that is told. `abstract` gives it a name that is no file. */
function openManager(abstract = false): Manager {
  managers += 1;
  const path = abstract
    ? `\0ts-runc-test-${process.pid}-${managers}`
    : join(room.directory, `manager${managers}`);
  const { SOCK_CLOEXEC, SOCK_DGRAM } = socketTypes;
  const fd = must(socket(socketFamilies.AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC), "making a socket");
  must(bindPath(fd, path), "binding a socket");
  return {
    // A name of the abstract namespace is as long as its address: ours is filled up with NULs by bindPath().
    environment: { PATH: process.env["PATH"] ?? "", NOTIFY_SOCKET: path.replace("\0", "@") },
    next: (patienceMs = 10_000) => {
      if (must(ppoll(fd, pollEvents.POLLIN, patienceMs * slowness), "waiting") === 0)
        return undefined;
      const { result, output } = executeForOutput(read(fd, 4096));
      return new TextDecoder().decode(output.subarray(0, Math.max(result, 0)));
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}

/** busybox's logger sends to /dev/log, whose place the notify socket takes: `saying` is the message behind its own line. */
function speaker(saying: string, then: string): Bundle {
  const script = `ln -s $NOTIFY_SOCKET /dev/log; busybox logger "$(printf 'up\\n${saying}')"; ${then}`;
  return room.makeBundle({
    process: { args: ["sh", "-c", script], env: ["PATH=/bin", "NOTIFY_SOCKET=/of/the/config"] },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs" },
    ],
  });
}

function command(manager: Manager, ...argv: readonly string[]) {
  return Bun.spawn(room.command(...argv), {
    env: { ...manager.environment },
    stdio: ["ignore", "ignore", "ignore"],
  });
}

test("a foreground run tells that the container is ready, and that itself is to be supervised", async () => {
  using manager = openManager();
  const { directory } = speaker("READY=1\\nMAINPID=1\\nFDSTORE=1", "exit 3");
  const child = command(manager, "run", "--bundle", directory, room.newId());
  assert.is(manager.next(), "READY=1\n");
  assert.is(manager.next(), `MAINPID=${child.pid}\n`);
  assert.is(manager.next(200), undefined, "what else the container says is not for the host");
  assert.is(await child.exited, 3);
});

test("run -d and start wait until the container is ready, and name its init", async () => {
  for (const way of ["run", "start"]) {
    using manager = openManager();
    const id = room.newId();
    const { directory, rootfs } = speaker("READY=1", "sleep 1000");
    if (way === "start") {
      const made = room.tsRunc(["create", "--bundle", directory, id], { env: manager.environment });
      assert.is(made.status, 0, made.stderr);
    }
    const argv = way === "run" ? ["run", "-d", "--bundle", directory, id] : ["start", id];
    const child = command(manager, ...argv);
    assert.is(manager.next(), "READY=1\n", way);
    const pid = room.state(id)?.pid;
    assert.is(manager.next(), `MAINPID=${pid}\n`, way);
    assert.is(manager.next(), "BARRIER=1", "it waits until the manager has read all this");
    assert.is(await child.exited, 0);
    assert.is(room.state(id)?.status, "running");
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8");
    assert.match(mounts, / \/run\/notify ro,nosuid,nodev,noexec[, ]/);
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    assert.equal(
      environment.filter((entry) => entry.startsWith("NOTIFY_SOCKET=")),
      ["NOTIFY_SOCKET=/run/notify/notify.sock"],
    );
    assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
    assert.ok(rootfs.length > 0);
  }
});

test("a container that ends without a word ends the wait for it", async () => {
  using manager = openManager();
  const { directory } = room.makeBundle({ process: { args: ["true"] } });
  const id = room.newId();
  const child = command(manager, "run", "-d", "--bundle", directory, id);
  assert.is(await child.exited, 0);
  assert.is(manager.next(0), undefined);
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
});

test("a manager that is not there is a warning, and the container none the worse for it", async () => {
  for (const address of [
    join(room.directory, "nowhere"),
    "@ts-runc-no-such-name",
    "relative/path",
  ]) {
    const log = join(room.directory, "log");
    const { directory } = speaker("READY=1", "exit 4");
    const { status } = room.tsRunc(["--log", log, "run", "--bundle", directory, room.newId()], {
      env: { PATH: process.env["PATH"] ?? "", NOTIFY_SOCKET: address },
    });
    assert.is(status, 4, address);
    assert.match(readFileSync(log, "utf8"), /level=warning msg="connecting to \$NOTIFY_SOCKET/);
  }
});

test("a container that floods its socket keeps nobody from ending", async () => {
  using manager = openManager();
  const flood = "i=0; while [ $i -lt 300 ]; do busybox logger x; i=$((i+1)); done; exit 5";
  const { directory } = speaker("READY=0", flood);
  const child = command(manager, "run", "--bundle", directory, room.newId());
  assert.is(await child.exited, 5);
  assert.is(manager.next(), "READY=0\n");
});

test("nobody is told anything without NOTIFY_SOCKET, and nothing is mounted", async () => {
  const { directory } = room.makeBundle({ process: { args: ["sleep", "1000"] } });
  const id = room.newId();
  assert.is(room.tsRunc(["run", "-d", "--bundle", directory, id]).status, 0);
  const pid = room.state(id)?.pid;
  assert.not.match(readFileSync(`/proc/${pid}/mountinfo`, "utf8"), / \/run\/notify /);
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
});

test("nothing of all this is left", async () => {
  await until(() => true);
  assert.equal(await room.leftovers(), []);
});

test.after(() => room.remove());

test.run();
