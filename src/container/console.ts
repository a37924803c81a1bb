// Who looks after a container's or a process's terminal: checked before anything is made, and handed to a console socket.

import { raise } from "../base/fault.ts";
import type { OwnedFd } from "../host/files.ts";
import { connectSocket } from "../host/sockets.ts";
import { sendMaster } from "../host/terminal.ts";

/**
 * Makes sure that somebody will look after the terminal, and that a console socket has a use.
 *
 * @param wanted.detached whether nobody of ours will be there to do it
 * @throws `refused` fault in runc's words
 */
export function checkConsole(wanted: {
  readonly terminal: boolean;
  readonly consoleSocket: string | undefined;
  readonly detached: boolean;
}): void {
  const { terminal, consoleSocket, detached } = wanted;
  const refuse = (message: string): never => raise({ kind: "refused", message });
  if (terminal && detached && consoleSocket === undefined) {
    refuse("cannot allocate tty if runc will detach without setting console socket");
  }
  if (consoleSocket !== undefined && !(terminal && detached)) {
    refuse("cannot use console socket if runc will not detach or allocate tty");
  }
}

/** Connects to the console socket that the caller has given, before anything is made. */
export function openConsole(consoleSocket: string | undefined): OwnedFd | undefined {
  if (consoleSocket === undefined) return undefined;
  return connectSocket(consoleSocket, `connecting to the console socket ${consoleSocket}`);
}

/** Hands the terminal over to who waits on the console socket. It must be there before the process is left to itself. */
export function sendTerminal(console: OwnedFd | undefined, terminal: OwnedFd | undefined): void {
  if (console !== undefined && terminal !== undefined) sendMaster(console, terminal);
}
