// What is measured: lives of containers, runtime by runtime in turn, hot and with the executables dropped from the page
// cache, and the memory of what waits; not how it is printed (table.ts).

import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Bundles, telling } from "./bundles.ts";
import type { Launcher } from "./launcher.ts";
import { readPssKib } from "./memory.ts";
import { initPid, must, mustInTerminal, type Runtime } from "./runtimes.ts";
import { type Sample, summarise } from "./statistics.ts";

export type Row = {
  /** What was done: `run`, `create`... */
  readonly what: string;
  /** Name of a runtime, or `empty` for the empty Bun program. */
  readonly who: string;
  readonly unit: "ms" | "KiB" | "bytes";
  readonly sample: Sample;
};

export type Setting = {
  readonly launcher: Launcher;
  readonly runtimes: readonly Runtime[];
  readonly bundles: Bundles;
  readonly emptyProgram: string;
  /** An id that no other container has. */
  readonly newId: () => string;
  /** Lets signals be seen, and throws when one has asked for the end. */
  readonly breathe: () => Promise<void>;
};

type Samples = Map<string, number[]>;

/** The first ones are thrown away: they find caches cold. */
const warmUps = 2;

/** Measures every command in `rounds` lives of containers for each runtime, one after the other. */
export async function compareCommands(setting: Setting, rounds: number): Promise<readonly Row[]> {
  const samples: Samples = new Map();
  for (let round = -warmUps; round < rounds; round += 1) {
    await setting.breathe();
    const into: Samples = round < 0 ? new Map() : samples;
    record(into, "empty", "start-up", must(setting.launcher, [setting.emptyProgram]).milliseconds);
    // Who comes first changes from round to round.
    for (const runtime of rotate(setting.runtimes, round)) live(setting, runtime, into);
  }
  return [...samples].map(([key, all]) => rowOf(key, "ms", all));
}

function live({ launcher, bundles, newId }: Setting, runtime: Runtime, into: Samples): void {
  const { name, command } = runtime;
  const measure = (what: string, argv: readonly string[], speaks = false): void => {
    record(into, name, what, must(launcher, argv, speaks).milliseconds);
  };
  measure("--version", command("--version"), true);
  measure("run", command("run", "--bundle", bundles.brief, newId()));
  const id = newId();
  measure("create", command("create", "--bundle", bundles.lasting, id));
  const pid = initPid(launcher, runtime, id);
  measure("state", command("state", id), true);
  measure("list", command("list"), true);
  measure("start", command("start", id));
  measure("exec", command("exec", id, "/bin/true"));
  const inTerminal = command("exec", "--tty", id, "/bin/echo", telling.word);
  record(into, name, "exec --tty", mustInTerminal(launcher, inTerminal, telling.word).milliseconds);
  const pidFile = `${bundles.lasting}/exec-${name}.pid`;
  measure("exec --detach", command("exec", "--detach", "--pid-file", pidFile, id, "/bin/true"));
  launcher.reap(Number(readFileSync(pidFile, "utf8")));
  measure("ps", command("ps", id), true);
  measure("pause", command("pause", id));
  measure("resume", command("resume", id));
  measure("kill", command("kill", id, "KILL"));
  launcher.reap(pid);
  measure("delete", command("delete", id));
}

const crowds = [1, 100, 1000];

/**
 * Measures `list` of many containers. They are copies of the state directory of one that runs: every one of them is looked
 * at as a container of its own.
 */
export async function compareLists(setting: Setting, rounds: number): Promise<readonly Row[]> {
  const samples: Samples = new Map();
  const { launcher, runtimes, bundles, newId } = setting;
  for (const runtime of runtimes) {
    const { command, stateRoot } = runtime;
    const id = newId();
    must(launcher, command("run", "--detach", "--bundle", bundles.lasting, id));
    const pid = initPid(launcher, runtime, id);
    let copies = 1;
    try {
      for (const crowd of crowds) {
        for (; copies < crowd; copies += 1) copyState(join(stateRoot, id), copies);
        for (let round = 0; round < rounds; round += 1) {
          await setting.breathe();
          const { milliseconds, output } = must(launcher, command("list", "--quiet"), true);
          const seen = output.split("\n").length - 1;
          if (seen < crowd) throw new Error(`${runtime.name} lists ${seen} of ${crowd} containers`);
          record(samples, runtime.name, `list --quiet of ${crowd}`, milliseconds);
          const all = must(launcher, command("list"), true);
          record(samples, runtime.name, `list of ${crowd}`, all.milliseconds);
        }
      }
    } finally {
      for (; copies > 1; copies -= 1)
        rmSync(`${join(stateRoot, id)}-${copies - 1}`, { recursive: true });
      must(launcher, command("delete", "--force", id));
      launcher.reap(pid);
    }
  }
  return [...samples].map(([key, all]) => rowOf(key, "ms", all));
}

function copyState(directory: string, number: number): void {
  const copy = `${directory}-${number}`;
  mkdirSync(copy);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    // A fifo or a socket says that nobody has started the container, and this one runs.
    if (entry.isFile()) copyFileSync(join(directory, entry.name), join(copy, entry.name));
  }
}

/** Measures `run` of /bin/true after the pages of the runtime's own executable have been dropped from the page cache. */
export async function compareCold(setting: Setting, rounds: number): Promise<readonly Row[]> {
  const samples: Samples = new Map();
  const { launcher, runtimes, bundles, newId } = setting;
  for (let round = 0; round < rounds; round += 1) {
    await setting.breathe();
    for (const runtime of rotate(runtimes, round)) {
      // What another process has mapped stays; libc for instance.
      must(launcher, [
        "/bin/dd",
        `if=${runtime.executable}`,
        "iflag=nocache",
        "count=0",
        "status=none",
      ]);
      const argv = runtime.command("run", "--bundle", bundles.brief, newId());
      record(
        samples,
        runtime.name,
        "run, executable not cached",
        must(launcher, argv).milliseconds,
      );
    }
  }
  return [...samples].map(([key, all]) => rowOf(key, "ms", all));
}

const settleMs = 200;

/** Measures what waits: init in `created`, and the runtime itself while its container runs in the foreground. */
export async function compareMemory(setting: Setting, rounds: number): Promise<readonly Row[]> {
  const samples: Samples = new Map();
  const { launcher, runtimes, emptyProgram } = setting;
  for (let round = 0; round < rounds; round += 1) {
    const empty = launcher.start([emptyProgram, "stay"]);
    await Bun.sleep(settleMs);
    record(samples, "empty", "PSS while it waits", readPssKib(empty));
    end(launcher, empty);
    for (const runtime of rotate(runtimes, round)) {
      await setting.breathe();
      record(samples, runtime.name, "PSS of init in created", pssOfCreated(setting, runtime));
      record(samples, runtime.name, "PSS of foreground run", await pssOfRun(setting, runtime));
    }
  }
  const sizes = runtimes.map(({ name, executable }): Row => {
    const sample = summarise([statSync(executable).size]);
    return { what: "size of the executable", who: name, unit: "bytes", sample };
  });
  return [...[...samples].map(([key, all]) => rowOf(key, "KiB", all)), ...sizes];
}

function pssOfCreated({ launcher, bundles, newId }: Setting, runtime: Runtime): number {
  const id = newId();
  must(launcher, runtime.command("create", "--bundle", bundles.lasting, id));
  const pid = initPid(launcher, runtime, id);
  const pss = readPssKib(pid);
  must(launcher, runtime.command("delete", "--force", id));
  launcher.reap(pid);
  return pss;
}

async function pssOfRun(setting: Setting, runtime: Runtime): Promise<number> {
  const { launcher, bundles, newId } = setting;
  const id = newId();
  const attending = launcher.start(runtime.command("run", "--bundle", bundles.lasting, id));
  const running = (): boolean =>
    /"status": ?"running"/.test(launcher.run(runtime.command("state", id)).output);
  for (let tries = 0; tries < 100 && !running(); tries += 1) await Bun.sleep(20);
  await Bun.sleep(settleMs);
  const pss = readPssKib(attending);
  must(launcher, runtime.command("kill", id, "KILL"));
  launcher.reap(attending);
  return pss;
}

function end(launcher: Launcher, pid: number): void {
  process.kill(pid, "SIGKILL");
  launcher.reap(pid);
}

function rotate<T>(items: readonly T[], by: number): readonly T[] {
  const at = Math.abs(by) % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

/** Between the two halves of a key; neither contains it. */
const separator = "\n";

function record(into: Samples, who: string, what: string, value: number): void {
  const key = `${what}${separator}${who}`;
  into.set(key, [...(into.get(key) ?? []), value]);
}

function rowOf(key: string, unit: Row["unit"], all: readonly number[]): Row {
  const [what = "", who = ""] = key.split(separator);
  return { what, who, unit, sample: summarise(all) };
}
