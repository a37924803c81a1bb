// pause, resume and ps with the built executable, beside Debian's runc where it is there: what stops, what goes on, what is
// seen of it. Needs root.

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { logMessages, runc } from "../cli/executable.ts";
import { type Bundle, openRoom, type RuntimeName, slowness, until } from "../support/room.ts";

const test = suite("kernel/pause");
const room = openRoom("pause");
const beside = runc === undefined ? test.skip : test;
if (runc === undefined) console.log("skip: there is no runc to compare with");

const sleeper = (): Bundle => room.makeBundle({ process: { args: ["sleep", "1000"] } });

function start(bundle: Bundle, id = room.newId()): string {
  const { status, stderr } = room.tsRunc(["run", "-d", "--bundle", bundle.directory, id]);
  assert.is(status, 0, stderr);
  return id;
}

function must(...argv: readonly string[]): string {
  const { status, stdout, stderr } = room.tsRunc(argv);
  assert.is(status, 0, `${argv.join(" ")}: ${stderr}`);
  return stdout;
}

function remove(id: string): void {
  must("delete", "--force", id);
}

/** A container that writes a line to a file of its rootfs, again and again. */
function counter(): { readonly bundle: Bundle; readonly read: () => number } {
  const script = "while :; do echo line >> /tmp/lines; usleep 2000; done";
  const bundle = room.makeBundle({ process: { args: ["sh", "-c", script] } });
  const file = join(bundle.rootfs, "tmp/lines");
  return { bundle, read: () => statSync(file, { throwIfNoEntry: false })?.size ?? 0 };
}

test("a paused container stands still, and goes on when it is resumed", async () => {
  const { bundle, read } = counter();
  const id = start(bundle);
  try {
    await until(() => read() > 0);
    must("pause", id);
    const then = read();
    assert.is(room.state(id)?.status, "paused");
    await Bun.sleep(100 * slowness);
    assert.is(read(), then, "nothing was written meanwhile");
    must("resume", id);
    assert.is(room.state(id)?.status, "running");
    await until(() => read() > then);
    assert.ok(read() > then, "it writes again");
  } finally {
    remove(id);
  }
});

test("a container that forks without end is paused whole", async () => {
  const script = "while :; do true & done";
  const id = start(room.makeBundle({ process: { args: ["sh", "-c", script] } }));
  try {
    for (let round = 0; round < 5; round += 1) {
      must("pause", id);
      const pids: readonly number[] | null = JSON.parse(must("ps", "--format", "json", id));
      for (const pid of pids ?? []) {
        const [, state = ""] = /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
        assert.match(state, /[DSZXt]/, `process ${pid} of a paused container does not run`);
      }
      must("resume", id);
    }
  } finally {
    remove(id);
  }
});

test("a signal waits for a paused container, SIGKILL and delete --force do not", async () => {
  const script = "trap 'echo got > /tmp/got; exit 3' TERM; while :; do usleep 1000; done";
  const bundle = room.makeBundle({ process: { args: ["sh", "-c", `${script}`] } });
  const id = start(bundle);
  await Bun.sleep(100 * slowness);
  must("pause", id);
  must("kill", id, "TERM");
  await Bun.sleep(50 * slowness);
  assert.is(room.state(id)?.status, "paused");
  must("resume", id);
  await until(() => room.state(id)?.status === "stopped");
  assert.is(readFileSync(join(bundle.rootfs, "tmp/got"), "utf8"), "got\n");
  remove(id);
  const killed = start(sleeper());
  must("pause", killed);
  must("kill", killed, "KILL");
  await until(() => room.state(killed)?.status === "stopped");
  assert.is(room.state(killed)?.status, "stopped");
  remove(killed);
  const forced = start(sleeper());
  must("pause", forced);
  remove(forced);
  assert.is(room.state(forced), undefined);
});

/** What a runtime answers to pause, resume and ps in every status, without what differs from run to run. */
async function live(runtime: RuntimeName, bundle: Bundle): Promise<readonly unknown[]> {
  const id = room.newId();
  const seen: unknown[] = [];
  const ask = (...argv: readonly string[]): void => {
    const { status, stdout, stderr } = room.runtime(runtime, argv);
    const [pid = "-"] = /\d{2,}/.exec(stdout) ?? [];
    const shown = stdout
      .replaceAll(/\bts-runc:init\b/g, "INIT")
      .replaceAll(/\S*\brunc init\b/g, "INIT")
      .replaceAll(pid, "PID")
      .replaceAll(/ +/g, " ")
      .replaceAll(/\d\d:\d\d(?!:)/g, "NOW");
    const errors = logMessages(stderr).map((message) => message.replaceAll(id, "ID"));
    seen.push({ argv: argv.join(" ").replaceAll(id, "ID"), status, shown, errors });
  };
  const askAll = (): void => {
    ask("resume", id);
    ask("pause", id);
    ask("pause", id);
    ask("ps", "--format", "json", id);
    ask("ps", id, "-o", "user,pid,comm,args");
    ask("ps", id, "-o", "comm");
    ask("ps", id, "--bogus");
    ask("ps", "-f", "yaml", id);
    ask("resume", id);
    ask("resume", id);
  };
  ask("pause", id);
  ask("resume", id);
  ask("ps", id);
  assert.is(room.runtime(runtime, ["create", "--bundle", bundle.directory, id]).status, 0);
  askAll();
  assert.is(room.runtime(runtime, ["start", id]).status, 0);
  askAll();
  assert.is(room.runtime(runtime, ["kill", id, "KILL"]).status, 0);
  const stopped = (): boolean =>
    JSON.parse(room.runtime(runtime, ["state", id]).stdout).status === "stopped";
  await until(stopped);
  askAll();
  assert.is(room.runtime(runtime, ["delete", id]).status, 0);
  return seen;
}

beside("pause, resume and ps answer as runc's in every status", async () => {
  const bundle = sleeper();
  const [ours, theirs] = [await live("ts-runc", bundle), await live("runc", bundle)];
  // The name of a created init is our own.
  const plain = (seen: readonly unknown[]): string =>
    JSON.stringify(seen, undefined, 1).replaceAll(
      /PID (runc:\[\S*|ts-runc:\S*|exe) /g,
      "PID INIT ",
    );
  assert.is(plain(ours), plain(theirs));
});

test("ps shows processes in groups that the container has made, and finds no ps where there is none", () => {
  const id = start(sleeper());
  try {
    const empty = room.tsRunc(["ps", id], { env: { PATH: room.directory } });
    assert.is(empty.status, 1);
    assert.equal(logMessages(empty.stderr), ['exec: "ps": executable file not found in $PATH']);
    assert.match(must("ps", id), /^UID +PID .*\n.* sleep 1000\n$/);
  } finally {
    remove(id);
  }
});

test("nothing of all this is left", async () => {
  assert.equal(await room.leftovers(), []);
});

test.after(() => room.remove());

test.run();
