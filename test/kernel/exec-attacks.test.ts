// Attacks on exec from the container that it enters: on the runtime's executable, memory and descriptors while its process is
// on the way in, and by what the container's files have become (CVE-2016-9962, CVE-2019-5736, CVE-2024-21626). Needs root.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { executable } from "../cli/executable.ts";
import { openExecRoom } from "../support/exec-room.ts";
import { runBriefly, slowness } from "../support/room.ts";

const test = suite("kernel/exec-attacks");
const execRoom = openExecRoom("exec-attacks");
const { room, startContainer, exec, rootfsOf } = execRoom;
const rounds = slowness === 1 ? 20 : 3;

/**
 * What init tries on every process of ours that it sees, and where it notes what worked: as long as the process still has
 * our name, for a moment later it is a program of the container's own. That root can count another process's descriptors
 * is Linux; what is behind them takes the right to trace it.
 */
const attack = `
note() {
  case $(cat $process/comm) in ts-runc*) echo "$*" >> /tmp/got ;; esac
}
while [ ! -e /tmp/stop ]; do
  for process in /proc/[0-9]*; do
    case $(cat $process/comm) in ts-runc*) ;; *) continue ;; esac
    echo "seen $(cat $process/comm)" >> /tmp/seen
    target=$(readlink $process/exe) && note "exe is $target"
    (: >> $process/exe) && note "exe written"
    (: >> $process/mem) && note "mem opened"
    for fd in $process/fd/*; do
      target=$(readlink $fd) && note "$fd is $target"
      inner=$(ls $fd/.) && note "$fd holds $inner"
      (: < $fd) && note "$fd opened"
    done
    inner=$(cat $process/environ) && note "environment $inner"
    inner=$(ls $process/cwd/.) && note "cwd holds $inner"
    inner=$(ls $process/root/.) && note "root holds $inner"
  done 2>/dev/null
done`;

const engineSet = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_KILL",
  "CAP_SETUID",
  "CAP_MKNOD",
];
const everything = [...engineSet, "CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_DAC_READ_SEARCH"];
const sets = (names: readonly string[]) => ({
  bounding: names,
  effective: names,
  permitted: names,
});
const mapped = [{ containerID: 0, hostID: 0, size: 65536 }];
const types = ["pid", "mount", "ipc", "uts", "network"].map((type) => ({ type }));

const attackers = {
  "root with an engine's capabilities": {
    process: { capabilities: sets(engineSet) },
    linux: { namespaces: types },
  },
  // In the initial user namespace CAP_SYS_PTRACE reaches every memory; there it does not.
  "root of a user namespace with every capability": {
    process: { capabilities: sets(everything) },
    linux: { namespaces: [...types, { type: "user" }], uidMappings: mapped, gidMappings: mapped },
  },
} as const;

function read(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

function hashOf(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

const before = hashOf(executable);

for (const [who, config] of Object.entries(attackers)) {
  test(`${who} sees exec come in and gets hold of nothing`, () => {
    const process = { ...config.process, args: ["sh", "-c", attack] };
    const id = startContainer({ ...config, process });
    const rootfs = rootfsOf(id);
    for (
      let round = 0;
      round < 10 * rounds && (round < rounds || read(`${rootfs}/tmp/seen`) === "");
      round += 1
    ) {
      // A long list of places makes the time in which there is something to see longer.
      const path = Array.from({ length: 500 }, (_, index) => `/absent${index}`).join(":");
      const { status, stderr } = exec("-e", `PATH=${path}:/bin`, "-u", `${round % 2}`, id, "true");
      assert.is(status, 0, stderr);
    }
    writeFileSync(`${rootfs}/tmp/stop`, "");
    // Otherwise the attack has proven nothing.
    assert.match(read(`${rootfs}/tmp/seen`), /ts-runc:init/);
    assert.is(read(`${rootfs}/tmp/got`), "");
    assert.is(hashOf(executable), before);
  });
}

test("a program that is /proc/self/exe, by name, link or interpreter, gets nothing of the runtime", () => {
  const id = startContainer({ process: { capabilities: sets(engineSet) } });
  const rootfs = rootfsOf(id);
  symlinkSync("/proc/self/exe", `${rootfs}/bin/link`);
  writeFileSync(`${rootfs}/bin/script`, "#!/proc/self/exe\n", { mode: 0o755 });
  for (const program of ["/proc/self/exe", "/bin/link", "link", "/bin/script"]) {
    const { status, stdout } = exec(id, program);
    // The stub again, which ends for want of a socket; a script's interpreter is looked up by then.
    assert.is.not(status, 0, program);
    assert.is(stdout, "", program);
  }
  assert.is(hashOf(executable), before);
  const overwrite = `
for target in /proc/self/exe /proc/$$/exe /proc/$PPID/exe; do
  echo evil > $target
  dd if=/bin/sh of=$target conv=notrunc
done 2>/dev/null
echo done`;
  assert.is(exec(id, "sh", "-c", overwrite).stdout, "done\n");
  assert.is(hashOf(executable), before);
});

test("no descriptor of the runtime's is a way out, as working directory or as program", () => {
  const id = startContainer();
  const rootfs = rootfsOf(id);
  writeFileSync(join(room.directory, "secret"), "secret of the host");
  const way = `for up in . .. ../.. ../../.. ../../../..; do cat $up${room.directory}/secret $up/secret; done 2>/dev/null; pwd -P`;
  for (const fd of [...Array.from({ length: 20 }, (_, index) => index), 100, 101, 102]) {
    for (const place of [`/proc/self/fd/${fd}`, `/proc/self/fd/${fd}/../..`, `/proc/1/fd/${fd}`]) {
      rmSync(`${rootfs}/tmp/way`, { force: true });
      symlinkSync(place, `${rootfs}/tmp/way`);
      for (const cwd of [place, "/tmp/way"]) {
        const { status, stdout } = exec("--cwd", cwd, id, "sh", "-c", way);
        assert.not.match(stdout, /secret/, cwd);
        if (status !== 0) assert.is(status, 255, cwd);
        else assert.match(stdout, /^\//, cwd);
      }
      assert.is(exec(id, `${place}/bin/sh`, "-c", way).stdout.includes("secret"), false, place);
    }
  }
});

test("what the container has made of /dev/null and /etc/passwd is neither waited for nor trusted", () => {
  const id = startContainer({
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs" },
    ],
  });
  const root = `/proc/${room.state(id)?.pid}/root`;
  const host = join(room.directory, "host-file");
  writeFileSync(host, "host");
  for (const make of [
    ["mkfifo", `${root}/dev/null`],
    ["ln", "-s", "/proc/1/mem", `${root}/dev/null`],
    ["mknod", `${root}/dev/null`, "c", "1", "5"],
    ["cp", host, `${root}/dev/null`],
  ]) {
    rmSync(`${root}/dev/null`, { force: true });
    assert.is(runBriefly(make).status, 0);
    const { status, stderr } = exec(id, "true");
    assert.is(status, 255, make.join(" "));
    assert.match(stderr, /reopening \/dev\/null/);
  }
  rmSync(`${root}/dev/null`);
  assert.is(exec(id, "true").status, 0, "without one, the stream is left as it is");
  for (const make of [
    ["mkfifo", `${root}/etc/passwd`],
    ["ln", "-s", host, `${root}/etc/passwd`],
    ["mkdir", `${root}/etc/passwd`],
  ]) {
    rmSync(`${root}/etc/passwd`, { recursive: true, force: true });
    assert.is(runBriefly(make).status, 0);
    assert.is(exec(id, "sh", "-c", "echo $HOME").stdout, "/\n");
  }
});

test("a container that kills what comes in makes exec fail, and nothing is left", async () => {
  const script = `while true; do for p in /proc/[0-9]*; do
    case $(cat $p/comm) in ts-runc*) kill -9 \${p#/proc/} ;; esac; done; done 2>/dev/null`;
  const id = startContainer({
    process: { args: ["sh", "-c", script], capabilities: sets(["CAP_KILL"]) },
  });
  const path = Array.from({ length: 500 }, (_, index) => `/absent${index}`).join(":");
  let killed = 0;
  for (let round = 0; round < 20 * rounds && killed < rounds; round += 1) {
    const { status, stderr } = exec("-e", `PATH=${path}:/bin`, id, "true");
    if (status === 0) continue;
    // Before execve we say so; behind it the program was killed.
    if (status === 255) assert.match(stderr, /exec failed: .*has died/);
    else assert.is(status, 137);
    killed += 1;
  }
  assert.ok(killed > 0, "the attack has never hit");
});

test("nothing is left behind", async () => {
  assert.equal(await execRoom.end(), []);
});

test.after(room.remove);

test.run();
