// Attacks on the runtime itself from inside of containers: its executable, its memory and its descriptors must be out of
// their reach, while a container is made and afterwards (CVE-2016-9962, CVE-2019-5736). Needs root.

import { createHash } from "node:crypto";
import { closeSync, constants, openSync, readFileSync, readlinkSync, writeSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { executable } from "../cli/executable.ts";
import { openRoom, slowness, statusField, until } from "../support/room.ts";

const test = suite("kernel/attacks-runtime");
const room = openRoom("reach");

const pidNamespace = { type: "pid" };
const namespaces = [pidNamespace, { type: "mount" }];

/** Of the capabilities that engines give, the ones that could help an attacker most. */
const capabilities = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_KILL",
  "CAP_SETUID",
  "CAP_MKNOD",
];
const root = {
  capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
};

/**
 * What the attacker tries on every init that it sees, and where it notes what worked. That root can count another process's
 * descriptors is Linux; what is behind them takes the right to trace it.
 */
const attack = `
echo ready > /tmp/ready
while [ ! -e /tmp/stop ]; do
  for process in /proc/[0-9]*; do
    case $(cat $process/comm) in ts-runc*) ;; *) continue ;; esac
    echo "seen $(cat $process/comm)" >> /tmp/seen
    target=$(readlink $process/exe) && echo "exe is $target" >> /tmp/got
    (: >> $process/exe) && echo "exe written" >> /tmp/got
    (: >> $process/mem) && echo "mem opened" >> /tmp/got
    for fd in $process/fd/*; do
      readlink $fd >> /tmp/got
      ls $fd/. >> /tmp/got
      (: < $fd) && echo "$fd opened" >> /tmp/got
    done
    cat $process/environ >> /tmp/got
    ls $process/cwd/. >> /tmp/got
    ls $process/root/. >> /tmp/got
  done 2>/dev/null
done`;

function hashOf(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Nothing has been noted.
    return "";
  }
}

const before = hashOf(executable);

test("a container that shares its pid namespace reaches nothing of one that is being made", async () => {
  const attacker = room.makeBundle({
    process: { args: ["sh", "-c", attack], ...root },
    linux: { namespaces },
  });
  const id = room.newId();
  assert.is(room.tsRunc(["run", "-d", "--bundle", attacker.directory, id]).status, 0);
  const pid = room.state(id)?.pid ?? 0;
  const joined = [{ ...pidNamespace, path: `/proc/${pid}/ns/pid` }, { type: "mount" }];
  const victim = room.makeBundle({
    process: { args: ["sleep", "1000"], ...root },
    linux: { namespaces: joined },
  });
  for (let round = 0; round < (slowness === 1 ? 10 : 2); round += 1) {
    const other = room.newId();
    const made = room.tsRunc(["create", "--bundle", victim.directory, other]);
    assert.is(made.status, 0, made.stderr);
    // Until the attacker has come by; what it tries takes it a while longer.
    await until(() => read(`${attacker.rootfs}/tmp/seen`).includes("ts-runc:init"));
    await Bun.sleep(30 * slowness);
    assert.is(room.tsRunc(["delete", "--force", other]).status, 0);
  }
  const seen = read(`${attacker.rootfs}/tmp/seen`);
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
  // Otherwise the attack has proven nothing.
  assert.match(seen, /ts-runc:init/);
  assert.is(read(`${attacker.rootfs}/tmp/got`), "");
  assert.is(hashOf(executable), before);
});

test("the executable of a created container is sealed, whoever opens it", () => {
  const bundle = room.makeBundle({ process: { args: ["sleep", "1000"] } });
  const id = room.newId();
  assert.is(room.tsRunc(["create", "--bundle", bundle.directory, id]).status, 0);
  const pid = room.state(id)?.pid ?? 0;
  const path = `/proc/${pid}/exe`;
  assert.is(readlinkSync(path), "/memfd:ts-runc-init (deleted)");
  for (const flags of [
    constants.O_WRONLY,
    constants.O_RDWR,
    constants.O_WRONLY | constants.O_TRUNC,
  ]) {
    assert.throws(() => {
      const fd = openSync(path, flags);
      try {
        writeSync(fd, "x");
      } finally {
        closeSync(fd);
      }
    }, /EPERM|ETXTBSY|EACCES/);
  }
  assert.ok(readFileSync(path).byteLength < 8192);
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
});

test("a program that runs has nothing of the runtime in its memory, descriptors or name", () => {
  const bundle = room.makeBundle({ process: { args: ["sleep", "1000"] } });
  const id = room.newId();
  assert.is(room.tsRunc(["run", "-d", "--bundle", bundle.directory, id]).status, 0);
  const pid = room.state(id)?.pid ?? 0;
  assert.not.match(readFileSync(`/proc/${pid}/maps`, "utf8"), /ts-runc|memfd|bun/);
  assert.match(readlinkSync(`/proc/${pid}/exe`), /busybox$/);
  assert.is(statusField(pid, "Name"), "sleep");
  assert.is(statusField(pid, "TracerPid"), "0");
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
});

test("a program that overwrites /proc/self/exe and its parents' executables hits only its own", () => {
  const script = `
cp /bin/busybox /tmp/own
for target in /proc/self/exe /proc/1/exe /proc/$$/exe /proc/$PPID/exe; do
  echo evil > $target
  dd if=/bin/sh of=$target conv=notrunc
done 2>/dev/null
echo done`;
  const bundle = room.makeBundle({ process: { args: ["sh", "-c", script], ...root } });
  const { stdout } = room.tsRunc(["run", "--bundle", bundle.directory, room.newId()]);
  assert.is(stdout, "done\n");
  assert.is(hashOf(executable), before);
});

test("nothing of the attackers is left", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(() => room.remove());

test.run();
