// Relays between our own terminal and the container's: keys to it, output from it, the window's size, and raw mode meanwhile.

import { AT_FDCWD, fcntlCommands, openFlags } from "../abi/file.ts";
import { pollEvents } from "../abi/socket.ts";
import { termios } from "../abi/struct.ts";
import {
  controlCharacters,
  controlModes,
  inputModes,
  localModes,
  outputModes,
} from "../abi/terminal.ts";
import { present } from "../base/assert.ts";
import { raise } from "../base/fault.ts";
import { execute, executeForOutput } from "../ffi/execute.ts";
import { type OwnedFd, own } from "../host/files.ts";
import { fcntl, openat, read, write } from "../syscall/files.ts";
import {
  getTerminalModes,
  getWindowSize,
  setTerminalModes,
  setWindowSize,
} from "../syscall/terminals.ts";
import type { Notifier } from "./notify.ts";
import { type Turn, waitTurn } from "./turn.ts";

export type TerminalRelay = Disposable & {
  /** Waits for keys, output or the end of the container for a while, and relays what has come. */
  readonly turn: Turn;
};

/** Our own terminal, and the modes that it had. */
type HostTerminal = { readonly fd: OwnedFd; readonly modes: Uint8Array };

/**
 * Finds our own terminal: one of the standard streams, or that of our session.
 *
 * @throws `refused` fault when there is none; to be called before anything is made
 */
export function findHostTerminal(): HostTerminal {
  for (const fd of [0, 1, 2]) {
    const { result, output } = executeForOutput(getTerminalModes(fd));
    // Not ours to close.
    if (result === 0) return { fd: { fd, [Symbol.dispose]: () => {} }, modes: output };
  }
  const opened = execute(
    openat(AT_FDCWD, "/dev/tty", { flags: openFlags.O_RDWR | openFlags.O_CLOEXEC }),
  );
  if (opened >= 0) {
    const fd = own(opened);
    return { fd, modes: executeForOutput(getTerminalModes(opened)).output };
  }
  return raise({
    kind: "refused",
    message:
      "failed to get a console: a terminal is asked for (process.terminal, --tty), and there is none here",
  });
}

const chunkBytes = 16 * 1024;

/**
 * Makes our terminal raw and relays until it is disposed of, when the terminal gets its modes back.
 *
 * @param container the master of the container's terminal, a pidfd of its init, and what it may tell a service manager
 */
export function relayTerminal(
  host: HostTerminal,
  container: {
    readonly master: OwnedFd;
    readonly pidfd: number;
    readonly notifier?: Notifier | undefined;
  },
): TerminalRelay {
  const { master, pidfd, notifier } = container;
  // A container that reads nothing must not keep us from relaying what it writes.
  execute(fcntl(master.fd, fcntlCommands.F_SETFL, openFlags.O_RDWR | openFlags.O_NONBLOCK));
  clearOutputMode(master.fd);
  execute(setTerminalModes(host.fd.fd, rawModes(host.modes)));
  const resize = (): void => copyWindowSize(host.fd.fd, master.fd);
  resize();
  process.on("SIGWINCH", resize);
  let keys: Uint8Array = new Uint8Array();
  let hasInput = true;
  return {
    turn: () => {
      const wanted = [
        { fd: keys.byteLength === 0 && hasInput ? 0 : -1, events: pollEvents.POLLIN },
        {
          fd: master.fd,
          events: pollEvents.POLLIN | (keys.byteLength > 0 ? pollEvents.POLLOUT : 0),
        },
        { fd: pidfd, events: pollEvents.POLLIN },
        { fd: notifier?.fd ?? -1, events: pollEvents.POLLIN },
      ];
      const [fromUs, toContainer, ended, said = 0] = waitTurn(wanted);
      if (said !== 0) notifier?.relay();
      const hasOutput = ((toContainer ?? 0) & pollEvents.POLLIN) !== 0;
      if (hasOutput) relayOutput(master.fd);
      if (((toContainer ?? 0) & pollEvents.POLLOUT) !== 0) keys = sendKeys(master.fd, keys);
      if ((fromUs ?? 0) !== 0) {
        const { result, output } = executeForOutput(read(0, chunkBytes));
        if (result > 0) keys = sendKeys(master.fd, output.slice(0, result));
        else hasInput = false;
      }
      return (ended ?? 0) !== 0 && !hasOutput;
    },
    [Symbol.dispose]: () => {
      process.off("SIGWINCH", resize);
      execute(setTerminalModes(host.fd.fd, host.modes));
      host.fd[Symbol.dispose]();
    },
  };
}

function relayOutput(master: number): void {
  const { result, output } = executeForOutput(read(master, chunkBytes));
  for (let done = 0; done < result; ) {
    const written = execute(write(1, output.subarray(done, result)));
    // Nobody reads any more: the container learns of it by its own terminal only.
    if (written <= 0) return;
    done += written;
  }
}

/** Sends as many keys as the container's terminal takes, and returns the rest. */
function sendKeys(master: number, keys: Uint8Array): Uint8Array {
  const written = execute(write(master, keys));
  return written > 0 ? keys.slice(written) : keys;
}

function copyWindowSize(from: number, to: number): void {
  const { result, output } = executeForOutput(getWindowSize(from));
  const [rows = 0, columns = 0] = new Uint16Array(output.buffer);
  if (result === 0 && rows > 0 && columns > 0) execute(setWindowSize(to, { rows, columns }));
}

/** Our terminal turns a newline into two characters: the container's must not do so as well. */
function clearOutputMode(master: number): void {
  const { result, output } = executeForOutput(getTerminalModes(master));
  if (result < 0) return;
  execute(setTerminalModes(master, withFlags(output, { c_oflag: [outputModes.ONLCR, 0] })));
}

/** Raw mode as cfmakeraw(3) has it, but for output, which is still processed: termios(3). */
function rawModes(modes: Uint8Array): Uint8Array {
  const { BRKINT, ICRNL, IGNBRK, IGNCR, INLCR, ISTRIP, IXON, PARMRK } = inputModes;
  const { ECHO, ECHONL, ICANON, IEXTEN, ISIG } = localModes;
  const raw = withFlags(modes, {
    c_iflag: [IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON, 0],
    c_lflag: [ECHO | ECHONL | ICANON | ISIG | IEXTEN, 0],
    c_cflag: [controlModes.CSIZE | controlModes.PARENB, controlModes.CS8],
  });
  const { offset } = present(termios.fields["c_cc"], "c_cc");
  raw[offset + controlCharacters.VMIN] = 1;
  raw[offset + controlCharacters.VTIME] = 0;
  return raw;
}

/** A copy of the modes with bits cleared and then set, field by field. */
function withFlags(
  modes: Uint8Array,
  changes: Readonly<Record<string, readonly [clear: number, set: number]>>,
): Uint8Array {
  const changed = modes.slice();
  const view = new DataView(changed.buffer);
  for (const [field, [clear, set]] of Object.entries(changes)) {
    const { offset } = present(termios.fields[field], field);
    view.setUint32(offset, (view.getUint32(offset, true) & ~clear) | set, true);
  }
  return changed;
}
