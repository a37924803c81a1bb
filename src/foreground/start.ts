// start for a caller whose service manager wants to be told when the container is ready: it stays until then.

import { initIdentity } from "../container/record.ts";
import { startContainer } from "../container/start.ts";
import type { ContainerPlace } from "../container/store.ts";
import type { OwnedFd } from "../host/files.ts";
import { openProcess } from "../host/processes.ts";
import { awaitReady, type Notifier, openNotifier } from "./notify.ts";

/**
 * Starts the container and returns when it is ready, or has ended.
 *
 * @throws as startContainer
 */
export async function startNotifying(
  place: ContainerPlace,
  warn: (message: string) => void,
): Promise<void> {
  const opened: { notifier?: Notifier | undefined; pidfd?: OwnedFd | undefined } = {};
  await startContainer(place, (directory, record) => {
    opened.pidfd = openProcess(initIdentity(record));
    opened.notifier = openNotifier(directory, { mainPid: record.init_process_pid, warn });
  });
  // Both are open as long as we live, which is not longer.
  const { notifier, pidfd } = opened;
  if (notifier !== undefined && pidfd !== undefined) awaitReady(notifier, pidfd);
}
