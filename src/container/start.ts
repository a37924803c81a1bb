// start: lets a created container run its program.

import { raise } from "../base/fault.ts";
import { type OwnedFd, readText, removeFile } from "../host/files.ts";
import { receiveGreeting } from "../init/doorbell.ts";
import { recallConfig } from "../spec/load.ts";
import { callInit } from "./listener.ts";
import { observeLocked } from "./observe.ts";
import { type ContainerRecord, readRecord } from "./record.ts";
import { startInit } from "./start-init.ts";
import { requireStatus } from "./status.ts";
import { type ContainerPlace, containerPaths, lockDirectory, unlock } from "./store.ts";

/**
 * Starts the container. Two that try at once take turns: the second finds it running.
 *
 * Spec: runtime.md#start: MUST run the user-specified program; MUST be an error if the container is not created.
 *
 * @param beforehand what has to be done before the program runs, with the container's directory locked
 * @throws `id`, `status` faults; `syscall` when the program cannot be executed, and the container has stopped then
 */
export async function startContainer(
  place: ContainerPlace,
  beforehand?: (directory: OwnedFd, record: ContainerRecord) => void,
): Promise<void> {
  const paths = containerPaths(place);
  using directory = lockDirectory(place, "forever");
  const record = readRecord(paths);
  requireStatus("start", place.id, observeLocked(paths, record));
  const text = readText(paths.config, "reading the container's config");
  const spec = recallConfig(text);
  const { filter: recorded } = record.tsRunc;
  const filterSteps =
    recorded === undefined
      ? []
      : await (await import("./filter.ts")).recallForStart(place.root, recorded, spec);
  // Before init is called: it ends when nothing follows the call.
  if (directory !== undefined) beforehand?.(directory, record);
  using doorbell = directory === undefined ? undefined : callInit(directory);
  if (doorbell === undefined || !receiveGreeting(doorbell.fd)) {
    raise({ kind: "status", message: "cannot start a container that has stopped" });
  }
  try {
    await startInit(place, { doorbell: doorbell.fd, record }, { spec, filterSteps });
  } finally {
    removeFile(paths.socket, "removing the socket of init");
  }
  const { poststart = [] } = spec.hooks ?? {};
  if (poststart.length === 0 || directory === undefined) return;
  unlock(directory);
  (await import("./hooks.ts")).runPoststartHooks(record, spec);
}
