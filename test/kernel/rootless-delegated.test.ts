// Containers of an ordinary user to whom a part of the v2 tree has been given, cgroups(7), beside Debian's runc: groups are made
// there, and limit, pause and count as root's do. Needs root, which it puts off, and a host of cgroup v2.

import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { present } from "../../src/base/assert.ts";
import { readCgroupHost } from "../../src/host/cgroups/host.ts";
import { type Outcome, runc } from "../cli/executable.ts";
import { openDelegatedPart } from "../support/delegated-part.ts";
import { openUser, type Program, programs, withLinux } from "../support/ordinary-user.ts";
import { openRoom } from "../support/room.ts";

const test = suite("kernel/rootless-delegated");
const host = readCgroupHost();
const room = openRoom("rootless-delegated");
const user = openUser(room);
const { expectNothingLeft, running } = user;
if (host.version !== "v2")
  console.log("skip: this host has no cgroup v2, of which a part could be delegated");
const check = host.version === "v2" ? test : test.skip;

const part = openDelegatedPart(user);

test.after(() => {
  part?.remove();
  room.remove();
});

/** Runs a runtime as the user in the user's part. */
function inPart(program: Program, ...argv: readonly string[]): Outcome {
  return present(part, "a part of the tree").runtime(program, ...argv);
}

test.after.each(async () => {
  await expectNothingLeft();
  if (part === undefined) return;
  const groups = readdirSync(part.directory, { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  assert.equal(
    groups.map(({ name }) => name),
    ["caller"],
  );
});

check(
  "a container gets a group of its own in the user's part, with its limits, and leaves none",
  () => {
    const directory = running(["cat", "/sys/fs/cgroup/pids.max", "/proc/self/cgroup"], (spec) =>
      withLinux(spec, { resources: { pids: { limit: 17 } } }),
    );
    const outcome = inPart("ts-runc", "run", "-b", directory, room.newId());
    assert.is(outcome.status, 0, outcome.stderr);
    assert.is(outcome.stdout, "17\n0::/\n");
  },
);

check("a cgroup mount that may be written shows the container's group and no other", () => {
  const directory = running(
    ["sh", "-c", "ls -d /sys/fs/cgroup/caller; cat /sys/fs/cgroup/cgroup.procs"],
    (spec) => ({
      ...spec,
      mounts: [
        ...(spec.mounts ?? []).filter(({ destination }) => !destination.startsWith("/sys")),
        { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["rw"] },
      ],
    }),
  );
  mkdirSync(join(directory, "rootfs/sys/fs/cgroup"), { recursive: true });
  const outcome = inPart("ts-runc", "run", "-b", directory, room.newId());
  assert.match(outcome.stderr, "No such file or directory", JSON.stringify(outcome));
  assert.match(outcome.stdout, /^1\n/);
});

const life: readonly (readonly string[])[] = [
  ["start", "ID"],
  ["exec", "ID", "cat", "/proc/self/cgroup"],
  ["pause", "ID"],
  ["exec", "ID", "true"],
  ["resume", "ID"],
  ["update", "--pids-limit", "33", "ID"],
  ["exec", "ID", "cat", "/sys/fs/cgroup/pids.max"],
  ["ps", "--format", "json", "ID"],
  ["events", "--stats", "ID"],
  ["kill", "ID", "KILL"],
];

check("the life of a container in the user's part goes as with runc", () => {
  const directory = running(["sleep", "1000"]);
  const seen = (["ts-runc", "runc"] as const).map((program) => {
    if (program === "runc" && runc === undefined) return undefined;
    const id = room.newId();
    const { directory: place, run } = present(part, "a part of the tree");
    const quietly = `"$0" create -b "${directory}" ${id} >/dev/null 2>&1 </dev/null`;
    const create = run(["sh", "-c", quietly, programs[program]]);
    assert.is(create.status, 0, program);
    assert.ok(
      existsSync(join(place, id, "cgroup.procs")),
      `${program} has made its group elsewhere`,
    );
    const outcomes = life.map((argv) =>
      inPart(program, ...argv.map((word) => word.replace(/^ID$/, id))),
    );
    const limit = readFileSync(join(place, id, "pids.max"), "utf8");
    const ended = inPart(program, "delete", "--force", id);
    assert.is(ended.status, 0, ended.stderr);
    return { outcomes, limit };
  });
  const [ours, theirs] = seen;
  assert.is(ours?.limit, "33\n");
  assert.equal(
    ours?.outcomes.map(({ status }) => status),
    [0, 0, 0, 255, 0, 0, 0, 0, 0, 0],
    JSON.stringify(ours?.outcomes),
  );
  assert.is(ours?.outcomes[1]?.stdout, "0::/\n");
  assert.is(ours?.outcomes[6]?.stdout, "33\n");
  assert.is(JSON.parse(ours?.outcomes[7]?.stdout ?? "").length, 1);
  if (theirs === undefined) return;
  for (const [index, argv] of life.entries()) {
    const [our, their] = [ours?.outcomes[index], theirs.outcomes[index]];
    assert.is(our?.status, their?.status, `${argv.join(" ")}: ${our?.stderr} / ${their?.stderr}`);
  }
});

test.run();
