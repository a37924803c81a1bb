// Namespaces that exist and are joined by path, of every type and of several owners; time namespaces and their offsets; paths
// that are none. crun 1.8.1 and runc 1.1.5 make no time namespaces here. Needs root.

import { existsSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { logMessages } from "../cli/executable.ts";
import { openExecRoom } from "../support/exec-room.ts";
import { type Room, until } from "../support/room.ts";

const test = suite("kernel/namespaces");
const execRoom = openExecRoom("namespaces");
const { room, startContainer, exec, outputOf } = execRoom;
type Change = NonNullable<Parameters<Room["makeBundle"]>[0]>;

/** Names below /proc/PID/ns of the types of config.json. */
const names = {
  pid: "pid",
  network: "net",
  mount: "mnt",
  ipc: "ipc",
  uts: "uts",
  user: "user",
  cgroup: "cgroup",
  time: "time",
} as const;
type Type = keyof typeof names;
const types = ["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"] as const;

/** Processes with namespaces of their own, which the test ends. */
const holders: Bun.Subprocess[] = [];
process.on("exit", () => {
  for (const holder of holders) holder.kill("SIGKILL");
});

/** Starts a process in new namespaces, and returns the path of each. */
async function hold(...options: readonly string[]): Promise<(type: Type) => string> {
  const child = Bun.spawn(["unshare", ...options, "sleep", "1000"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  holders.push(child);
  child.unref();
  // It has its namespaces when it has become sleep; a fork makes that a grandchild.
  let pid = 0;
  await until(() => {
    const children = readText(`/proc/${child.pid}/task/${child.pid}/children`).trim();
    pid = options.includes("--fork") ? Number(children) : child.pid;
    return pid !== 0 && readText(`/proc/${pid}/comm`) === "sleep\n";
  });
  return (type) => `/proc/${pid}/ns/${names[type]}`;
}

function readText(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

const mounts = [
  { destination: "/proc", type: "proc", source: "proc" },
  { destination: "/dev", type: "tmpfs", source: "tmpfs" },
];

/** A bundle with these namespaces: a path joins one, no path makes one. */
function withNamespaces(paths: Partial<Record<Type, string>>, more: Change = {}): Change {
  const namespaces = Object.entries(paths).map(([type, path]) =>
    path === "" ? { type } : { type, path },
  );
  return { mounts, ...more, linux: { ...more.linux, namespaces } };
}

const showAll = [
  "sh",
  "-c",
  `for name in ${Object.values(names).join(" ")}; do readlink /proc/self/ns/$name; done`,
];

function run(change: Change): { readonly status: number; readonly output: string } {
  const { directory } = room.makeBundle(change);
  const { status, stdout, stderr } = room.tsRunc(["run", "-b", directory, room.newId()]);
  return { status, output: status === 0 ? stdout.trim() : logMessages(stderr).join("\n") };
}

for (const joined of types) {
  // A pid namespace without a mount namespace of its own would show the host's proc.
  const made = types.filter((type) => type !== joined && type !== "user" && type !== "cgroup");
  test(`a ${joined} namespace is joined by its path, and is exec's, too`, async () => {
    const options: Readonly<Record<Type, readonly string[]>> = {
      pid: ["--pid", "--fork", "--kill-child"],
      network: ["--net"],
      mount: ["--mount", "--propagation", "private"],
      ipc: ["--ipc"],
      uts: ["--uts"],
      user: ["--user", "--map-root-user"],
      cgroup: ["--cgroup"],
      time: ["--time", "--fork", "--kill-child", "--boottime", "1000"],
    };
    const path = (await hold(...options[joined]))(joined);
    const paths = Object.fromEntries([...made.map((type) => [type, ""]), [joined, path]]);
    const id = startContainer(withNamespaces(paths, { process: { args: ["sleep", "1000"] } }));
    const pid = room.state(id)?.pid ?? 0;
    assert.is(readlinkSync(`/proc/${pid}/ns/${names[joined]}`), readlinkSync(path));
    for (const type of made) {
      const [own, ours] = [pid, "self"].map((of) => readlinkSync(`/proc/${of}/ns/${names[type]}`));
      assert.is.not(own, ours, type);
    }
    const seen = outputOf(id, ...showAll).split("\n");
    const expected = Object.values(names).map((name) => readlinkSync(`/proc/${pid}/ns/${name}`));
    assert.equal(seen, expected);
  });
}

test("namespaces of several owners are joined together", async () => {
  const other = await hold("--user", "--map-root-user", "--net", "--ipc");
  const host = await hold("--uts");
  const second = await hold("--user", "--map-root-user");
  // The user namespace that owns network and ipc, a uts of the host's, and the rest new.
  const paths = { user: other("user"), network: other("network"), ipc: other("ipc") };
  const all = { ...paths, uts: host("uts"), pid: "", mount: "" };
  const process = { args: showAll };
  const { status, output } = run(withNamespaces(all, { process }));
  assert.is(status, 0, output);
  const seen = new Map(Object.keys(names).map((type, index) => [type, output.split("\n")[index]]));
  for (const type of ["user", "network", "ipc"] as const) {
    assert.is(seen.get(type), readlinkSync(other(type)), type);
  }
  assert.is(seen.get("uts"), readlinkSync(host("uts")));
  // Of a stranger to the user namespace: nobody in it could join it, the host's root can, before.
  const strange = { ...paths, user: second("user"), pid: "", mount: "" };
  const mixed = run(withNamespaces(strange, { process }));
  assert.is(mixed.status, 0, mixed.output);
  assert.match(mixed.output, readlinkSync(second("user")));
  assert.match(mixed.output, readlinkSync(other("network")));
});

test("a path to a namespace of another type is refused with both", async () => {
  const path = (await hold("--uts"))("uts");
  for (const type of types.filter((one) => one !== "uts")) {
    const rest = type === "mount" ? { pid: "" } : { pid: "", mount: "" };
    const { status, output } = run(withNamespaces({ ...rest, [type]: path }));
    assert.is(status, 1, output);
    const words = `linux.namespaces: ${path} is no ${type} namespace, it is of another type (CLONE_NEWUTS)`;
    assert.ok(output.includes(words), output);
  }
});

test("a path to what is no namespace is refused, and nothing waits for it", () => {
  const plain = join(room.directory, "plain");
  writeFileSync(plain, "");
  const fifo = join(room.directory, "fifo");
  assert.is(Bun.spawnSync(["mkfifo", fifo]).exitCode, 0);
  for (const [path, words] of [
    [
      plain,
      `asking the network namespace ${plain} for its type: ioctl: inappropriate ioctl for device`,
    ],
    [
      fifo,
      `asking the network namespace ${fifo} for its type: ioctl: inappropriate ioctl for device`,
    ],
    [
      "/absent/net",
      'opening the network namespace /absent/net: openat "/absent/net": no such file',
    ],
  ] as const) {
    const { status, output } = run(withNamespaces({ pid: "", mount: "", network: path }));
    assert.is(status, 1);
    assert.ok(output.includes(words), output);
  }
  const relative = run(withNamespaces({ mount: "", network: "run/netns" }));
  assert.match(relative.output, /\/linux\/namespaces.*must be an absolute path, got .*run\/netns/);
});

const offsets = { monotonic: { secs: 7881, nanosecs: 2718281 }, boottime: { secs: -1 } };
const lookAtTime = ["cat", "/proc/self/timens_offsets"];
const seenOffsets = /^monotonic\s+7881\s+2718281\nboottime\s+-1\s+0$/;

test("a new time namespace has no offsets, or those of linux.timeOffsets", () => {
  const paths = { pid: "", mount: "", time: "" };
  const process = { args: lookAtTime };
  const plain = run(withNamespaces(paths, { process }));
  assert.match(plain.output, /^monotonic\s+0\s+0\nboottime\s+0\s+0$/);
  const set = run(withNamespaces(paths, { process, linux: { timeOffsets: offsets } }));
  assert.is(set.status, 0, set.output);
  assert.match(set.output, seenOffsets);
  const one = { boottime: { nanosecs: 5 } };
  const half = run(withNamespaces(paths, { process, linux: { timeOffsets: one } }));
  assert.match(half.output, /^monotonic\s+0\s+0\nboottime\s+0\s+5$/);
});

test("time offsets go with a user namespace, and without a pid namespace", () => {
  const process = { args: lookAtTime };
  const user = {
    uidMappings: [{ containerID: 0, hostID: 100_000, size: 10 }],
    gidMappings: [{ containerID: 0, hostID: 100_000, size: 10 }],
    timeOffsets: offsets,
  };
  const paths = { pid: "", mount: "", time: "", user: "" };
  const inUser = run(withNamespaces(paths, { process, linux: user }));
  assert.is(inUser.status, 0, inUser.output);
  assert.match(inUser.output, seenOffsets);
  const bare = { mount: "", time: "" };
  const shared = run(withNamespaces(bare, { process, linux: { timeOffsets: offsets } }));
  assert.is(shared.status, 0, shared.output);
  assert.match(shared.output, seenOffsets);
});

test("clocks of a container are those of its time namespace, for exec, too", () => {
  const timeOffsets = { boottime: { secs: 1_000_000 }, monotonic: { secs: 1_000_000 } };
  const id = startContainer(
    withNamespaces({ pid: "", mount: "", time: "" }, { linux: { timeOffsets } }),
  );
  const uptime = Number(outputOf(id, "cut", "-d", " ", "-f", "1", "/proc/uptime"));
  const ours = Number(
    new TextDecoder().decode(Bun.spawnSync(["cat", "/proc/uptime"]).stdout).split(" ")[0],
  );
  assert.ok(Math.abs(uptime - ours - 1_000_000) < 60, `${uptime} inside, ${ours} outside`);
  assert.match(outputOf(id, ...lookAtTime), /boottime\s+1000000\s+0/);
  assert.is(room.state(id)?.status, "running");
  const paths = JSON.parse(JSON.stringify(execRoom.recordOf(id))).namespace_paths;
  assert.is(paths.NEWTIME, `/proc/${room.state(id)?.pid}/ns/time`);
  assert.is(exec(id, "true").status, 0);
});

test("offsets that cannot be are refused with property, value and rule", () => {
  const paths = { pid: "", mount: "", time: "" };
  const asked = (timeOffsets: object, of: Partial<Record<Type, string>> = paths) =>
    run(withNamespaces(of, { linux: { timeOffsets } }));
  const negative = asked({ boottime: { secs: -1e9 } });
  assert.is(negative.status, 1);
  const words =
    /setting linux\.timeOffsets \(boottime -1000000000 0\): write "\/proc\/\d+\/timens_offsets": numerical result out of range/;
  assert.match(negative.output, words);
  const nanos = asked({ boottime: { secs: 1, nanosecs: 1e9 } });
  assert.match(nanos.output, /\/linux\/timeOffsets\/boottime\/nanosecs: must be below 1000000000/);
  const clock = /\/linux\/timeOffsets: must be about monotonic or boottime, got .*realtime/;
  assert.match(asked({ realtime: { secs: 1 } }).output, clock);
  const without = asked({ boottime: { secs: 1 } }, { pid: "", mount: "" });
  assert.match(
    without.output,
    /time namespace offsets specified, but time namespace isn't enabled/,
  );
  const joined = asked({ boottime: { secs: 1 } }, { ...paths, time: "/proc/self/ns/time" });
  assert.match(joined.output, /time offsets cannot be set in an existing time namespace/);
});

test("nothing is left", async () => {
  // Those with a mount namespace have the room's mounts.
  for (const holder of holders) holder.kill("SIGKILL");
  await until(() => holders.every(({ exitCode, signalCode }) => (exitCode ?? signalCode) !== null));
  assert.equal(await execRoom.end(), []);
  room.remove();
});

test.run();
