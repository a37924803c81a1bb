// The socket on which a parked init waits: made by create, called by start.

import { AT_FDCWD } from "../abi/file.ts";
import { socketFamilies, socketTypes } from "../abi/socket.ts";
import { execute, must } from "../ffi/execute.ts";
import { type OwnedFd, own } from "../host/files.ts";
import { fchmodat } from "../syscall/files.ts";
import { bindPath, connectPath, listen, socket } from "../syscall/sockets.ts";

const name = "init.sock";

/** A path of any length to the socket: sockaddr_un holds 107 bytes, the state root may be longer. */
function addressIn(directory: OwnedFd): string {
  return `/proc/self/fd/${directory.fd}/${name}`;
}

/**
 * Makes the listening socket in the container's directory, for root alone.
 *
 * @throws `syscall` fault
 */
export function makeListener(directory: OwnedFd): OwnedFd {
  const doing = "making the socket for start";
  const listener = openSocket(doing);
  must(bindPath(listener.fd, addressIn(directory)), doing);
  must(fchmodat(AT_FDCWD, addressIn(directory), 0o600), doing);
  must(listen(listener.fd, 1), doing);
  return listener;
}

/**
 * Connects to a parked init.
 *
 * @returns undefined when nobody waits there any more
 */
export function callInit(directory: OwnedFd): OwnedFd | undefined {
  const caller = openSocket("calling init");
  if (execute(connectPath(caller.fd, addressIn(directory))) === 0) return caller;
  caller[Symbol.dispose]();
  return undefined;
}

function openSocket(doing: string): OwnedFd {
  const { SOCK_CLOEXEC, SOCK_STREAM } = socketTypes;
  return own(must(socket(socketFamilies.AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC), doing));
}
