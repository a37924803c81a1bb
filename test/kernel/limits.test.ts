// Runs containers under limits that leave next to nothing: they work, or fail with an error that says why, and never hang.
// Needs root.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { logMessages } from "../cli/executable.ts";
import { openRoom } from "../support/room.ts";

const test = suite("kernel/limits");
const room = openRoom("limits");

type Case = { readonly name: string; readonly process?: object; readonly resources?: object };

const limit = (type: string, value: number): Case => ({
  name: `${type} ${value}`,
  process: { rlimits: [{ type: `RLIMIT_${type}`, soft: value, hard: value }] },
});
const mib = 1 << 20;

const cases: readonly Case[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 64].map((value) => limit("NOFILE", value)),
  limit("AS", 0),
  limit("AS", mib),
  limit("AS", 16 * mib),
  limit("DATA", 0),
  limit("STACK", 0),
  limit("STACK", 65536),
  limit("NPROC", 0),
  limit("NPROC", 1),
  limit("FSIZE", 0),
  limit("CPU", 1),
  limit("MEMLOCK", 0),
  limit("SIGPENDING", 0),
  ...[1, 2, 3].map((pids) => ({ name: `${pids} processes`, resources: { pids: { limit: pids } } })),
  ...[64 << 10, mib, 2 * mib, 4 * mib, 16 * mib].map((bytes) => ({
    name: `${bytes} bytes of memory`,
    resources: { memory: { limit: bytes, swap: bytes } },
  })),
];

let worked = 0;

for (const { name, process, resources } of cases) {
  test(`a container with ${name} works, or says why not`, async () => {
    const bundle = room.makeBundle({
      process: { args: ["echo", "ran"], ...process },
      linux: {
        namespaces: [{ type: "pid" }, { type: "mount" }],
        ...(resources === undefined ? {} : { resources }),
      },
    });
    const argv = ["--bundle", bundle.directory];
    const started = performance.now();
    const { status, stdout, stderr } = room.tsRunc(["run", ...argv, room.newId()]);
    assert.is.not(status, -1, "it hangs");
    assert.ok(performance.now() - started < 20_000);
    if (stdout === "ran\n") worked += 1;
    // What a program without memory, or without the right to write, does of itself: busybox ends with 127, SIGSEGV,
    // SIGKILL, or with 1 where it cannot write to a file. What the runtime could not do, it says.
    else if (name !== "FSIZE 0" || status !== 1) {
      const ended = [127, 137, 139].includes(status);
      assert.ok(ended || logMessages(stderr).length === 1, `${status} ${stderr}`);
    }
    const id = room.newId();
    const created = room.tsRunc(["create", ...argv, id]);
    if (created.status === 0) {
      const begun = room.tsRunc(["start", id]);
      assert.ok(begun.status === 0 || logMessages(begun.stderr).length === 1, begun.stderr);
      if (name.startsWith("NOFILE")) assert.is(begun.status, 0, begun.stderr);
      assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
    } else {
      assert.is(logMessages(created.stderr).length, 1, created.stderr);
    }
    assert.equal(await room.leftovers(), [], `${status} ${stderr}`);
  });
}

test("most containers under such limits work", () => {
  assert.ok(worked > cases.length / 2, `${worked} of ${cases.length}`);
});

test("limits leave room for the making of a user namespace, too", () => {
  const map = [{ containerID: 0, hostID: 0, size: 65536 }];
  const namespaces = ["user", "pid", "mount"].map((type) => ({ type }));
  for (const { process } of [limit("NOFILE", 3), limit("AS", 64 * mib), limit("DATA", 16 * mib)]) {
    const bundle = room.makeBundle({
      process: { args: ["echo", "ran"], ...process },
      linux: { namespaces, uidMappings: map, gidMappings: map },
    });
    const { stdout, stderr } = room.tsRunc(["run", "--bundle", bundle.directory, room.newId()]);
    assert.is(stdout, "ran\n", stderr);
  }
});

test("limits are what the config says, whatever the runtime needed before", () => {
  for (const files of [3, 10, 500, 1024]) {
    const bundle = room.makeBundle({
      process: {
        args: ["sh", "-c", "ulimit -Sn; ulimit -Hn"],
        rlimits: [{ type: "RLIMIT_NOFILE", soft: files, hard: 1024 }],
      },
    });
    const { stdout } = room.tsRunc(["run", "--bundle", bundle.directory, room.newId()]);
    assert.is(stdout, `${files}\n1024\n`);
  }
});

test.after(() => room.remove());

test.run();
