// Containers with a terminal: in the foreground inside a terminal of script(1), and handed to a console socket. Needs root.

import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { must } from "../../src/ffi/execute.ts";
import { write } from "../../src/syscall/files.ts";
import { listenAt, receiveDescriptor } from "../support/descriptor-socket.ts";
import { type Bundle, openRoom, runBriefly } from "../support/room.ts";
import {
  hasScript,
  inTerminal,
  terminalMounts as mounts,
  readUntil,
  typeOnce,
} from "../support/terminal.ts";

const test = suite("kernel/terminal");
const room = openRoom("terminal");
if (!hasScript) console.log("skip: a terminal of our own: script(1) is not installed");
const withTerminal = hasScript ? test : test.skip;

const namespaces = [{ type: "pid" }, { type: "mount" }];

function makeBundle(
  script: string,
  change: { readonly mounts?: typeof mounts; readonly process?: object } = {},
): Bundle {
  return room.makeBundle({
    mounts: change.mounts ?? mounts,
    process: { terminal: true, args: ["sh", "-c", script], ...change.process },
    linux: { namespaces },
  });
}

withTerminal(
  "a foreground run relays, passes size and status on, and gives the terminal back",
  () => {
    const bundle = makeBundle(
      "echo $(tty) $(stty size) $(stat -c %t:%T /dev/console); test -t 0 -a -t 1 -a -t 2; read line; echo got $line; exit 5",
    );
    const run = room.command("run", "-b", bundle.directory, room.newId()).join(" ");
    const modes = "stty -a | tr '\\n' ' ' | cksum";
    const { status, output } = inTerminal(
      room.directory,
      `stty rows 33 cols 77; ${modes}; ${run}; code=$?; ${modes}; exit $code`,
      "echo typed",
    );
    assert.is(status, 5);
    assert.match(output, /\/dev\/pts\/0 33 77 88:0\n/);
    assert.match(output, /got typed/);
    const [before, after] = [...output.matchAll(/^\d+ \d+$/gm)];
    assert.is(before?.[0], after?.[0]);
  },
);

withTerminal(
  "without a mount namespace the terminal is one of the host's, for exec as well",
  () => {
    const hooks = { createRuntime: [{ path: "/bin/true" }] };
    const args = ["sh", "-c", "test -t 0 && busybox stty size; exec sleep 60"];
    const linux = { namespaces: [{ type: "pid" }] };
    const bundle = room.makeBundle({ mounts: [], hooks, linux, process: { terminal: true, args } });
    const id = room.newId();
    const tsRunc = (...argv: readonly string[]) => room.command(...argv).join(" ");
    const { status, output } = inTerminal(
      room.directory,
      `stty rows 21 cols 76
${tsRunc("run", "-b", bundle.directory, id)} &
until ${tsRunc("state", id)} 2>/dev/null | grep -q running; do sleep 0.1; done
${tsRunc("exec", "-t", id, "busybox", "stty", "size")}
${tsRunc("delete", "--force", id)}; wait $!`,
    );
    assert.equal(output.match(/^21 76$/gm), ["21 76", "21 76"], output);
    assert.is(status, 137);
  },
);

withTerminal("a terminal is its user's, and of the group that the config's devpts gives it", () => {
  const bundle = makeBundle("stat -L -c %u:%g /proc/self/fd/0; sleep 60", {
    mounts: mounts.map((mount) => {
      const { destination, options = [] } = mount;
      return destination === "/dev/pts" ? { ...mount, options: [...options, "gid=5"] } : mount;
    }),
    process: { user: { uid: 1000, gid: 100 } },
  });
  const id = room.newId();
  const tsRunc = (...argv: readonly string[]) => room.command(...argv).join(" ");
  const { output } = inTerminal(
    room.directory,
    `${tsRunc("run", "-b", bundle.directory, id)} &
until ${tsRunc("state", id)} 2>/dev/null | grep -q running; do sleep 0.1; done
${tsRunc("exec", "-t", id, "stat", "-L", "-c", "%u:%g", "/proc/self/fd/0")}
${tsRunc("delete", "--force", id)}; wait $!`,
  );
  assert.equal(output.match(/^\d+:\d+$/gm), ["1000:5", "1000:5"], output);
});

withTerminal("an interrupt typed into the terminal reaches the container", () => {
  const bundle = makeBundle("trap 'echo interrupted; exit 3' INT; : > /tmp/armed; sleep 60 & wait");
  const run = room.command("run", "-b", bundle.directory, room.newId()).join(" ");
  const typist = typeOnce(join(bundle.rootfs, "tmp/armed"), "\\003");
  const { status, output } = inTerminal(room.directory, run, typist);
  assert.match(output, /interrupted/);
  assert.is(status, 3);
});

test("a terminal without anybody to look after it is refused, in runc's words", async () => {
  const bundle = makeBundle("true");
  const create = room.tsRunc(["create", "-b", bundle.directory, room.newId()]);
  assert.is(create.status, 1);
  assert.match(
    create.stderr,
    /cannot allocate tty if runc will detach without setting console socket/,
  );
  const plain = makeBundle("true", { process: { terminal: false } });
  const socketPath = join(room.directory, "unused.sock");
  const useless = ["create", "--console-socket", socketPath, "-b", plain.directory, room.newId()];
  assert.match(
    room.tsRunc(useless).stderr,
    /cannot use console socket if runc will not detach or allocate tty/,
  );
  const absent = ["create", "--console-socket", socketPath, "-b", bundle.directory, room.newId()];
  assert.match(room.tsRunc(absent).stderr, /connecting to the console socket .*no such file/);
  // No terminal of ours either: none is a stream, and a new session has none.
  const alone = Bun.spawn(room.command("run", "-b", bundle.directory, room.newId()), {
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  assert.match(await new Response(alone.stderr).text(), /failed to get a console/);
  assert.is(await alone.exited, 1);
});

test("create hands the master to the console socket before it ends, and start uses it", async () => {
  const bundle = makeBundle("stty size; read line; echo got $line; exit 4", {
    process: { consoleSize: { width: 61, height: 17 } },
  });
  const id = room.newId();
  const path = join(room.directory, "console.sock");
  using listener = listenAt(path);
  const { status, stderr } = room.tsRunc([
    ...["create", "--console-socket", path, "-b", bundle.directory, id],
  ]);
  assert.is(stderr, "");
  assert.is(status, 0);
  const { descriptor, text } = receiveDescriptor(listener);
  using master = descriptor;
  assert.is(text, "/dev/ptmx");
  assert.is(room.tsRunc(["start", id]).status, 0);
  must(write(master.fd, new TextEncoder().encode("typed\n")), "typing");
  const output = readUntil(master, "got typed");
  assert.match(output, /17 61/);
  assert.match(output, /got typed/);
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
});

withTerminal("a link at /dev/console is refused, and the host's file is left alone", () => {
  const target = join(room.directory, "host-file");
  writeFileSync(target, "host");
  const bundle = makeBundle("true", {
    mounts: mounts.filter(({ destination }) => destination !== "/dev"),
  });
  mkdirSync(join(bundle.rootfs, "dev/pts"), { recursive: true });
  symlinkSync(target, join(bundle.rootfs, "dev/console"));
  const run = room.command("run", "-b", bundle.directory, room.newId()).join(" ");
  const { status, output } = inTerminal(room.directory, run);
  assert.is(status, 1);
  assert.match(output, /console.*too many levels of symbolic links/);
});

withTerminal("a ptmx of the image that is no multiplexer of a devpts is not opened", () => {
  const bundle = makeBundle("true", { mounts: mounts.slice(0, 1) });
  rmSync(join(bundle.rootfs, "dev"), { recursive: true });
  mkdirSync(join(bundle.rootfs, "dev/pts"), { recursive: true });
  runBriefly(["mknod", join(bundle.rootfs, "dev/pts/ptmx"), "c", "1", "3"]);
  assert.equal(readdirSync(join(bundle.rootfs, "dev/pts")), ["ptmx"]);
  const run = room.command("run", "-b", bundle.directory, room.newId()).join(" ");
  const { status, output } = inTerminal(room.directory, run);
  assert.is(status, 1);
  assert.match(output, /allocating the terminal: .*is not the character device 5:2/);
});

test("nothing is left behind", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(room.remove);

test.run();
