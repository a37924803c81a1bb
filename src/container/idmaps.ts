// Gets the user namespaces that translate the ids of idmapped mounts: a short-lived stub makes each one, and leaves a descriptor.

import { openFlags } from "../abi/file.ts";
import { during } from "../base/fault.ts";
import { UndoStack } from "../base/undo-stack.ts";
import { execute } from "../ffi/execute.ts";
import { type OwnedFd, openFile } from "../host/files.ts";
import { writeIdMaps } from "../host/id-maps.ts";
import { drive, endInit, liveInit } from "../init/drive.ts";
import { startStub } from "../init/stub-process.ts";
import { newUserNamespace } from "../inside/namespaces.ts";
import { settleStub } from "../inside/process.ts";
import { doorbellFd } from "../plan/host-facts.ts";
import type { IdmapSource } from "../plan/idmaps.ts";
import { batch } from "../program/program.ts";
import type { IdMaps } from "../spec/idmap.ts";
import { getpid } from "../syscall/processes.ts";

/** The namespaces' descriptors, in the order of their sources. */
export type OpenedIdmaps = Disposable & { readonly fds: readonly number[] };

/**
 * Opens a user namespace for each source. Run by the runtime; nothing but the descriptors is left.
 *
 * @param directory as for `startStub`
 * @throws `syscall` fault, when the kernel does not take a map for instance
 */
export function openIdmaps(sources: readonly IdmapSource[], directory: string): OpenedIdmaps {
  const opened = new UndoStack();
  try {
    const fds = sources.map((source) => {
      const namespace = during("getting the user namespace of an idmapped mount", () =>
        source.kind === "maps"
          ? makeUserNamespace(source.maps, directory)
          : openNamespace(source.path),
      );
      return opened.use(namespace).fd;
    });
    return { fds, [Symbol.dispose]: () => opened.dispose() };
  } catch (error) {
    opened.dispose();
    throw error;
  }
}

function openNamespace(path: string): OwnedFd {
  // So that a path to something else, a fifo or a terminal, has no effect.
  const flags = openFlags.O_NONBLOCK | openFlags.O_NOCTTY;
  return openFile(path, { flags, doing: `opening the user namespace ${path}` });
}

function makeUserNamespace(maps: IdMaps, directory: string): OwnedFd {
  const stub = startStub({ doorbellFd: doorbellFd(0), directory, descriptors: [] });
  using _doorbell = stub.doorbell;
  const maker = liveInit(stub);
  try {
    const settle = settleStub({
      runtimePid: execute(getpid()),
      firstForeignFd: doorbellFd(0) + 1,
    });
    drive(maker, { parts: [batch("user namespace", [...settle, ...newUserNamespace()])] });
    writeIdMaps(stub.pid, maps);
    return openNamespace(`/proc/${stub.pid}/ns/user`);
  } finally {
    endInit(maker);
  }
}
