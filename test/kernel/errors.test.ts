// The errors that callers of runc look for, provoked through the executable beside real runc, in every form of the log; and
// what --debug tells of a container's life. Needs root.

import { closeSync, mkdtempSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { logMessages, runc } from "../cli/executable.ts";
import { type Bundle, openRoom, type RuntimeName } from "../support/room.ts";

const test = suite("kernel/errors");
const room = openRoom("errors");
if (runc === undefined) console.log("skip: there is no runc to compare with");
const sleeping = room.makeBundle({ process: { args: ["sleep", "1000"] } });

type Stage = "none" | "created" | "running" | "paused" | "stopped";

/** A container of one runtime in a stage of its life. */
function makeContainer(runtime: RuntimeName, stage: Stage, bundle: Bundle): string {
  const id = room.newId();
  const steps: Readonly<Record<Stage, readonly (readonly string[])[]>> = {
    none: [],
    created: [["create", "-b", bundle.directory, id]],
    running: [["run", "-d", "-b", bundle.directory, id]],
    paused: [
      ["run", "-d", "-b", bundle.directory, id],
      ["pause", id],
    ],
    stopped: [
      ["create", "-b", bundle.directory, id],
      ["kill", id, "KILL"],
    ],
  };
  for (const argv of steps[stage]) {
    const { status, stderr } = room.runtime(runtime, argv);
    assert.is(status, 0, `${runtime} ${argv.join(" ")}: ${stderr}`);
  }
  // A killed init is gone when its parent has reaped it.
  const gone = (): boolean => room.runtime(runtime, ["state", id]).stdout.includes('"stopped"');
  for (let tries = 0; stage === "stopped" && !gone() && tries < 500; tries += 1) Bun.sleepSync(20);
  return id;
}

type Case = {
  readonly stage: Stage;
  /** What follows the program's name; ID and BUNDLE stand for theirs. */
  readonly argv: readonly string[];
  readonly message: string;
  readonly change?: Parameters<typeof room.makeBundle>[0];
  /** What Debian's runc, which is older, says instead. */
  readonly older?: RegExp;
};

const failedStart = "unable to start container process: ";
const create = ["create", "-b", "BUNDLE", "ID"];

const cases: readonly Case[] = [
  { stage: "none", argv: ["state", "ID"], message: "container does not exist" },
  { stage: "none", argv: ["start", "ID"], message: "container does not exist" },
  { stage: "none", argv: ["kill", "ID"], message: "container does not exist" },
  { stage: "none", argv: ["delete", "ID"], message: "container does not exist" },
  { stage: "none", argv: ["pause", "ID"], message: "container does not exist" },
  { stage: "none", argv: ["exec", "ID", "true"], message: "exec failed: container does not exist" },
  { stage: "none", argv: ["state", "a/b"], message: "invalid container ID format" },
  {
    stage: "created",
    argv: create,
    message: "runc create failed: container with given ID already exists",
  },
  {
    stage: "running",
    argv: ["run", "-b", "BUNDLE", "ID"],
    message: "runc run failed: container with given ID already exists",
  },
  {
    stage: "running",
    argv: ["start", "ID"],
    message: "cannot start an already running container",
  },
  {
    stage: "stopped",
    argv: ["start", "ID"],
    message: "cannot start a container that has stopped",
  },
  {
    stage: "running",
    argv: ["delete", "ID"],
    message: "cannot delete container ID that is not stopped: running",
  },
  {
    stage: "paused",
    argv: ["delete", "ID"],
    message: "cannot delete container ID that is not stopped: paused",
  },
  { stage: "stopped", argv: ["kill", "ID", "TERM"], message: "container not running" },
  { stage: "running", argv: ["kill", "ID", "NOSUCH"], message: 'unknown signal "NOSUCH"' },
  { stage: "stopped", argv: ["pause", "ID"], message: "container not running" },
  { stage: "running", argv: ["resume", "ID"], message: "container not paused" },
  {
    stage: "stopped",
    argv: ["exec", "ID", "true"],
    message: "exec failed: cannot exec in a stopped container",
  },
  {
    stage: "paused",
    argv: ["exec", "ID", "true"],
    message: "exec failed: cannot exec in a paused container (use --ignore-paused to override)",
    older: /cannot exec in a paused container/,
  },
  {
    stage: "running",
    argv: ["exec", "ID", "nosuch"],
    message: `exec failed: ${failedStart}exec: "nosuch": executable file not found in $PATH`,
  },
  {
    stage: "running",
    argv: ["exec", "ID", "/nosuch"],
    message: `exec failed: ${failedStart}exec: "/nosuch": stat /nosuch: no such file or directory`,
  },
  {
    stage: "none",
    argv: create,
    change: { process: { args: ["nosuch"] } },
    message: `runc create failed: ${failedStart}exec: "nosuch": executable file not found in $PATH`,
  },
  {
    stage: "none",
    argv: create,
    change: { process: { args: ["/nosuch"] } },
    message: `runc create failed: ${failedStart}exec: "/nosuch": stat /nosuch: no such file or directory`,
  },
  {
    stage: "none",
    argv: create,
    change: { process: { args: ["/etc"] } },
    message: `runc create failed: ${failedStart}exec: "/etc": is a directory`,
    older: /exec: "\/etc": permission denied/,
  },
  {
    stage: "none",
    argv: create,
    change: { process: { args: ["sh"], terminal: true } },
    message:
      "runc create failed: cannot allocate tty if runc will detach without setting console socket",
  },
];

/** Every form that an error has, from the same call made anew. */
function messagesIn(runtime: RuntimeName, argv: readonly string[]): readonly string[] {
  const log = join(mkdtempSync(join(room.directory, "log-")), "log");
  const read = (): string => readFileSync(log, "utf8");
  const plain = room.runtime(runtime, argv);
  const text = room.runtime(runtime, ["--log", log, ...argv]);
  const lastText = logMessages(read()).at(-1) ?? "";
  const json = room.runtime(runtime, ["--log", log, "--log-format", "json", ...argv]);
  const lastLine: unknown = JSON.parse(read().trimEnd().split("\n").at(-1) ?? "");
  assert.is(Reflect.get(Object(lastLine), "level"), "error");
  const lastJson = String(Reflect.get(Object(lastLine), "msg"));
  const statuses = [plain, text, json].map(({ status }) => status);
  assert.is(new Set(statuses).size, 1, `one status: ${statuses}`);
  const bare = [text, json].map(({ stderr }) => stderr.trimEnd().split("\n").at(-1) ?? "");
  return [logMessages(plain.stderr).at(-1) ?? "", lastText, lastJson, ...bare];
}

for (const { stage, argv, message, change, older } of cases) {
  const called = argv.join(" ");
  test(`"${message}": ${called} of a container that is ${stage}`, () => {
    const bundle = change === undefined ? sleeping : room.makeBundle(change);
    for (const runtime of runc === undefined
      ? (["ts-runc"] as const)
      : (["ts-runc", "runc"] as const)) {
      const id = makeContainer(runtime, stage, bundle);
      const words = argv.map((word) => word.replace("ID", id).replace("BUNDLE", bundle.directory));
      const expected = message.replace("container ID that", `container ${id} that`);
      try {
        for (const form of messagesIn(runtime, words)) {
          if (runtime === "runc" && older !== undefined) assert.match(form, older);
          else assert.is(form, expected, runtime);
        }
      } finally {
        room.runtime(runtime, ["delete", "--force", id]);
      }
    }
  });
}

test("--log takes a descriptor that the caller has open", () => {
  const file = join(room.directory, "descriptor.log");
  const fd = openSync(file, "w");
  try {
    const command = room.command("--log", "/dev/fd/7", "--log-format", "json", "state", "nope");
    const child = Bun.spawnSync(
      ["sh", "-c", 'exec 7>&0 0</dev/null; exec "$@"', "sh", ...command],
      {
        stdin: fd,
        stderr: "pipe",
      },
    );
    assert.is(child.exitCode, 1);
    assert.is(child.stderr.toString(), "container does not exist\n");
    assert.match(readFileSync(file, "utf8"), /^\{"level":"error","msg":"container does not exist"/);
  } finally {
    closeSync(fd);
  }
});

test("--debug tells the steps of create, start, kill and delete, and the error is still the last line", () => {
  const id = room.newId();
  const steps = (...argv: readonly string[]): string => {
    const { status, stderr } = room.tsRunc(["--debug", ...argv]);
    assert.is(status, 0, stderr);
    const lines = stderr.trimEnd().split("\n");
    for (const line of lines) assert.match(line, /^time="\S+" level=debug msg=/);
    return lines.map((line) => line.replace(/^.*? msg="?(.*?)"?$/, "$1")).join("\n");
  };
  const created = steps("create", "-b", sleeping.directory, id);
  for (const step of [
    /^ts-runc create, state root /,
    /\n\S+config\.json is valid: 1\.0\.2, rootfs \S+\n/,
    /\ncgroup v[12]: \//,
    /\nclaimed \S+\n/,
    /\ninit stub: process \d+\n/,
    /\nruntime: make-cgroup\n/,
    /\ninit \d+: mounts\n/,
    /\ninit \d+: root and user\n/,
    /the program is \/bin\/sleep/,
    /\ninit \d+: parking$/,
  ]) {
    assert.match(created, step);
  }
  assert.match(steps("start", id), /is created, init \d+\ninit has become the program$/);
  assert.match(
    steps("kill", id, "KILL"),
    /is running, init \d+\n.*signal 9 to process \d+|killed/s,
  );
  assert.match(steps("delete", "--force", id), /\nremoved \//);
  const { stderr } = room.tsRunc(["--debug", "state", id]);
  assert.match(stderr, /level=error msg="container does not exist"\n$/);
});

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
