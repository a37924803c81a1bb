// The runtime's part in the container's terminal: fetching the master from init, and handing it to a console socket.

import { SCM_RIGHTS, SOL_SOCKET, socketFamilies, socketTypes } from "../abi/socket.ts";
import { controlMessage, ioVector, messageHeader } from "../abi/struct.ts";
import { must } from "../ffi/execute.ts";
import { pidfdOpen } from "../syscall/processes.ts";
import { connectPath, socket } from "../syscall/sockets.ts";
import { call, number, struct, text } from "../syscall/value.ts";
import { type OwnedFd, own } from "./files.ts";

/**
 * Copies a descriptor of another process into ours; pidfd_getfd(2). Run by the runtime.
 *
 * @throws `syscall` fault
 */
export function fetchDescriptor(pid: number, fd: number, doing: string): OwnedFd {
  using process = own(must(pidfdOpen(pid), doing));
  return own(must(call("pidfd_getfd", number(process.fd), number(fd), number(0)), doing));
}

/**
 * Connects to the socket on which the caller waits for the terminal.
 *
 * @param path at most 107 bytes, as for every caller of connect(2)
 * @throws `syscall` fault
 */
export function connectConsole(path: string): OwnedFd {
  const doing = `connecting to the console socket ${path}`;
  const { SOCK_CLOEXEC, SOCK_STREAM } = socketTypes;
  const consoleSocket = own(
    must(socket(socketFamilies.AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC), doing),
  );
  must(connectPath(consoleSocket.fd, path), doing);
  return consoleSocket;
}

/** What the message says besides the descriptor, as runc's: receivers show it as the name of the file. */
const masterName = "/dev/ptmx";

/**
 * Sends the master in one message with SCM_RIGHTS; unix(7).
 *
 * @throws `syscall` fault
 */
export function sendMaster(consoleSocket: OwnedFd, master: OwnedFd): void {
  const message = struct(messageHeader, {
    msg_iov: struct(ioVector, { iov_base: text(masterName), iov_len: number(masterName.length) }),
    msg_iovlen: number(1),
    msg_control: struct(controlMessage, {
      "header.cmsg_len": number(controlMessage.sizeBytes - 4),
      "header.cmsg_level": number(SOL_SOCKET),
      "header.cmsg_type": number(SCM_RIGHTS),
      descriptor: number(master.fd),
    }),
    msg_controllen: number(controlMessage.sizeBytes),
  });
  must(call("sendmsg", number(consoleSocket.fd), message, number(0)), "sending the terminal");
}
