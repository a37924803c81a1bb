// Programs of create driven through real stubs, up to parking, and what is left when either side dies on the way. Needs root.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { prctlOptions, signals, waitOptions, waitTypes } from "../../src/abi/process.ts";
import { readField, siginfo } from "../../src/abi/struct.ts";
import { present } from "../../src/base/assert.ts";
import { FaultError } from "../../src/base/fault.ts";
import { launch } from "../../src/container/start-init.ts";
import { execute, executeForOutput } from "../../src/ffi/execute.ts";
import { drive, type LiveInit } from "../../src/init/drive.ts";
import {
  type InitProgram,
  initPidSlot,
  type Part,
  parkingBatch,
} from "../../src/program/program.ts";
import { step } from "../../src/program/step.ts";
import { getpid, kill, prctl, waitid } from "../../src/syscall/processes.ts";
import { makeScratchProgram, noActions, startScratchInit } from "../support/scratch-init.ts";

const test = suite("kernel/drive");
const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log("skip: not root, who makes namespaces");
const check = isRoot ? test : test.skip;

const temporary = mkdtempSync(join(tmpdir(), "drive-"));
const rootfs = join(temporary, "rootfs");
mkdirSync(rootfs);
// Stubs whose driver was killed become our children, so that we see each of them end.
if (isRoot) execute(prctl(prctlOptions.PR_SET_CHILD_SUBREAPER, 1));

function faultKind(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof FaultError) return error.fault.kind;
    throw error;
  }
  return "none";
}

function isAlive(pid: number): boolean {
  return execute(kill(pid, 0)) === 0;
}

/** The program without its last batch: a parked init would wait for somebody to call. */
function withoutParking({ parts }: InitProgram): InitProgram {
  return { parts: parts.filter((part) => part.kind === "host" || part.name !== parkingBatch) };
}

/** Reaps what has ended, and says which of our children are left. */
function children(): readonly number[] {
  const { WEXITED, WNOHANG, __WALL } = waitOptions;
  for (;;) {
    const { result, output } = executeForOutput(
      waitid(waitTypes.P_ALL, 0, WEXITED | WNOHANG | __WALL),
    );
    if (result < 0 || readField(siginfo, output, "si_pid") === 0) break;
  }
  const list = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim();
  return list === "" ? [] : list.split(" ").map(Number);
}

check("drive() makes an init that is pid 1 in its own namespaces and on its own root", () => {
  using scratch = startScratchInit();
  const { init } = scratch;
  const stubPid = init.pid;
  drive(init, withoutParking(makeScratchProgram(rootfs)), noActions);
  assert.is.not(init.pid, stubPid);
  const status = readFileSync(`/proc/${init.pid}/status`, "utf8");
  assert.match(status, /^NSpid:\s+\d+\s+1$/m);
  assert.match(status, /^NoNewPrivs:\s+1$/m);
  assert.is.not(statSync(`/proc/${init.pid}/ns/mnt`).ino, statSync("/proc/self/ns/mnt").ino);
  assert.is(statSync(`/proc/${init.pid}/root/`).ino, statSync(rootfs).ino);
  // The half that stayed outside is gone, and has been waited for.
  assert.not(isAlive(stubPid));
});

check("drive() takes the answers of a fork in either order, over and over", () => {
  const program = makeScratchProgram(rootfs);
  const forks = (part: Part): boolean =>
    part.kind === "batch" && part.steps.some(({ slot }) => slot === initPidSlot);
  const fork = { parts: program.parts.slice(0, program.parts.findIndex(forks) + 1) };
  for (let round = 0; round < 150; round++) {
    using scratch = startScratchInit();
    const stubPid = scratch.init.pid;
    drive(scratch.init, fork, noActions);
    assert.ok(isAlive(scratch.init.pid) && scratch.init.pid !== stubPid);
    assert.not(isAlive(stubPid));
  }
});

check("endInit() leaves no process, however far the program has come", () => {
  const { parts } = withoutParking(makeScratchProgram(rootfs));
  for (let count = 0; count <= parts.length; count++) {
    const pids: number[] = [];
    {
      using scratch = startScratchInit();
      pids.push(scratch.init.pid);
      drive(scratch.init, { parts: parts.slice(0, count) }, noActions);
      pids.push(scratch.init.pid);
    }
    assert.equal(pids.filter(isAlive), [], `after ${count} parts`);
    assert.equal(children(), []);
  }
});

check("drive() says init-died when the stub dies before any of the batches", () => {
  const { parts } = withoutParking(makeScratchProgram(rootfs));
  for (let count = 0; count < parts.length; count++) {
    if (parts[count]?.kind !== "batch") continue;
    using scratch = startScratchInit();
    const { init } = scratch;
    drive(init, { parts: parts.slice(0, count) }, noActions);
    execute(kill(init.pid, signals.SIGKILL));
    waitUntilZombie(init);
    const kind = faultKind(() => drive(init, { parts: parts.slice(count) }, noActions));
    assert.is(kind, "init-died", `before part ${count}`);
  }
  assert.equal(children(), []);
});

check("drive() says init-died when the stub dies at any moment of its work", async () => {
  const { parts } = withoutParking(makeScratchProgram(rootfs));
  let died = 0;
  for (let round = 0; round < 120; round++) {
    const victim = round % parts.length;
    // While the stub executes the batch, between 0 and about 1 ms after it was sent.
    const program: InitProgram = {
      parts: parts.map((part, index) =>
        part.kind === "batch" && index === victim ? { ...part, meanwhile: ["apply-limits"] } : part,
      ),
    };
    const killAfter = (pid: number): void => {
      const until = performance.now() + (round / parts.length) * 0.02;
      while (performance.now() < until);
      execute(kill(pid, signals.SIGKILL));
    };
    const scratch = startScratchInit();
    const actions = { ...noActions, "apply-limits": killAfter };
    const kind = faultKind(() => drive(scratch.init, program, actions));
    assert.ok(["init-died", "none"].includes(kind), `a fault of kind ${kind}`);
    if (kind === "init-died") died += 1;
    scratch[Symbol.dispose]();
    // A child that was cloned but never heard of sees its doorbell closed.
    await untilNoChildren(`round ${round}`);
  }
  assert.ok(died > 60, `only ${died} have died under way`);
});

async function untilNoChildren(hint: string): Promise<void> {
  const deadline = performance.now() + 1000;
  while (children().length > 0 && performance.now() < deadline) await Bun.sleep(2);
  assert.equal(children().map(describe), [], hint);
}

function waitUntilZombie({ pid }: LiveInit): void {
  const { WEXITED, WNOWAIT, __WALL } = waitOptions;
  const call = waitid(waitTypes.P_PID, pid, WEXITED | WNOWAIT | __WALL);
  assert.is(execute(call), 0, "the child has ended");
}

check(
  "launch() says init-died of a stub that has read none of its last steps, who ever has reaped it",
  async () => {
    using scratch = startScratchInit();
    const { doorbell, pid } = scratch.init;
    execute(kill(pid, signals.SIGSTOP));
    const killer = Bun.spawn(["sh", "-c", `sleep 0.1; kill -KILL ${pid}`]);
    // Of a process that is gone nothing can be seen: the socket alone tells.
    const gone = { doorbell, pid: Bun.spawnSync(["true"]).pid };
    const steps = [step("executing nothing", getpid())];
    assert.is(
      faultKind(() => launch(gone, steps)),
      "init-died",
    );
    await killer.exited;
  },
);

check("drive() raises the fault of the step that fails, and the stub can still be ended", () => {
  using scratch = startScratchInit();
  const program = makeScratchProgram(join(temporary, "missing"));
  const kind = faultKind(() => drive(scratch.init, program, noActions));
  assert.is(kind, "syscall");
  assert.ok(isAlive(scratch.init.pid));
});

check("a driver that is killed at a random moment leaves no stub behind", async () => {
  const driver = join(import.meta.dir, "../support/scratch-init.ts");
  let seen = 0;
  for (let round = 0; round < 25; round++) {
    const child = Bun.spawn([process.execPath, driver, rootfs], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    const reader = child.stdout.getReader();
    // It says so when everything is loaded, and then drives one init after the other.
    present((await reader.read()).value, "the driver's word");
    await Bun.sleep(round % 12);
    execute(kill(child.pid, signals.SIGKILL));
    await child.exited;
    seen += children().length;
    await untilNoChildren(`round ${round}`);
  }
  console.log(`     stubs that outlived their driver for a moment: ${seen}`);
});

function describe(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return `${pid} is gone`;
  }
}

test.after(() => rmSync(temporary, { recursive: true, force: true }));

test.run();
