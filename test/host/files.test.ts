// Reading files of the host: what a process that has gone leaves behind in /proc.

import { closeSync, openSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readDescriptor, readTextIfPresent } from "../../src/host/files.ts";
import { readProcessStat } from "../../src/host/processes.ts";
import { catchFault } from "../spec/catch-fault.ts";

const test = suite("host/files");

test("a process that is reaped between open and read is no process", async () => {
  const child = Bun.spawn(["sleep", "100"]);
  const path = `/proc/${child.pid}/stat`;
  const fd = openSync(path, "r");
  child.kill("SIGKILL");
  await child.exited;
  assert.is(readTextIfPresent(path, "looking"), undefined);
  assert.is(readProcessStat(child.pid), undefined);
  const fault = catchFault(() => readDescriptor(fd, "looking"))?.fault;
  assert.is(fault?.kind === "syscall" && fault.errno, "ESRCH");
  closeSync(fd);
});

test("no look at a process that is just being reaped fails", async () => {
  for (let round = 0; round < 20; round += 1) {
    const child = Bun.spawn(["true"]);
    let ended = false;
    const end = child.exited.then(() => {
      ended = true;
    });
    while (!ended) {
      for (let look = 0; look < 50; look += 1) readProcessStat(child.pid);
      await Bun.sleep(0);
    }
    await end;
  }
});

test.run();
