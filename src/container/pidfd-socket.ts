// Tells whoever waits on the caller's pidfd socket of a new process, by a pidfd: a name that no other process can get.

import { must } from "../ffi/execute.ts";
import { type OwnedFd, own } from "../host/files.ts";
import { connectSocket, sendDescriptor } from "../host/sockets.ts";
import { pidfdOpen } from "../syscall/processes.ts";

/**
 * Connects to the pidfd socket that the caller has given, before anything is made.
 *
 * @throws `syscall` fault
 */
export function openPidfdSocket(path: string | undefined): OwnedFd | undefined {
  return path === undefined
    ? undefined
    : connectSocket(path, `connecting to the pidfd socket ${path}`);
}

/** What the message says besides, as runc's: a container's first process is `standard`, one of exec's `setns`. */
export type ProcessOrigin = "standard" | "setns";

/**
 * Sends the pidfd of a process that cannot have been reaped yet. Run by the runtime.
 *
 * @throws `syscall` fault
 */
export function sendPidfd(
  receiver: OwnedFd | undefined,
  process: { readonly pid: number; readonly origin: ProcessOrigin },
): void {
  if (receiver === undefined) return;
  const doing = "sending the pidfd";
  using pidfd = own(must(pidfdOpen(process.pid), doing));
  sendDescriptor(receiver, pidfd, { text: process.origin, doing });
}
