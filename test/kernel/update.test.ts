// update with the built executable, beside Debian's runc where it is there: what the kernel holds afterwards, what is taken
// back when it refuses, and what is no update at all. Needs root.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { logMessages, type Outcome, runc } from "../cli/executable.ts";
import { type Bundle, openRoom, ownCgroups, type RuntimeName, until } from "../support/room.ts";

const test = suite("kernel/update");
const room = openRoom("update");
const beside = runc === undefined ? test.skip : test;
if (runc === undefined) console.log("skip: there is no runc to compare with");

const limits = [
  ...["memory.limit_in_bytes", "memory.soft_limit_in_bytes", "memory.memsw.limit_in_bytes"],
  ...["memory.max", "memory.low", "memory.swap.max", "pids.max", "cpuset.cpus", "cpuset.mems"],
  ...["blkio.weight", "blkio.bfq.weight", "io.weight", "io.bfq.weight"],
  ...["cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.max", "cpu.weight"],
];

/** What the kernel holds of a container's limits, by file. */
function readLimits(id: string): Readonly<Record<string, string>> {
  const directories = ownCgroups().map((path) => join(path, id));
  return Object.fromEntries(
    limits.flatMap((file) => {
      const path = directories.map((directory) => join(directory, file)).find(existsSync);
      return path === undefined ? [] : [[file, readFileSync(path, "utf8").trim()]];
    }),
  );
}

/** The emulated machine's disks have no scheduler with weights. */
const hasBlockIo = ownCgroups().some((path) => path.startsWith("/sys/fs/cgroup/blkio"));

const sleeper = (): Bundle => room.makeBundle({ process: { args: ["sleep", "1000"] } });

function start(runtime: RuntimeName, { directory }: Bundle): string {
  const id = room.newId();
  const { status, stderr } = room.runtime(runtime, ["run", "-d", "--bundle", directory, id]);
  assert.is(status, 0, stderr);
  return id;
}

function remove(id: string, runtime: RuntimeName = "ts-runc"): void {
  assert.is(room.runtime(runtime, ["delete", "--force", id]).status, 0);
}

function update(id: string, ...argv: readonly string[]): Outcome {
  return room.tsRunc(["update", ...argv, id]);
}

function message({ stderr }: Outcome): string {
  return logMessages(stderr).at(-1) ?? "";
}

beside("the kernel holds the same after each update as with runc", () => {
  const document = join(room.directory, "resources.json");
  writeFileSync(
    document,
    JSON.stringify({
      memory: { limit: 33554432, reservation: 1048576 },
      cpu: { shares: 512 },
      pids: { limit: 44 },
    }),
  );
  const updates = [
    ["--memory", "64m"],
    ["--memory", "32MiB", "--memory-reservation", "1m"],
    ["--memory", "-1"],
    ["--cpu-quota", "20000"],
    ["--cpu-period", "50000"],
    ["--cpu-quota", "30000", "--cpu-period", "60000"],
    ["--cpu-quota", "-1"],
    ["--cpu-share", "300"],
    ["--pids-limit", "33"],
    ["--pids-limit", "-1"],
    ["--cpuset-cpus", "0", "--cpuset-mems", "0"],
    ...(hasBlockIo ? [["--blkio-weight", "500"]] : []),
    ["--resources", document],
    ["--kernel-memory", "1m"],
    [],
  ];
  const bundle = sleeper();
  const [ours, theirs] = (["ts-runc", "runc"] as const).map((runtime) => {
    const id = start(runtime, bundle);
    const seen = updates.map((argv) => {
      const { status, stdout, stderr } = room.runtime(runtime, ["update", ...argv, id]);
      return { argv, status, stdout, errors: logMessages(stderr), holds: readLimits(id) };
    });
    remove(id, runtime);
    return seen;
  });
  // 1024 shares are a weight of 100 since runc 1.3.2; Debian's makes 39 of them.
  // A file that is not there (a weight, without a scheduler that knows one) is named in words of our own.
  const missing = "no such file or directory";
  const plain = (seen: typeof ours): unknown =>
    seen?.map((one) => ({
      ...one,
      errors: one.errors.map((words) => (words.includes(missing) ? missing : words)),
      holds: { ...one.holds, "cpu.weight": "" },
    }));
  assert.equal(plain(ours), plain(theirs));
  assert.ok(Object.keys(ours?.[0]?.holds ?? {}).length >= 5, "limits were read");
});

/** A usage error begins with the name that the program was called by. */
function withoutPlace(text: string): string {
  return text.replace(/^\S+: "update"/, 'runc: "update"');
}

beside("refusals have runc's words and status", () => {
  const wrong = [
    ...[
      ["--memory", "x"],
      ["--memory", "-5"],
    ],
    ...[
      ["--cpu-quota", "x"],
      ["--cpu-period", "-1"],
      ["--cpu-share", "1.5"],
      ["--cpu-rt-runtime", ""],
    ],
    ...[
      ["--cpu-quota", "99999999999999999999"],
      ["--pids-limit", "x"],
      ["--blkio-weight", "much"],
    ],
    ...[["--l3-cache-schema", "L3:0=f"], ["--mem-bw-schema", "MB:0=10"], ["--bogus"], ["--memory"]],
  ];
  const bundle = sleeper();
  const [ours, theirs] = (["ts-runc", "runc"] as const).map((runtime) => {
    const id = start(runtime, bundle);
    const seen = wrong.map((argv) => {
      const { status, stderr } = room.runtime(runtime, ["update", ...argv, id]);
      return { argv, status, errors: logMessages(stderr).map(withoutPlace) };
    });
    remove(id, runtime);
    return seen;
  });
  assert.equal(ours, theirs);
});

test("what the kernel refuses takes back what came before it", () => {
  const id = start("ts-runc", sleeper());
  try {
    assert.is(
      update(id, "--memory", "64m", "--pids-limit", "50", "--cpu-quota", "20000").status,
      0,
    );
    const before = readLimits(id);
    const refused = update(
      id,
      "--memory",
      "32m",
      "--pids-limit",
      "9",
      "--cpu-quota",
      "1000",
      "--cpuset-mems",
      "77",
    );
    assert.is(refused.status, 1);
    assert.match(
      message(refused),
      /^setting linux\.resources\.cpu\.mems to "77": write ".*cpuset\.mems": /,
    );
    const low = update(id, "--memory", "8m", "--cpu-quota", "1");
    assert.is(low.status, 1);
    assert.match(message(low), /^setting linux\.resources\.cpu\.quota to "1/);
    assert.equal(readLimits(id), before);
    // The kept config is as before, too: the next update goes by it.
    assert.is(update(id, "--cpu-period", "50000").status, 0);
    const after = readLimits(id);
    assert.is(after["cpu.cfs_quota_us"] ?? after["cpu.max"]?.split(" ")[0], "20000");
  } finally {
    remove(id);
  }
});

test("a throttle is taken back with what was refused after it", () => {
  const [, major = "", minor = ""] =
    /^ *(\d+) +(\d+) +\d+ (?!loop|ram)\S+$/m.exec(readFileSync("/proc/partitions", "utf8")) ?? [];
  const group = ownCgroups().find((path) => path.startsWith("/sys/fs/cgroup/blkio"));
  if (group === undefined || major === "") {
    console.log("skip: no cgroup v1 with block I/O and a disk here");
    return;
  }
  const id = start("ts-runc", sleeper());
  try {
    const throttle = (rate: number, more: Readonly<Record<string, unknown>>): Outcome => {
      const device = { major: Number(major), minor: Number(minor), rate };
      const file = join(room.directory, "throttle.json");
      writeFileSync(
        file,
        JSON.stringify({ blockIO: { throttleReadBpsDevice: [device], ...more } }),
      );
      return update(id, "--resources", file);
    };
    const holds = (): string =>
      readFileSync(join(group, id, "blkio.throttle.read_bps_device"), "utf8").trim();
    // The kernel refuses a device that is not there, after the other one has been written.
    const missing = { throttleWriteBpsDevice: [{ major: 999, minor: 99, rate: 1 }] };
    const refused = throttle(1048576, missing);
    assert.is(refused.status, 1);
    assert.match(
      message(refused),
      /blockIO\.throttleWriteBpsDevice to "999:99 1": .*: no such device$/,
    );
    assert.is(holds(), "");
    const kept = throttle(2097152, {});
    assert.is(kept.status, 0, kept.stderr);
    assert.is(holds(), `${major}:${minor} 2097152`);
  } finally {
    remove(id);
  }
});

test("a document that is none is refused, and nothing changes", () => {
  const id = start("ts-runc", sleeper());
  try {
    const before = readLimits(id);
    const file = join(room.directory, "garbage.json");
    const documents: readonly (readonly [text: string, pattern: RegExp])[] = [
      ["{{", /^resources: /],
      ["", /^resources: /],
      ["[]", /^resources is not valid: \/: must be an object/],
      ['{"memory":{"limit":"x"},"pids":{"limit":true}}', /\/pids\/limit: .*; \/memory\/limit: /],
      ['{"memory":{"limit":12345678901234567890}}', /\/memory\/limit/],
      ['{"cpu":{"idle":7}}', /./],
      ['{"blockIO":{"weight":70000}}', /\/blockIO\/weight/],
    ];
    for (const [text, pattern] of documents) {
      writeFileSync(file, text);
      const outcome = update(id, "--resources", file);
      assert.is(outcome.status, 1, text);
      assert.match(message(outcome), pattern, text);
    }
    const missing = update(id, "--resources", join(room.directory, "nowhere.json"));
    assert.is(missing.status, 1);
    assert.match(message(missing), /nowhere\.json.*: no such file or directory$/);
    assert.equal(readLimits(id), before);
  } finally {
    remove(id);
  }
});

test("created and paused containers can be updated, stopped and missing ones not", async () => {
  const id = room.newId();
  const { directory } = sleeper();
  assert.is(message(update(id, "--pids-limit", "5")), "container does not exist");
  assert.is(room.tsRunc(["create", "--bundle", directory, id]).status, 0);
  assert.is(update(id, "--pids-limit", "20").status, 0);
  assert.is(readLimits(id)["pids.max"], "20");
  assert.is(room.tsRunc(["start", id]).status, 0);
  assert.is(room.tsRunc(["pause", id]).status, 0);
  assert.is(update(id, "--pids-limit", "21").status, 0);
  assert.is(readLimits(id)["pids.max"], "21");
  assert.is(room.state(id)?.status, "paused");
  assert.is(room.tsRunc(["kill", id, "KILL"]).status, 0);
  await until(() => room.state(id)?.status === "stopped");
  const stopped = update(id, "--pids-limit", "5");
  assert.is(stopped.status, 1);
  assert.is(message(stopped), "container not running");
  remove(id);
});

test("nothing of all this is left", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(() => room.remove());

test.run();
