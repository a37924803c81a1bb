// exec with a terminal, in the foreground and on a console socket, and what else goes through sockets. Needs root.

import { existsSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { must } from "../../src/ffi/execute.ts";
import { write } from "../../src/syscall/files.ts";
import { pidfdSendSignal } from "../../src/syscall/processes.ts";
import { listenAt, receiveDescriptor } from "../support/descriptor-socket.ts";
import { openExecRoom } from "../support/exec-room.ts";
import { runBriefly, statusField, until } from "../support/room.ts";
import {
  hasScript,
  inTerminal,
  terminalMounts as mounts,
  readUntil,
  typeOnce,
} from "../support/terminal.ts";

const test = suite("kernel/exec-terminal");
const execRoom = openExecRoom("exec-terminal");
const { room, startContainer, exec, outputOf, processFile, rootfsOf } = execRoom;
if (!hasScript) console.log("skip: a terminal of our own: script(1) is not installed");
const withTerminal = hasScript ? test : test.skip;

const shared = startContainer({ mounts });

function inShared(options: string, script: string): string {
  return `${room.command("exec", ...options.split(" "), shared, "sh", "-c").join(" ")} '${script}'`;
}

withTerminal(
  "a foreground exec relays, passes size and status on, and gives the terminal back",
  () => {
    const script =
      "echo $(tty) $(stty size); test -t 0 -a -t 1 -a -t 2; read line; echo got $line; exit 5";
    const modes = "stty -a | tr '\\n' ' ' | cksum";
    const { status, output } = inTerminal(
      room.directory,
      `stty rows 33 cols 77; ${modes}; ${inShared("-t", script)}; code=$?; ${modes}; exit $code`,
      "echo typed",
    );
    assert.is(status, 5);
    assert.match(output, /\/dev\/pts\/0 33 77\n/);
    assert.match(output, /got typed/);
    const [before, after] = [...output.matchAll(/^\d+ \d+$/gm)];
    assert.is(before?.[0], after?.[0]);
  },
);

withTerminal("the terminal belongs to the user, and is that of the process's session", () => {
  const script = "echo to-tty > /dev/tty; echo again > /proc/self/fd/1; stat -c %u $(tty)";
  const { status, output } = inTerminal(room.directory, inShared("-t -u 1000", script));
  assert.is(status, 0, output);
  assert.match(output, /to-tty\nagain\n1000\n/, output);
});

withTerminal("signals that end us go to the program, and the terminal is given back", () => {
  // The program gets the signal that we are sent and ends by its own will; we follow it.
  const script = 'trap "exit 9" TERM; : > /tmp/waits; sleep 60 & wait';
  const modes = "stty -a | tr '\\n' ' ' | cksum";
  const command = [
    modes,
    `(${inShared("-t", script)} < /dev/tty > /dev/tty; echo code $?) & job=$!`,
    `while [ ! -e ${join(rootfsOf(shared), "tmp/waits")} ]; do sleep 0.1; done`,
    // The only child of the shell in the background is the exec.
    "kill -TERM $(cat /proc/$job/task/$job/children); wait $job",
    modes,
  ].join("\n");
  const { output } = inTerminal(room.directory, command);
  assert.match(output, /code 9/);
  const [before, after] = [...output.matchAll(/^\d+ \d+$/gm)];
  assert.is(before?.[0], after?.[0]);
});

withTerminal("an interrupt typed into the terminal reaches the program", () => {
  const run = inShared(
    "-t",
    'trap "echo interrupted; exit 3" INT; : > /tmp/armed; sleep 60 & wait',
  );
  const typist = typeOnce(join(rootfsOf(shared), "tmp/armed"), "\\003");
  const { status, output } = inTerminal(room.directory, run, typist);
  assert.match(output, /interrupted/);
  assert.is(status, 3);
});

test("a detached exec hands the master to the console socket before it ends", () => {
  const path = join(room.directory, "console.sock");
  using listener = listenAt(path);
  const process = processFile({
    args: ["sh", "-c", "stty size; read line; echo got $line"],
    cwd: "/",
    env: ["PATH=/bin"],
    terminal: true,
    consoleSize: { width: 61, height: 17 },
    user: { uid: 1000, gid: 1000 },
  });
  const pidFile = join(room.directory, "terminal.pid");
  const options = ["-d", "--console-socket", path, "--pid-file", pidFile];
  assert.is(outputOf(...options, "-p", process, shared), "");
  const { descriptor: master, text } = receiveDescriptor(listener);
  assert.is(text, "/dev/ptmx");
  assert.match(readFileSync(pidFile, "utf8"), /^\d+$/);
  must(write(master.fd, new TextEncoder().encode("typed\n")), "typing");
  const output = readUntil(master, "got typed");
  master[Symbol.dispose]();
  assert.match(output, /17 61/);
  assert.match(output, /got typed/);
});

test("--pidfd-socket gets a pidfd of the process, detached or not", async () => {
  for (const options of [["-d"], []]) {
    const path = join(room.directory, "pidfd.sock");
    rmSync(path, { force: true });
    using listener = listenAt(path);
    const pidFile = join(room.directory, "pidfd.pid");
    const command = ["exec", ...options, "--pidfd-socket", path, "--pid-file", pidFile, shared];
    const child = Bun.spawn(room.command(...command, "sleep", "1000"), {
      stdio: ["ignore", "ignore", "inherit"],
    });
    const { descriptor: pidfd, text } = receiveDescriptor(listener);
    assert.is(text, "setns");
    await until(() => existsSync(pidFile));
    const pid = readFileSync(pidFile, "utf8");
    assert.is(readlinkSync(`/proc/self/fd/${pidfd.fd}`), "anon_inode:[pidfd]");
    assert.match(
      readFileSync(`/proc/self/fdinfo/${pidfd.fd}`, "utf8"),
      new RegExp(`Pid:\\s+${pid}\\n`),
    );
    must(pidfdSendSignal(pidfd.fd, 9), "ending the process");
    pidfd[Symbol.dispose]();
    assert.is(await child.exited, options.length === 0 ? 137 : 0);
    rmSync(pidFile);
  }
});

test("a terminal without anybody to look after it is refused, in runc's words, and nothing runs", async () => {
  const socket = join(room.directory, "absent.sock");
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [["-t", "-d"], /cannot allocate tty if runc will detach without setting console socket/],
    [["-d", "--pidfd-socket", socket], /connecting to the pidfd socket .*no such file/],
    [["-t", "-d", "--console-socket", socket], /connecting to the console socket .*no such file/],
  ];
  for (const [options, words] of cases) {
    const { status, stderr } = exec(...options, shared, "sleep", "1000");
    assert.is(status, 255);
    assert.match(stderr, words);
  }
  using listener = listenAt(join(room.directory, "unused.sock"));
  for (const options of [["-d"], ["-t"], []]) {
    const useless = ["--console-socket", join(room.directory, "unused.sock")];
    const { stderr } = exec(...options, ...useless, shared, "sleep", "1000");
    assert.match(stderr, /cannot use console socket if runc will not detach or allocate tty/);
  }
  assert.ok(listener.fd > 0);
  const alone = Bun.spawn(room.command("exec", "-t", shared, "sleep", "1000"), {
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  assert.match(await new Response(alone.stderr).text(), /failed to get a console/);
  assert.is(await alone.exited, 255);
  assert.not.match(outputOf(shared, "sh", "-c", "cat /proc/[0-9]*/cmdline"), /1000.*1000/);
});

withTerminal("a ptmx that is no multiplexer of a devpts is not opened", () => {
  const id = startContainer({ mounts: mounts.slice(0, 2) });
  const root = `/proc/${room.state(id)?.pid}/root`;
  for (const [what, make] of [
    ["the null device", ["mknod", `${root}/dev/pts/ptmx`, "c", "1", "3"]],
    ["a fifo", ["mkfifo", `${root}/dev/pts/ptmx`]],
    ["a link", ["ln", "-s", "/dev/null", `${root}/dev/pts/ptmx`]],
  ] as const) {
    runBriefly(["mkdir", "-p", `${root}/dev/pts`]);
    assert.is(runBriefly([...make]).status, 0, what);
    const run = room.command("exec", "-t", id, "true").join(" ");
    const { status, output } = inTerminal(room.directory, run);
    assert.is(status, 255, what);
    assert.match(output, /allocating the terminal: /);
    rmSync(`${root}/dev/pts/ptmx`);
  }
});

test("a waiting exec with a terminal has the program's descriptors in no process but the program", async () => {
  const path = join(room.directory, "held.sock");
  using listener = listenAt(path);
  const pidFile = join(room.directory, "held.pid");
  const options = ["-t", "-d", "--console-socket", path, "--pid-file", pidFile];
  outputOf(...options, shared, "sleep", "1000");
  using master = receiveDescriptor(listener).descriptor;
  const pid = Number(readFileSync(pidFile, "utf8"));
  const links = [0, 1, 2, 3].map((fd) =>
    existsSync(`/proc/${pid}/fd/${fd}`) ? readlinkSync(`/proc/${pid}/fd/${fd}`) : "none",
  );
  assert.equal(links, ["/dev/pts/0", "/dev/pts/0", "/dev/pts/0", "none"]);
  // The end of the master hangs the terminal up, which nobody else keeps open.
  master[Symbol.dispose]();
  await until(() => !existsSync(`/proc/${pid}/fd/0`) || statusField(pid, "State").startsWith("Z"));
  assert.not(existsSync(`/proc/${pid}/fd/0`));
});

test("nothing is left behind", async () => {
  assert.equal(await execRoom.end(), []);
});

test.after(room.remove);

test.run();
