// Processes as the runtime finds them again: by number and start time, through a pidfd.

import { readdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openProcess, readProcessStat, thisProcess } from "../../src/host/processes.ts";

const test = suite("host/processes");

test("openProcess() opens the very process, and no later one of its number", () => {
  const identity = thisProcess();
  using pidfd = openProcess(identity);
  assert.ok(pidfd !== undefined);
  assert.is(openProcess({ ...identity, startTimeTicks: identity.startTimeTicks + 1 }), undefined);
});

test("openProcess() takes a number that the kernel opens no more for that of a process that is gone", async () => {
  const child = Bun.spawn(["true"]);
  const startTimeTicks = readProcessStat(child.pid)?.startTimeTicks ?? 0;
  await child.exited;
  assert.is(openProcess({ pid: child.pid, startTimeTicks }), undefined);
  // The kernel answers EINVAL or ENOENT for a thread, as it does for a moment while a process is being reaped.
  const thread = Number(readdirSync("/proc/self/task").find((name) => name !== `${process.pid}`));
  assert.ok(thread > 0, "this runtime has threads");
  assert.is(openProcess({ pid: thread, startTimeTicks }), undefined);
});

test.run();
