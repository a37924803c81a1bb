// Containers that are saved by the real CRIU and go on when they are restored, in the machine of test/vm: Debian's CRIU does not
// know newer kernels. What is asked of CRIU is in checkpoint-requests.test.ts. Needs root.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { present } from "../../src/base/assert.ts";
import { canConfine, loadProfile } from "../support/apparmor.ts";
import {
  counter,
  counting,
  countOf,
  findCriuObstacle,
  openCheckpointRoom,
  untilCounted,
} from "../support/checkpoint-room.ts";
import { listenAt, receiveDescriptor } from "../support/descriptor-socket.ts";
import { type Bundle, until } from "../support/room.ts";
import { readUntil, terminalMounts } from "../support/terminal.ts";

const test = suite("kernel/checkpoint");
const checkpoints = openCheckpointRoom("checkpoint");
const { room, newImages, quietly, start, save, restore, end } = checkpoints;
const obstacle = findCriuObstacle();
if (obstacle !== undefined) console.log(`skip: ${obstacle}`);
const here = obstacle === undefined ? test : test.skip;

/** Uses a restored container as any other, and ends it. */
async function useAndEnd(id: string, bundle: Bundle): Promise<void> {
  assert.is(room.state(id)?.status, "running");
  const { status, stdout, stderr } = room.tsRunc(["exec", id, "cat", "/proc/1/comm"]);
  assert.equal([status, stdout, stderr], [0, "sh\n", ""]);
  assert.is(room.tsRunc(["pause", id]).status, 0);
  assert.is(room.state(id)?.status, "paused");
  assert.is(room.tsRunc(["resume", id]).status, 0);
  const before = countOf(bundle);
  assert.ok((await untilCounted(bundle, before)) > before);
  assert.is(room.tsRunc(["kill", id, "KILL"]).status, 0);
  await until(() => room.state(id)?.status === "stopped");
  assert.equal(room.tsRunc(["delete", id]), { status: 0, stdout: "", stderr: "" });
  assert.equal(await room.leftovers(), []);
}

/** What an ordinary container has, as `ts-runc spec` would have it. */
function ordinary() {
  return {
    process: counter,
    mounts: [
      ...terminalMounts,
      { destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "mode=1777"] },
      { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid"] },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro", "nosuid"] },
      { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro"] },
    ],
    linux: {
      namespaces: ["mount", "pid", "network", "ipc", "uts"].map((type) => ({ type })),
      maskedPaths: ["/proc/acpi", "/proc/kcore", "/proc/keys", "/sys/firmware"],
      readonlyPaths: ["/proc/bus", "/proc/sys"],
      resources: { pids: { limit: 64 }, memory: { limit: 256 * 1024 * 1024 } },
    },
  };
}

here("a saved container is gone, and goes on where it was when it is restored", async () => {
  const bundle = room.makeBundle(ordinary());
  const id = start(bundle);
  await untilCounted(bundle, 5);
  const directory = save(id);
  assert.is(room.state(id), undefined);
  assert.equal(await room.leftovers(), []);
  const saved = countOf(bundle);
  await Bun.sleep(500);
  assert.is(countOf(bundle), saved, "it has stopped");
  const restored = restore(bundle, directory);
  const next = await untilCounted(bundle, saved);
  assert.ok(next > saved && next < saved + 1000, `${saved}, then ${next}`);
  const group = room.tsRunc(["exec", restored, "cat", "/proc/self/cgroup"]).stdout;
  assert.match(group, restored);
  const loopback = room.tsRunc(["exec", restored, "busybox", "ip", "link", "show", "lo"]).stdout;
  assert.match(loopback, /<LOOPBACK,UP/);
  const record = join(room.directory, "state", restored, "state.json");
  // On v2 all paths are of the one group.
  const paths: Record<string, string> = JSON.parse(readFileSync(record, "utf8")).cgroup_paths;
  const limits = paths["pids"] ?? Object.values(paths)[0] ?? "";
  assert.is(readFileSync(join(limits, "pids.max"), "utf8"), "64\n");
  const masked = room.tsRunc(["exec", restored, "sh", "-c", "cat /proc/kcore | wc -c"]);
  assert.is(masked.stdout.trim(), "0");
  await useAndEnd(restored, bundle);
});

here("a container that is left running goes on, and can be restored beside it", async () => {
  // A file of the root that has changed since would not be restored.
  const bundle = room.makeBundle({
    process: counter,
    mounts: [...terminalMounts, { destination: "/tmp", type: "tmpfs", source: "tmpfs" }],
  });
  const counts = (id: string, above: number) =>
    untilCounted({ rootfs: `/proc/${room.state(id)?.pid}/root` }, above);
  const id = start(bundle);
  const before = await counts(id, 3);
  const directory = save(id, "--leave-running");
  assert.is(room.state(id)?.status, "running");
  assert.ok((await counts(id, before)) > before);
  const other = restore(bundle, directory);
  assert.ok((await counts(other, before)) > before);
  for (const each of [id, other]) assert.is(room.tsRunc(["delete", "--force", each]).status, 0);
  assert.equal(await room.leftovers(), []);
});

here("memory is saved before, and only what has changed since is saved then", async () => {
  const bundle = room.makeBundle({ process: counter });
  const id = start(bundle);
  await untilCounted(bundle, 3);
  const before = save(id, "--pre-dump");
  assert.is(room.state(id)?.status, "running");
  const parent = `../${before.slice(before.lastIndexOf("/") + 1)}`;
  const directory = save(id, "--parent-path", parent);
  assert.ok(readdirSync(directory).includes("parent"));
  const saved = countOf(bundle);
  const restored = restore(bundle, directory);
  assert.ok((await untilCounted(bundle, saved)) > saved);
  await end(restored);
});

here("bind mounts are the host's again, whatever links lead to them", async () => {
  const source = join(room.directory, "data");
  mkdirSync(source);
  const bundle = room.makeBundle({
    ...ordinary(),
    mounts: [
      ...ordinary().mounts,
      { destination: "/var/data", type: "bind", source, options: ["bind", "ro"] },
      { destination: "/etc/motd", type: "bind", source: "/etc/hosts", options: ["bind"] },
    ],
  });
  Bun.spawnSync(["ln", "-s", "tmp", join(bundle.rootfs, "var")]);
  const id = start(bundle);
  await untilCounted(bundle, 3);
  const directory = save(id, "--work-path", newImages());
  const restored = restore(bundle, directory, "--work-path", newImages());
  writeFileSync(join(source, "new"), "new\n");
  const read = room.tsRunc(["exec", restored, "cat", "/var/data/new", "/etc/motd"]);
  assert.is(read.stdout, `new\n${readFileSync("/etc/hosts", "utf8")}`);
  const write = room.tsRunc(["exec", restored, "touch", "/var/data/other"]);
  assert.match(write.stderr, "Read-only file system");
  await end(restored);
});

here("a namespace of others stays as it is", async () => {
  const holder = Bun.spawn(["unshare", "--net", "sleep", "1000"], { stdin: "ignore" });
  try {
    const path = `/proc/${holder.pid}/ns/net`;
    await until(() => linkOf(path) !== linkOf("/proc/self/ns/net"));
    const types = [{ type: "mount" }, { type: "pid" }, { type: "network", path }] as const;
    const bundle = room.makeBundle({ process: counter, linux: { namespaces: types } });
    const id = start(bundle);
    await untilCounted(bundle, 3);
    const restored = restore(bundle, save(id));
    const { pid } = present(room.state(restored), "the container");
    assert.is(linkOf(`/proc/${pid}/ns/net`), linkOf(path));
    await end(restored);
  } finally {
    holder.kill("SIGKILL");
  }
});

here("a container in the host's network and ids of processes is restored into them", async () => {
  const namespaces = [{ type: "mount" }, { type: "ipc" }] as const;
  const bundle = room.makeBundle({ process: { args: ["sleep", "1000"] }, linux: { namespaces } });
  const id = start(bundle);
  const { pid } = present(room.state(id), "the container");
  // Its session is the caller's.
  const directory = save(id, "--shell-job");
  const restored = restore(bundle, directory, "--shell-job");
  const state = present(room.state(restored), "the container");
  assert.is(state.pid, pid, "a pid is a part of what is saved");
  assert.is(linkOf(`/proc/${pid}/ns/net`), linkOf("/proc/self/ns/net"));
  await end(restored);
});

here("a terminal is sent to the console socket, and is the one that the program has", async () => {
  const bundle = room.makeBundle({
    ...ordinary(),
    process: { terminal: true, args: ["sh", "-c", "while read line; do echo got $line; done"] },
  });
  const path = join(room.directory, "console.sock");
  using listener = listenAt(path);
  const id = room.newId();
  quietly("ts-runc", ["run", "-d", "--console-socket", path, "-b", bundle.directory, id]);
  let directory: string;
  {
    using master = receiveDescriptor(listener).descriptor;
    Bun.write(Bun.file(master.fd), "one\n");
    assert.match(readUntil(master, "got one"), "got one");
    directory = save(id);
  }
  const restored = restore(bundle, directory, "--console-socket", path);
  using master = receiveDescriptor(listener).descriptor;
  Bun.write(Bun.file(master.fd), "two\n");
  assert.match(readUntil(master, "got two"), "got two");
  await end(restored);
});

here(
  "in the foreground restore passes pipes and signals on, and ends with the status",
  async () => {
    const trapping = "trap 'echo caught; exit 5' TERM";
    const bundle = room.makeBundle({ process: { args: ["sh", "-c", `${trapping}; ${counting}`] } });
    const id = room.newId();
    const [output, statusFile] = [join(room.directory, "output"), join(room.directory, "status")];
    /** With a pipe: what Bun calls one is a socket. */
    const piped = (...argv: readonly string[]) => {
      const line = `(${room.command(...argv).join(" ")}; echo $? >${statusFile}) 2>&1 | cat >${output}`;
      return Bun.spawn(["sh", "-c", line], { stdio: ["ignore", "ignore", "ignore"] }).exited;
    };
    const first = piped("run", "--bundle", bundle.directory, id);
    await untilCounted(bundle, 3);
    const directory = save(id);
    await first;
    assert.is(readFileSync(statusFile, "utf8"), "137\n", "what was saved was killed");
    const saved = countOf(bundle);
    const second = piped("restore", "--bundle", bundle.directory, "--image-path", directory, id);
    await untilCounted(bundle, saved);
    const { pid } = present(room.state(id), "the container");
    const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    assert.match(linkOf(`/proc/${parent}/exe`), "ts-runc");
    process.kill(Number(parent), "SIGTERM");
    await second;
    assert.is(readFileSync(output, "utf8"), "caught\n");
    assert.is(readFileSync(statusFile, "utf8"), "5\n");
    assert.is(room.state(id), undefined);
    assert.equal(await room.leftovers(), []);
  },
);

here("a container in a user namespace of its own", async () => {
  const { linux, ...rest } = ordinary();
  const map = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  const namespaces = [...linux.namespaces, { type: "user" as const }];
  const bundle = room.makeBundle({
    ...rest,
    linux: { ...linux, namespaces, uidMappings: map, gidMappings: map },
  });
  Bun.spawnSync(["chown", "-R", "100000:100000", bundle.rootfs]);
  const id = start(bundle);
  await untilCounted(bundle, 3);
  const restored = restore(bundle, save(id));
  await useAndEnd(restored, bundle);
});

if (!canConfine) console.log("skip: profiles: there is no AppArmor, or no apparmor_parser");
const confined = obstacle === undefined && canConfine ? test : test.skip;

confined("a container has its profile again, or the one that is asked for", async () => {
  const profiles = ["ts-runc-saved", "ts-runc-restored"] as const;
  for (const name of profiles) loadProfile(room.directory, name);
  const sleeper = { args: ["sleep", "1000"], apparmorProfile: profiles[0] };
  const bundle = room.makeBundle({ process: sleeper });
  const directory = save(start(bundle));
  for (const [name, ...options] of [
    [profiles[0]],
    [profiles[1], "--lsm-profile", `apparmor:${profiles[1]}`],
  ] as const) {
    const restored = restore(bundle, directory, ...options);
    const { pid } = present(room.state(restored), "the container");
    const label = readFileSync(`/proc/${pid}/attr/current`, "utf8");
    assert.is(label, `${name} (enforce)\n`);
    await end(restored);
  }
});

here("what cannot be saved is told by criu, and the container goes on", async () => {
  const bundle = room.makeBundle({ process: counter });
  const id = room.newId();
  const file = join(room.directory, "output");
  writeFileSync(file, "");
  const child = Bun.spawnSync(room.command("run", "-d", "-b", bundle.directory, id), {
    stdio: ["ignore", Bun.file(file), "ignore"],
  });
  assert.is(child.exitCode, 0);
  const before = await untilCounted(bundle, 3);
  const checkpoint = ["checkpoint", "--image-path", newImages(), id];
  const said = quietly("ts-runc", checkpoint, { fails: true });
  assert.match(said, /Quoting .*dump\.log/);
  assert.match(said, /criu failed: type DUMP errno \d+.*Can't lookup mount/);
  assert.ok((await untilCounted(bundle, before)) > before);
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
});

here("runc restores what ts-runc has saved, and the other way round", async () => {
  const bundle = room.makeBundle({ process: counter });
  for (const [saves, restores] of [
    ["ts-runc", "runc"],
    ["runc", "ts-runc"],
  ] as const) {
    const id = start(bundle, saves);
    await untilCounted(bundle, 3);
    const directory = newImages();
    quietly(saves, ["checkpoint", "--image-path", directory, id]);
    const saved = countOf(bundle);
    const common = ["restore", "--detach", "--bundle", bundle.directory];
    quietly(restores, [...common, "--image-path", directory, id]);
    assert.ok((await untilCounted(bundle, saved)) > saved);
    assert.is(room.runtime(restores, ["delete", "--force", id]).status, 0);
  }
  assert.equal(await room.leftovers(), []);
});

function linkOf(path: string): string {
  return Bun.spawnSync(["readlink", path]).stdout.toString();
}

test("nothing is left", checkpoints.close);

test.run();
