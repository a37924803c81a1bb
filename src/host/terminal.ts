// The runtime's part in the container's terminal: fetching the master from init, and handing it to a console socket.

import { must } from "../ffi/execute.ts";
import { pidfdOpen } from "../syscall/processes.ts";
import { call, number } from "../syscall/value.ts";
import { type OwnedFd, own } from "./files.ts";
import { sendDescriptor } from "./sockets.ts";

/**
 * Copies a descriptor of another process into ours; pidfd_getfd(2). Run by the runtime.
 *
 * @throws `syscall` fault
 */
export function fetchDescriptor(pid: number, fd: number, doing: string): OwnedFd {
  using process = own(must(pidfdOpen(pid), doing));
  return own(must(call("pidfd_getfd", number(process.fd), number(fd), number(0)), doing));
}

/** What the message says besides the descriptor, as runc's: receivers show it as the name of the file. */
const masterName = "/dev/ptmx";

/**
 * Sends the master to who waits on the console socket.
 *
 * @throws `syscall` fault
 */
export function sendMaster(consoleSocket: OwnedFd, master: OwnedFd): void {
  sendDescriptor(consoleSocket, master, { text: masterName, doing: "sending the terminal" });
}
