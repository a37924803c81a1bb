// What list, ps and kill print and return beside runc, field by field. Needs root.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { logMessages, runc } from "../cli/executable.ts";
import { openRoom, type RuntimeName } from "../support/room.ts";

const test = suite("kernel/reports-contract");
const room = openRoom("reports");
if (runc === undefined) console.log("skip: there is no runc to compare with");
const beside = runc === undefined ? test.skip : test;

const { directory } = room.makeBundle({
  process: { args: ["sh", "-c", "trap : USR1; while :; do sleep 1; done"] },
  annotations: { "org.example": "yes" },
});
/** Stands for the container's, which are two. */
const id = "ID";
const ids = { "ts-runc": room.newId(), runc: room.newId() };
const runtimes: readonly RuntimeName[] = runc === undefined ? ["ts-runc"] : ["ts-runc", "runc"];

test.before(() => {
  for (const runtime of runtimes) {
    const made = room.runtime(runtime, ["create", "-b", directory, ids[runtime]]);
    assert.is(made.status, 0, made.stderr);
  }
});

type Shown = {
  readonly status: number;
  readonly seen: unknown;
  readonly errors: readonly string[];
};

function argvOf(runtime: RuntimeName, argv: readonly string[]): readonly string[] {
  return argv.map((word) => (word === id ? ids[runtime] : word));
}

/** Asks both and compares what they say, as `view` sees it. */
function compare(argv: readonly string[], view: (stdout: string) => unknown): void {
  const [ours, theirs] = runtimes.map((runtime): Shown => {
    const { status, stdout, stderr } = room.runtime(runtime, argvOf(runtime, argv));
    const errors = logMessages(stderr).map((text) => text.replaceAll(ids[runtime], id));
    return { status, seen: view(stdout.replaceAll(ids[runtime], id)), errors };
  });
  assert.equal(ours, theirs, argv.join(" "));
}

/** The words of a table, line by line; the numbers of processes and times are each runtime's own. */
function words(stdout: string): readonly (readonly string[])[] {
  const lines = stdout.split("\n").filter((line) => line !== "");
  return lines.map((line) =>
    line
      .trim()
      .split(/\s+/)
      .map((word) => (/^\d+$|^\d{4}-\d\d-\d\dT/.test(word) ? "N" : word)),
  );
}

function keysAndValues(stdout: string): unknown {
  const own = ["ociVersion", "pid", "created"];
  return JSON.parse(stdout).map((state: object) =>
    Object.entries(state).map(([key, value]) => [key, own.includes(key) ? typeof value : value]),
  );
}

beside("list prints runc's table, ids and fields", () => {
  compare(["list"], words);
  compare(["list", "--format", "table"], words);
  compare(["list", "-q"], String);
  compare(["list", "-f", "json"], keysAndValues);
  compare(["list", "-f", "json", "--quiet"], String);
  compare(["list", "-f", "yaml"], String);
});

beside("an empty list looks like runc's", () => {
  for (const argv of [["list"], ["list", "-q"], ["list", "-f", "json"]]) {
    const root = room.newId();
    const [ours, theirs] = runtimes.map((runtime) => {
      const [program = "", , , ...rest] = room.commandOf(runtime, ...argv);
      const empty = `${room.directory}/${root}-${runtime}`;
      const child = Bun.spawnSync([
        "sh",
        "-c",
        `mkdir ${empty} && exec "$@"`,
        "sh",
        program,
        "--root",
        empty,
        ...rest,
      ]);
      return { status: child.exitCode, lines: words(child.stdout.toString()) };
    });
    assert.equal(ours, theirs, argv.join(" "));
  }
});

beside("ps prints runc's tables and numbers, and refuses what runc refuses", () => {
  const header = (stdout: string): unknown => [words(stdout)[0], words(stdout).length];
  compare(["ps", id], header);
  compare(["ps", id, "-o", "pid,ppid"], words);
  compare(["ps", "-f", "json", id], (stdout) => stdout.replace(/\d+/g, "N"));
  compare(["ps", id, "-o", "comm"], String);
  compare(["ps", "-f", "yaml", id], String);
});

beside("kill takes the signals that runc takes, in every form", () => {
  for (const signal of ["0", "WINCH", "winch", "SIGWINCH", "sigwinch", "28"]) {
    compare(["kill", id, signal], String);
    compare(["kill", "--all", id, signal], String);
  }
  for (const signal of ["SIGUSR9", "usr1x", "1x", "", " 9", "SIG"]) {
    compare(["kill", id, signal], String);
  }
  for (const signal of ["65", "-1", "1000000"]) {
    const statuses = runtimes.map(
      (runtime) => room.runtime(runtime, argvOf(runtime, ["kill", id, signal])).status,
    );
    assert.equal(new Set(statuses).size, 1, signal);
  }
});

test("nothing is left", async () => {
  for (const runtime of runtimes) room.runtime(runtime, ["delete", "--force", ids[runtime]]);
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
