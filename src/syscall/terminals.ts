// The ioctl(2)s of terminals, as values.

import { openFlags } from "../abi/file.ts";
import { termios } from "../abi/struct.ts";
import { terminalRequests } from "../abi/terminal.ts";
import {
  bytes,
  call,
  type Fd,
  fdOperand,
  flags,
  number,
  type Operand,
  outputOperand,
  type Syscall,
} from "./value.ts";

function request(name: keyof typeof terminalRequests): Operand {
  const value = terminalRequests[name];
  return flags({ [name]: value }, value);
}

/** Unlocks the slave of a pseudoterminal's master. */
export function unlockPeer(master: Fd): Syscall {
  return call("ioctl", fdOperand(master), request("TIOCSPTLCK"), bytes(new Uint8Array(4)));
}

/** Opens the slave of a master, by no path; returns its descriptor. */
export function openPeer(master: Fd): Syscall {
  const { O_RDWR, O_NOCTTY, O_CLOEXEC } = openFlags;
  return call(
    "ioctl",
    fdOperand(master),
    request("TIOCGPTPEER"),
    flags(openFlags, O_RDWR | O_NOCTTY | O_CLOEXEC),
  );
}

/** Makes the terminal that of the caller's session. */
export function setControllingTerminal(fd: Fd): Syscall {
  return call("ioctl", fdOperand(fd), request("TIOCSCTTY"), number(0));
}

export type WindowSize = { readonly rows: number; readonly columns: number };

export function setWindowSize(fd: Fd, size: WindowSize): Syscall {
  const words = new Uint16Array([size.rows, size.columns, 0, 0]);
  return call("ioctl", fdOperand(fd), request("TIOCSWINSZ"), bytes(new Uint8Array(words.buffer)));
}

/** The output is a `struct winsize`: rows and columns, 16 bits each, and sizes in pixels. */
export function getWindowSize(fd: Fd): Syscall {
  return call("ioctl", fdOperand(fd), request("TIOCGWINSZ"), outputOperand(8));
}

export function getTerminalModes(fd: Fd): Syscall {
  const output = outputOperand(termios.sizeBytes);
  return call("ioctl", fdOperand(fd), request("TCGETS"), output);
}

export function setTerminalModes(fd: Fd, modes: Uint8Array): Syscall {
  return call("ioctl", fdOperand(fd), request("TCSETS"), bytes(modes));
}
