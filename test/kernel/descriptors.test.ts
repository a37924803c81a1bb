// What a container inherits and what callers are handed: the descriptors of each way in, beside runc's, and pidfds. Needs root.

import { existsSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { must } from "../../src/ffi/execute.ts";
import { pidfdSendSignal } from "../../src/syscall/processes.ts";
import { logMessages, runc } from "../cli/executable.ts";
import { listenAt, receiveDescriptor } from "../support/descriptor-socket.ts";
import { type Bundle, openRoom, type RuntimeName, runBriefly, until } from "../support/room.ts";

const test = suite("kernel/descriptors");
const room = openRoom("fds");
const beside = runc === undefined ? test.skip : test;
if (runc === undefined) console.log("skip: there is no runc to compare with");
const hasScript = existsSync("/usr/bin/script");
if (!hasScript) console.log("skip: run -t: script(1) is not installed");

const devices = [
  { destination: "/proc", type: "proc", source: "proc" },
  { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["mode=755"] },
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["newinstance", "ptmxmode=0666", "mode=0620"],
  },
];

/** Lists its own descriptors, by a builtin of sh and readlink(1): none of its own among them. */
const listing = [
  `for fd in /proc/$$/fd/*; do test -e $fd && list="$list\${fd##*/} $(readlink $fd)\n"; done`,
  'printf "$list$(env | grep LISTEN | sort)\ndone\n" >/tmp/list',
].join("; ");

type Way = {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Whether LISTEN_PID is the runtime's, as from a service manager; otherwise it is another's. */
  readonly activated?: boolean;
  readonly through?: "terminal" | "console-socket";
};

const ways: readonly Way[] = [
  { name: "create", argv: ["create"] },
  { name: "run", argv: ["run"] },
  { name: "run -d", argv: ["run", "-d"] },
  { name: "run -t", argv: ["run"], through: "terminal" },
  { name: "create --console-socket", argv: ["create"], through: "console-socket" },
  { name: "run -d --console-socket", argv: ["run", "-d"], through: "console-socket" },
  { name: "create --preserve-fds", argv: ["create", "--preserve-fds", "2"] },
  { name: "run --preserve-fds", argv: ["run", "--preserve-fds", "1"] },
  { name: "create, LISTEN_FDS", argv: ["create"], env: { LISTEN_FDS: "2" }, activated: true },
  {
    name: "run, LISTEN_FDS",
    argv: ["run"],
    env: { LISTEN_FDS: "1", LISTEN_FDNAMES: "http" },
    activated: true,
  },
  { name: "run, LISTEN_FDS for another process", argv: ["run"], env: { LISTEN_FDS: "1" } },
  {
    name: "run, both",
    argv: ["run", "--preserve-fds", "1"],
    env: { LISTEN_FDS: "1" },
    activated: true,
  },
  {
    name: "run -d --console-socket, both",
    argv: ["run", "-d", "--preserve-fds", "1"],
    env: { LISTEN_FDS: "1" },
    activated: true,
    through: "console-socket",
  },
];

/** Files that every caller has open, as descriptors 3 to 6: two more than are ever passed on. */
const passed = [3, 4, 5, 6].map((fd) => join(room.directory, `file${fd}`));
for (const path of passed) writeFileSync(path, "");

/** Takes a container in by one way; returns what its program has seen, with what differs by nature taken out. */
async function list(runtime: RuntimeName, way: Way, bundle: Bundle): Promise<string> {
  const file = join(bundle.rootfs, "tmp/list");
  rmSync(file, { force: true });
  const id = room.newId();
  const socket = join(room.directory, `${id}.sock`.slice(-20));
  using listener = way.through === "console-socket" ? listenAt(socket) : undefined;
  const console = listener === undefined ? [] : ["--console-socket", socket];
  const command = room.commandOf(runtime, ...way.argv, ...console, "-b", bundle.directory, id);
  // Redirections of sh are not close-on-exec, as the descriptors of Go programs that leak.
  const opened = passed.map((path, index) => `${index + 3}<${path}`).join(" ");
  const pid = way.activated === true ? "$$" : "4711";
  const inner =
    way.through === "terminal" ? `script -qec '${command.join(" ")}' /dev/null` : 'exec "$@"';
  const script = `exec ${opened}; export LISTEN_PID=${pid}; ${inner}`;
  const env = { PATH: process.env["PATH"] ?? "", ...way.env };
  const { status, stderr } = runBriefly(["sh", "-c", script, "sh", ...command], { env });
  assert.is(status, 0, `${runtime} ${way.name}: ${stderr}`);
  using master = listener === undefined ? undefined : receiveDescriptor(listener).descriptor;
  if (way.argv[0] === "create") assert.is(room.runtime(runtime, ["start", id]).status, 0);
  const read = (): string => (existsSync(file) ? readFileSync(file, "utf8") : "");
  await until(() => read().endsWith("done\n"));
  room.runtime(runtime, ["delete", "--force", id]);
  assert.ok(master === undefined || master.fd > 2);
  return read().replace(/(pipe|socket):\[\d+\]/g, "$1");
}

/** runc's foreground puts pipes between and does not pass /dev/null or a file on; what they are is not compared. */
function withoutStreams(text: string): string {
  return text.replace(/^([012]) .*$/gm, "$1");
}

for (const way of ways) {
  if (way.through === "terminal" && !hasScript) continue;
  beside(`${way.name}: the container has the descriptors that it has under runc`, async () => {
    const terminal = way.through !== undefined;
    const args = ["sh", "-c", listing];
    const bundle = room.makeBundle({ mounts: devices, process: { terminal, args } });
    const [ours, theirs] = [await list("ts-runc", way, bundle), await list("runc", way, bundle)];
    assert.match(ours, /^0 .*\n1 .*\n2 .*\n(.*\n)*done\n$/);
    if (terminal) assert.match(ours, /^0 .*\n1 \/dev\/pts\/0\n2 \/dev\/pts\/0\n/);
    assert.is(withoutStreams(ours), withoutStreams(theirs));
  });
}

test("--pidfd-socket gets a pidfd of init, before create and run end", async () => {
  const bundle = room.makeBundle({ process: { args: ["sleep", "1000"] } });
  for (const argv of [["create"], ["run", "-d"], ["run"]]) {
    const id = room.newId();
    const path = join(room.directory, "pidfd.sock");
    rmSync(path, { force: true });
    using listener = listenAt(path);
    const command = [...argv, "--pidfd-socket", path, "-b", bundle.directory, id];
    const child = Bun.spawn(room.command(...command), { stdio: ["ignore", "ignore", "inherit"] });
    if (argv.length > 1 || argv[0] === "create") assert.is(await child.exited, 0);
    const { descriptor: pidfd, text } = receiveDescriptor(listener);
    // As runc's message says; exec's is another one.
    assert.is(text, "standard");
    assert.is(readlinkSync(`/proc/self/fd/${pidfd.fd}`), "anon_inode:[pidfd]");
    await until(() => room.state(id) !== undefined);
    const info = readFileSync(`/proc/self/fdinfo/${pidfd.fd}`, "utf8");
    assert.match(info, new RegExp(`^Pid:\\s+${room.state(id)?.pid}$`, "m"));
    must(pidfdSendSignal(pidfd.fd, 9), "ending the container");
    pidfd[Symbol.dispose]();
    if (argv[0] === "run" && argv.length === 1) assert.is(await child.exited, 137);
    await until(() => room.state(id)?.status !== "running");
    assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
  }
});

test("a pidfd socket that nobody listens on fails create and run, and nothing is left", async () => {
  const bundle = room.makeBundle();
  const absent = join(room.directory, "absent.sock");
  const file = join(room.directory, "file3");
  const long = `/${"x".repeat(200)}`;
  for (const verb of ["create", "run"]) {
    for (const [path, reason] of [
      [absent, /connecting to the pidfd socket .*absent.sock: .*no such file or directory/],
      [file, /connecting to the pidfd socket .*file3: .*connection refused/],
      [long, /connecting to the pidfd socket \/x+: .* at most 107 bytes/],
    ] as const) {
      const argv = [verb, "--pidfd-socket", path, "-b", bundle.directory, room.newId()];
      const { status, stderr } = room.tsRunc(argv);
      assert.is(status, 1);
      assert.match(logMessages(stderr)[0] ?? "", reason);
    }
  }
  // Relative to the bundle, as the console socket's path.
  using listener = listenAt(join(bundle.directory, "here.sock"));
  const argv = ["run", "--pidfd-socket", "here.sock", "-b", bundle.directory, room.newId()];
  assert.is(room.tsRunc(argv).status, 0);
  receiveDescriptor(listener).descriptor[Symbol.dispose]();
  assert.equal(await room.leftovers(), []);
});

test("nothing is left behind", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(room.remove);

test.run();
