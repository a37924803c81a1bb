// Drives real stubs as create does, compiled for arm64 and run in an emulator; prints what came of it as JSON.
//
//   drive-stubs COUNT

import { errnos } from "../../../src/abi/errno.ts";
import { AT_FDCWD, memfdFlags, openFlags } from "../../../src/abi/file.ts";
import { syscallNames } from "../../../src/abi/syscall-numbers.ts";
import { assert } from "../../../src/base/assert.ts";
import { execute } from "../../../src/ffi/execute.ts";
import type { Answer } from "../../../src/init/answer.ts";
import { drive, endInit, type HostActions, liveInit } from "../../../src/init/drive.ts";
import { defaultDoorbellFd } from "../../../src/init/layout.ts";
import { startStub } from "../../../src/init/stub-process.ts";
import { batch } from "../../../src/program/program.ts";
import { ignore, ignoreAny, type Step, step } from "../../../src/program/step.ts";
import { close, memfdCreate, openat } from "../../../src/syscall/files.ts";
import { getpid } from "../../../src/syscall/processes.ts";
import { call, number } from "../../../src/syscall/value.ts";

export type Report = {
  /** Stubs that were started, answered, and were ended. */
  readonly stubs: number;
  /** What memfd_create says to a file that may be executed: 0, or -errno. */
  readonly memfd: number;
  /** Calls that a stub finds missing. */
  readonly missing: readonly string[];
};

const noActions: HostActions = {
  "make-cgroup": () => {},
  "write-id-maps": () => {},
  "apply-device-rules": () => {},
  "copy-up": () => {},
  "apply-limits": () => {},
  "keep-config": () => {},
  "write-time-offsets": () => {},
  "move-net-devices": () => {},
  "enter-resctrl": () => {},
  "delegate-cgroup": () => {},
  "set-rlimits": () => {},
  "run-hooks": () => undefined,
  "set-scheduling": () => {},
  "send-listener": () => {},
};

/** These end the stub, or have it sleep; ioctl is missing only for requests that nobody knows. */
const notTried: readonly string[] = ["exit", "exit_group", "nanosleep", "ioctl"];

function main(): void {
  const wanted = Number(process.argv[2]);
  let stubs = 0;
  for (; stubs < wanted; stubs += 1) {
    const { pid, answer } = withStub(smallBatch());
    assert(answer.results.get("pid") === pid, "the stub says its pid");
    assert(answer.results.get("directory") === -errnos.ENOTDIR, "a device is no directory");
  }
  const report: Report = { stubs, memfd: tryMemfd(), missing: findMissing() };
  console.log(JSON.stringify(report));
}

function withStub(steps: readonly Step[]): { readonly pid: number; readonly answer: Answer } {
  const stub = startStub({ doorbellFd: defaultDoorbellFd, descriptors: [] });
  using _doorbell = stub.doorbell;
  const init = liveInit(stub);
  const answer = drive(init, { parts: [batch("trying", steps)] }, noActions);
  endInit(init);
  return { pid: stub.pid, answer };
}

function smallBatch(): readonly Step[] {
  const flags = openFlags.O_DIRECTORY | openFlags.O_NOFOLLOW | openFlags.O_CLOEXEC;
  return [
    step("opening a device as a directory", openat(AT_FDCWD, "/dev/null", { flags }), {
      slot: "directory",
      recovery: ignore("ENOTDIR"),
    }),
    step("asking for the pid", getpid(), { slot: "pid" }),
  ];
}

function tryMemfd(): number {
  const result = execute(memfdCreate("try", memfdFlags.MFD_CLOEXEC | memfdFlags.MFD_EXEC));
  if (result < 0) return result;
  execute(close(result));
  return 0;
}

/** Has a stub make every call with operands that none accepts: the answer of one that is missing is ENOSYS. */
function findMissing(): readonly string[] {
  const names = syscallNames().filter((name) => !notTried.includes(name));
  const wrong = number(-1);
  const steps = names.map((name) =>
    step("trying", call(name, wrong, wrong, wrong, wrong, wrong, wrong), {
      slot: name,
      recovery: ignoreAny,
    }),
  );
  const { results } = withStub(steps).answer;
  assert(results.size === names.length, "every call has a result");
  return names.filter((name) => results.get(name) === -errnos.ENOSYS);
}

main();
