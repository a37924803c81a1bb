// linux.intelRdt against a tree of files that stands for resctrl, which this hardware lacks: the runtime is told of it by a mount
// table of the test's. What the kernel does there, making files with a directory and taking them away with it, the test does.
// Needs root.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findResctrl } from "../../src/host/resctrl.ts";
import { logMessages, type RunOptions } from "../cli/executable.ts";
import { makeFakeCriu } from "../support/fake-criu.ts";
import { openRoom, type Room, runBriefly } from "../support/room.ts";

const test = suite("kernel/resctrl");
const room = openRoom("resctrl");
type Change = NonNullable<Parameters<Room["makeBundle"]>[0]>;

const tree = join(room.directory, "resctrl");
const table = join(room.directory, "mountinfo");
const own = readFileSync("/proc/self/mountinfo", "utf8");
writeFileSync(table, `${own}4711 1 0:99 / ${tree} rw,relatime shared:9 - resctrl resctrl rw\n`);
for (const name of ["info/L3", "info/MB", "info/L3_MON", "mon_groups"]) {
  mkdirSync(join(tree, name), { recursive: true });
}
writeFileSync(join(tree, "info/last_cmd_status"), "ok\n");
for (const name of ["tasks", "schemata"]) writeFileSync(join(tree, name), "");

/** The command with a mount table of ours: its process is the shell's, which has it bound over its own. */
function withTable(
  argv: readonly string[],
  options: RunOptions = {},
): { readonly status: number; readonly output: string } {
  const script = `mount --bind ${table} /proc/$$/mountinfo && exec "$@"`;
  const unshared = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"];
  const { status, stdout, stderr } = runBriefly([...unshared, ...room.command(...argv)], options);
  return { status, output: status === 0 ? stdout.trim() : logMessages(stderr).join("\n") };
}

function create(id: string, intelRdt: object, more: Change = {}): ReturnType<typeof withTable> {
  const args = ["sleep", "1000"];
  const { directory } = room.makeBundle({ process: { args }, ...more, linux: { intelRdt } });
  return withTable(["run", "-d", "-b", directory, id]);
}

function expectCreate(id: string, intelRdt: object): void {
  const { status, output } = create(id, intelRdt);
  assert.is(status, 0, output);
}

function read(...path: readonly string[]): string {
  return readFileSync(join(tree, ...path), "utf8").trim();
}

/** Deletes the container; the files of its groups go with the directories, as the kernel has it. */
function remove(id: string, ...groups: readonly string[]): void {
  for (const group of groups) {
    for (const entry of readdirSync(join(tree, group), { withFileTypes: true })) {
      if (entry.isFile()) rmSync(join(tree, group, entry.name));
    }
  }
  const { status, stderr } = room.tsRunc(["delete", "--force", id]);
  assert.is(status, 0, stderr);
}

/** Makes a directory with what the kernel would put there. */
function makeGroup(name: string, schemata: string): void {
  mkdirSync(join(tree, name, "mon_groups"), { recursive: true });
  writeFileSync(join(tree, name, "schemata"), schemata);
  writeFileSync(join(tree, name, "tasks"), "");
}

test("findResctrl() finds the mount point, blanks and all", () => {
  assert.is(findResctrl(own), undefined);
  const line = "30 1 0:27 / /sys/fs/res\\040ctrl rw shared:3 master:4 - resctrl none rw";
  assert.is(findResctrl(`1 0 0:1 / / rw - tmpfs resctrl rw\n${line}\n`), "/sys/fs/res ctrl");
});

test("a container gets a class of its own id, with its schemata, and is in it", () => {
  const id = room.newId();
  expectCreate(id, {
    l3CacheSchema: "L3:0=f;1=f0\nMB:0=99",
    memBwSchema: "MB:0=20;1=70",
    schemata: ["L2:0=3"],
  });
  assert.is(read(id, "schemata"), "L3:0=f;1=f0\nMB:0=20;1=70\nL2:0=3");
  const pid = room.state(id)?.pid;
  assert.is(read(id, "tasks"), `${pid}`);
  const record = JSON.parse(readFileSync(join(room.directory, "state", id, "state.json"), "utf8"));
  assert.is(record.intel_rdt_path, join(tree, id));
  const exec = room.tsRunc(["exec", id, "true"]);
  assert.is(exec.status, 0, exec.stderr);
  // The process of exec has written its own.
  assert.is.not(read(id, "tasks"), `${pid}`);
  assert.match(read(id, "tasks"), /^\d+$/);
  remove(id, id);
  assert.not.ok(existsSync(join(tree, id)));
});

test("a container that is restored is in its class, too", () => {
  const criu = makeFakeCriu(join(room.directory, "fake"));
  criu.play({ scripts: ["setup-namespaces", "post-setup-namespaces", "post-restore"] });
  const images = join(room.directory, "images");
  mkdirSync(images);
  writeFileSync(join(images, "descriptors.json"), '["/dev/null", "/dev/null", "/dev/null"]');
  const { directory } = room.makeBundle({ linux: { intelRdt: { memBwSchema: "MB:0=40" } } });
  const id = room.newId();
  const argv = ["restore", "-d", "-b", directory, "--image-path", images, id];
  const { status, output } = withTable(argv, { env: criu.env });
  assert.is(status, 0, output);
  assert.is(read(id, "schemata"), "MB:0=40");
  // CRIU is in it, and what it restores is born into it.
  assert.match(read(id, "tasks"), /^\d+$/);
  remove(id, id);
  assert.not.ok(existsSync(join(tree, id)));
});

test("a class that is there is joined, compared, and left", () => {
  makeGroup("gold", "    MB:0=100;1=100\n    L3:0=00f;1=00f\n");
  const id = room.newId();
  expectCreate(id, { closID: "gold" });
  assert.is(read("gold", "tasks"), `${room.state(id)?.pid}`);
  assert.match(read("gold", "schemata"), "L3:0=00f");
  remove(id);
  const same = room.newId();
  expectCreate(same, { closID: "gold", l3CacheSchema: "L3:0=F;1=f" });
  remove(same);
  assert.ok(existsSync(join(tree, "gold")));
  makeGroup("gold", "    L3:0=00f;1=00f\n");
  const { status, output } = create(room.newId(), { closID: "gold", l3CacheSchema: "L3:0=1f" });
  assert.is(status, 1);
  assert.match(output, /intelRdt\.closID: .*\/gold is there, with L3:0=f, and the config wants 1f/);
});

test("a class that is not there is made for a schema, and an error without", () => {
  const id = room.newId();
  expectCreate(id, { closID: "silver", memBwSchema: "MB:0=50" });
  assert.is(read("silver", "schemata"), "MB:0=50");
  remove(id, "silver");
  assert.not.ok(existsSync(join(tree, "silver")));
  const { status, output } = create(room.newId(), { closID: "silver" });
  assert.is(status, 1);
  const words =
    "clos dir not accessible (must be pre-created when l3CacheSchema and memBwSchema are empty): stat";
  assert.ok(output.includes(`${words} ${tree}/silver: no such file or directory`), output);
});

test("the root class is joined as /", () => {
  const id = room.newId();
  expectCreate(id, { closID: "/", schemata: ["MB:0=80"] });
  assert.is(read("tasks"), `${room.state(id)?.pid}`);
  assert.is(read("schemata"), "MB:0=80");
  remove(id);
  assert.ok(existsSync(tree));
});

test("a container that is to be counted gets a group for it, which goes with it", () => {
  makeGroup("counted", "");
  const id = room.newId();
  expectCreate(id, { closID: "counted", enableMonitoring: true });
  const group = join("counted/mon_groups", id);
  assert.is(read(group, "tasks"), `${room.state(id)?.pid}`);
  assert.is(room.tsRunc(["exec", id, "true"]).status, 0);
  assert.is.not(read(group, "tasks"), `${room.state(id)?.pid}`);
  remove(id, group);
  assert.not.ok(existsSync(join(tree, group)));
  assert.ok(existsSync(join(tree, "counted")));
});

test("update gives the container's class other schemata, or the container a class", () => {
  const update = (id: string, ...argv: readonly string[]) => withTable(["update", ...argv, id]);
  const id = room.newId();
  expectCreate(id, { memBwSchema: "MB:0=50" });
  assert.is(update(id, "--mem-bw-schema", "MB:0=70", "--l3-cache-schema", "L3:0=3").status, 0);
  assert.is(read(id, "schemata"), "L3:0=3\nMB:0=70");
  // What cannot be done as a whole is not done in part.
  const refused = update(id, "--mem-bw-schema", "MB:0=90", "--cpuset-cpus", "4000");
  assert.is(refused.status, 1, refused.output);
  assert.is(read(id, "schemata"), "L3:0=3\nMB:0=70");
  remove(id, id);
  const plain = room.newId();
  const { directory } = room.makeBundle({ process: { args: ["sleep", "1000"] } });
  assert.is(room.tsRunc(["run", "-d", "-b", directory, plain]).status, 0);
  const without = room.tsRunc(["update", "--l3-cache-schema", "L3:0=f", plain]);
  assert.is(without.status, 1);
  assert.match(without.stderr, /Intel RDT\/CAT: l3 cache schema is not enabled/);
  const given = update(plain, "--l3-cache-schema", "L3:0=f");
  assert.is(given.status, 0, given.output);
  assert.is(read(plain, "schemata"), "L3:0=f");
  assert.is(read(plain, "tasks"), `${room.state(plain)?.pid}`);
  remove(plain, plain);
  assert.not.ok(existsSync(join(tree, plain)));
});

test("what is made for a container that cannot be is taken back", () => {
  const id = room.newId();
  // Without the directory that the kernel would have made no group for counting can be.
  const counted = create(id, { enableMonitoring: true });
  assert.is(counted.status, 1);
  assert.match(
    counted.output,
    /making the resctrl group \(linux\.intelRdt\): mkdirat .*mon_groups/,
  );
  rmSync(join(tree, id), { recursive: true, force: true });
  assert.is(room.state(id), undefined);
});

test("without resctrl a config that asks for it is refused in runc's words", () => {
  for (const [intelRdt, message] of [
    [
      { l3CacheSchema: "L3:0=f" },
      "intelRdt.l3CacheSchema is specified in config, but Intel RDT/CAT",
    ],
    [
      { memBwSchema: "MB:0=10" },
      "intelRdt.memBwSchema is specified in config, but Intel RDT/MBA is",
    ],
    [{ closID: "a" }, "intelRdt is specified in config, but Intel RDT is not supported or enabled"],
    [{ closID: "a/b" }, 'invalid intelRdt.ClosID "a/b"'],
    [{ closID: ".." }, 'invalid intelRdt.ClosID ".."'],
    [{ memBwSchema: "L3:0=1" }, "/linux/intelRdt/memBwSchema"],
  ] as const) {
    const { directory } = room.makeBundle({ linux: { intelRdt } });
    const { status, stderr } = room.tsRunc(["run", "-b", directory, room.newId()]);
    assert.is(status, 1);
    assert.ok(logMessages(stderr).join("\n").includes(message), stderr);
  }
  const { directory } = room.makeBundle({ process: { args: ["true"] }, linux: { intelRdt: {} } });
  assert.is(room.tsRunc(["run", "-b", directory, room.newId()]).status, 0);
});

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
