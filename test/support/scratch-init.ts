// An init for tests: the program of create on an empty rootfs, without cgroups; run by itself, it drives one after the other.
//
//   scripts/bun test/support/scratch-init.ts ROOTFS

import { execute } from "../../src/ffi/execute.ts";
import { readRootFacts } from "../../src/host/facts.ts";
import { drive, endInit, type HostActions, type LiveInit, liveInit } from "../../src/init/drive.ts";
import { startStub, stubExitAddress } from "../../src/init/stub-process.ts";
import { createProgram } from "../../src/plan/create-program.ts";
import { doorbellFd } from "../../src/plan/host-facts.ts";
import { type InitProgram, parkingBatch } from "../../src/program/program.ts";
import { defaultSpec } from "../../src/spec/default-spec.ts";
import { validateConfig } from "../../src/spec/validate.ts";
import { getpid } from "../../src/syscall/processes.ts";
import { someFacts } from "./host-facts.ts";

const nothing = (): void => {};

/** The runtime's part of a program, which here is nothing. */
export const noActions: HostActions = {
  "make-cgroup": nothing,
  "write-id-maps": nothing,
  "apply-device-rules": nothing,
  "copy-up": nothing,
  "apply-limits": nothing,
  "keep-config": nothing,
  "write-time-offsets": nothing,
  "move-net-devices": nothing,
  "enter-resctrl": nothing,
  "delegate-cgroup": nothing,
  "set-rlimits": nothing,
  "run-hooks": () => undefined,
  "set-scheduling": nothing,
  "send-listener": nothing,
};

/** The program of the default config, but for cgroups and what needs files in the rootfs. */
export function makeScratchProgram(rootfs: string): InitProgram {
  const usual = defaultSpec({ rootless: undefined, cgroupV2: true });
  const mounts = (usual.mounts ?? []).filter(({ type }) => !type?.startsWith("cgroup"));
  const spec = validateConfig(
    { ...usual, root: { path: rootfs, readonly: true }, mounts },
    { noPivot: false },
  );
  return createProgram(spec, {
    ...someFacts,
    root: facts(rootfs),
    cgroupPlaces: { v1: [], v2: undefined },
    runtimePid: execute(getpid()),
    nullStreams: [],
    exitAddress: stubExitAddress,
  });
}

function facts(rootfs: string): ReturnType<typeof readRootFacts> {
  try {
    return readRootFacts(rootfs, undefined);
  } catch {
    // A rootfs that is missing is found missing by init.
    return { path: rootfs, device: "0:0", inode: 0n, parentMount: "/" };
  }
}

/** A stub, ended when it is disposed of. */
export function startScratchInit(): Disposable & { readonly init: LiveInit } {
  const stub = startStub({ doorbellFd: doorbellFd(0), descriptors: [] });
  const init = liveInit(stub);
  return {
    init,
    [Symbol.dispose]: () => {
      stub.doorbell[Symbol.dispose]();
      endInit(init);
    },
  };
}

if (import.meta.main) {
  const program = makeScratchProgram(process.argv[2] ?? "");
  const parts = program.parts.filter((part) => part.kind === "host" || part.name !== parkingBatch);
  console.log("driving");
  for (;;) {
    using scratch = startScratchInit();
    drive(scratch.init, { parts }, noActions);
  }
}
