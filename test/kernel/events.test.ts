// events with the built executable, beside Debian's runc where it is there: shape and values of the statistics, memory that
// runs out, and all the ways in which it ends. Needs root.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { logMessages, runc } from "../cli/executable.ts";
import {
  type Bundle,
  openRoom,
  type RuntimeName,
  runBriefly,
  slowness,
  until,
} from "../support/room.ts";

const test = suite("kernel/events");
const room = openRoom("events");
const beside = runc === undefined ? test.skip : test;
if (runc === undefined) console.log("skip: there is no runc to compare with");

const sleeper = (): Bundle => room.makeBundle({ process: { args: ["sleep", "1000"] } });

function start(bundle: Bundle, runtime: RuntimeName = "ts-runc"): string {
  const id = room.newId();
  const { status, stderr } = room.runtime(runtime, ["run", "-d", "--bundle", bundle.directory, id]);
  assert.is(status, 0, stderr);
  return id;
}

function remove(id: string, runtime: RuntimeName = "ts-runc"): void {
  assert.is(room.runtime(runtime, ["delete", "--force", id]).status, 0);
}

type Line = { readonly type: string; readonly id: string; readonly data?: Record<string, unknown> };

function parseLines(text: string): readonly Line[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** Keys and kinds of values, without the numbers. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? "empty" : [shape(value[0])];
  if (typeof value !== "object" || value === null) return value === null ? null : typeof value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, shape(member)] as const),
  );
}

/** Go leaves out what is zero: these may be there in one run and not in the next. */
const coming =
  /^(total|usage|max|cache|percpu|periods|throttledPeriods|throttledTime|value|minor)$/;

function withoutComing(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutComing);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, member]) => !(coming.test(key) && typeof member !== "object"))
      .map(([key, member]) => [key, withoutComing(member)] as const),
  );
}

beside("events --stats has runc's keys in runc's order, and values of the same kinds", () => {
  const bundle = sleeper();
  const id = start(bundle);
  const theirId = start(bundle, "runc");
  try {
    const ours = room.tsRunc(["events", "--stats", id]);
    const theirs = room.runtime("runc", ["events", "--stats", theirId]);
    assert.is(ours.status, 0, ours.stderr);
    const [[our], [their]] = [parseLines(ours.stdout), parseLines(theirs.stdout)];
    assert.is(our?.id, id);
    // What was read from a disk depends on who ran first; runc 1.1.5 knows no pressure.
    const plain = (line: Line | undefined): string => {
      const data = JSON.stringify(withoutComing(shape({ ...line?.data, blkio: {} })));
      return data
        .replaceAll(/,?"psi":\{"some":\{[^}]*\},"full":\{[^}]*\}\}/g, "")
        .replaceAll("{,", "{");
    };
    assert.is(plain(our), plain(their));
  } finally {
    remove(id);
    remove(theirId, "runc");
  }
});

/** What of the statistics does not depend on how long a container has run. */
function lasting(data: Record<string, unknown> = {}): unknown {
  const member = (value: unknown, key: string): unknown =>
    typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
  const { memory } = data;
  const counters = ["usage", "swap", "kernel", "kernelTCP"].map((key) => {
    const counter = member(memory, key);
    return [key, member(counter, "limit"), member(counter, "failcnt")];
  });
  const raw = ["hierarchical_memory_limit", "hierarchical_memsw_limit", "shmem", "unevictable"].map(
    (key) => [key, member(member(memory, "raw"), key)],
  );
  const { cpuset, hugetlb, intel_rdt: rdt, network_interfaces: networks, pids } = data;
  return { counters, raw, cpuset, hugetlb, rdt, networks, pids };
}

beside("limits, cpusets and counts of processes are the numbers that runc says", () => {
  const bundle = room.makeBundle({
    process: { args: ["sleep", "1000"] },
    linux: {
      namespaces: ["pid", "mount"].map((type) => ({ type })),
      resources: {
        pids: { limit: 7 },
        memory: { limit: 64 << 20, swap: 96 << 20, reservation: 32 << 20 },
        cpu: { cpus: "0", mems: "0", quota: 20_000, period: 50_000 },
      },
    },
  });
  const [ours, theirs] = (["ts-runc", "runc"] as const).map((runtime) => {
    const id = start(bundle, runtime);
    try {
      const { stdout } = room.runtime(runtime, ["events", "--stats", id]);
      return lasting(parseLines(stdout)[0]?.data);
    } finally {
      remove(id, runtime);
    }
  });
  assert.match(JSON.stringify(ours), `["usage",${64 << 20},0]`);
  assert.equal(ours, theirs);
});

test("the statistics are those of the container", () => {
  const bundle = room.makeBundle({
    process: { args: ["sh", "-c", "while :; do :; done"] },
    linux: {
      namespaces: ["pid", "mount", "ipc", "uts", "network"].map((type) => ({ type })),
      resources: { pids: { limit: 7 }, memory: { limit: 64 << 20 } },
    },
  });
  const id = start(bundle);
  try {
    const read = (): { cpu: number; limit: number; pids: unknown; psi: unknown } => {
      const { stdout, stderr } = room.tsRunc(["events", "--stats", id]);
      const [line] = stdout.split("\n");
      assert.ok(line !== undefined && line !== "", stderr);
      const { data } = JSON.parse(line);
      const { cpu, memory, pids } = data;
      return { cpu: cpu.usage.total, limit: memory.usage.limit, pids, psi: cpu.psi };
    };
    const first = read();
    assert.is(first.limit, 64 << 20);
    assert.equal(first.pids, { current: 1, limit: 7 });
    const until = performance.now() + 200 * slowness;
    while (performance.now() < until);
    assert.ok(read().cpu > first.cpu, "its processor time grows");
  } finally {
    remove(id);
  }
});

test("a process killed for want of memory is an event", async () => {
  const bundle = room.makeBundle({
    process: {
      args: ["sh", "-c", "sleep 1; while :; do tail /dev/zero; sleep 0.2; done"],
    },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs" },
    ],
    linux: {
      namespaces: ["pid", "mount", "ipc", "uts", "network"].map((type) => ({ type })),
      resources: { memory: { limit: 16 << 20, swap: 16 << 20 } },
    },
  });
  const id = start(bundle);
  const watching = Bun.spawn(room.command("events", "--interval", "1h", id), {
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    const reader = watching.stdout.getReader();
    const late = setTimeout(() => watching.kill("SIGKILL"), 20_000 * slowness);
    const { value } = await reader.read();
    clearTimeout(late);
    const [event] = parseLines(new TextDecoder().decode(value));
    assert.equal(event, { type: "oom", id });
  } finally {
    remove(id);
  }
  assert.is(await watching.exited, 0, "it ends with the container");
});

test("statistics come at every interval until the container ends, to all who listen", async () => {
  const id = start(sleeper());
  const listen = () =>
    Bun.spawn(room.command("events", "--interval", `${100 * slowness}ms`, id), {
      stdio: ["ignore", "pipe", "pipe"],
    });
  const listeners = [listen(), listen()];
  await Bun.sleep(1000 * slowness);
  remove(id);
  for (const listener of listeners) {
    const output = await new Response(listener.stdout).text();
    assert.is(await listener.exited, 0, await new Response(listener.stderr).text());
    const lines = parseLines(output);
    assert.ok(lines.length >= 2 && lines.length < 20, `${lines.length} lines`);
    assert.ok(lines.every((line) => line.type === "stats" && line.id === id));
  }
});

test("it ends in silence when its reader has gone, and by the signals that end programs", async () => {
  const id = start(sleeper());
  try {
    const command = room.command("events", "--interval", "50ms", id).join(" ");
    const { status, stderr } = runBriefly(["sh", "-c", `${command} | head -c 20 >/dev/null`]);
    assert.is(status, 0);
    assert.is(stderr, "");
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const child = Bun.spawn(room.command("events", id), {
        stdio: ["ignore", "ignore", "ignore"],
      });
      await Bun.sleep(100 * slowness);
      child.kill(signal);
      await child.exited;
      assert.is(child.signalCode, signal);
    }
    assert.is(room.state(id)?.status, "running");
  } finally {
    remove(id);
  }
});

test("a paused container is watched, too", async () => {
  const id = start(sleeper());
  try {
    assert.is(room.tsRunc(["pause", id]).status, 0);
    const { status, stdout } = room.tsRunc(["events", "--stats", id]);
    assert.is(status, 0);
    assert.is(parseLines(stdout).length, 1);
  } finally {
    remove(id);
  }
});

beside("what is refused is refused in runc's words", async () => {
  const bundle = sleeper();
  const answers = await Promise.all(
    (["ts-runc", "runc"] as const).map(async (runtime) => {
      const id = start(bundle, runtime);
      const ask = (...argv: readonly string[]): unknown => {
        const { status, stderr } = room.runtime(runtime, ["events", ...argv]);
        const errors = logMessages(stderr).map((text) =>
          text.replaceAll(id, "ID").replace(/^\S+: "events"/, '"events"'),
        );
        return { argv: argv.map((word) => word.replaceAll(id, "ID")), status, errors };
      };
      const seen = ["0", "-1s", "x", "1", "", "1.5.5s", "9999999h"].map((interval) =>
        ask("--interval", interval, id),
      );
      seen.push(ask("nowhere"), ask(), ask("a", "b"), ask("--bogus", id));
      assert.is(room.runtime(runtime, ["kill", id, "KILL"]).status, 0);
      const state = (): string =>
        JSON.parse(room.runtime(runtime, ["state", id]).stdout || "{}").status;
      await until(() => state() === "stopped");
      seen.push(ask(id), ask("--stats", id));
      remove(id, runtime);
      return seen;
    }),
  );
  assert.equal(answers[0], answers[1]);
});

test("nothing of all this is left", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(() => room.remove());

test.run();
