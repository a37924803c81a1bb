// Passes on to a service manager that a container is ready; sd_notify(3). What else the container says is not for the host.

import { pollEvents } from "../abi/socket.ts";
import { FaultError } from "../base/fault.ts";
import { wordFaultError } from "../base/word-fault.ts";
import type { OwnedFd } from "../host/files.ts";
import { readNotifySocket } from "../host/notify-address.ts";
import {
  awaitManager,
  bindNotifySocket,
  connectManager,
  notifyManager,
  readNotification,
} from "../host/notify-socket.ts";
import { type Turn, waitTurn } from "./turn.ts";

export type Notifier = Disposable & {
  /** The container's socket: when it is readable, there is something to relay. */
  readonly fd: number;
  /** Whether there is a manager to be told. */
  readonly hasManager: boolean;
  /** Reads one message, and tells the manager if it is the first that says ready. Returns whether it has been told. */
  readonly relay: () => boolean;
  /** Waits until the manager has read what it was told, so that we may end. */
  readonly settle: () => void;
};

/**
 * Makes the container's socket and connects to the manager's. To be called before the program is started. A manager that
 * cannot be reached is a warning: the container is none the worse for it.
 *
 * @param directory the container's state directory, locked
 * @param options.mainPid who the manager is to supervise: us as long as we stay, otherwise init
 * @returns undefined when nobody wants to be told, or the container was created without a socket
 */
export function openNotifier(
  directory: OwnedFd,
  options: { readonly mainPid: number; readonly warn: (message: string) => void },
): Notifier | undefined {
  const address = readNotifySocket();
  const ours = address === undefined ? undefined : bindNotifySocket(directory);
  if (address === undefined || ours === undefined) return undefined;
  const attempt = <T>(action: () => T): T | undefined => {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof FaultError)) throw error;
      options.warn(wordFaultError(error));
      return undefined;
    }
  };
  const manager = attempt(() => connectManager(address));
  let told = false;
  return {
    fd: ours.fd,
    hasManager: manager !== undefined,
    relay: () => {
      const ready = findReady(readNotification(ours));
      if (told || ready === undefined || manager === undefined) return told;
      told = true;
      attempt(() => {
        notifyManager(manager, `${ready}\n`);
        notifyManager(manager, `MAINPID=${options.mainPid}\n`);
      });
      return told;
    },
    settle: () => {
      if (manager !== undefined) attempt(() => awaitManager(manager));
    },
    [Symbol.dispose]: () => {
      ours[Symbol.dispose]();
      manager?.[Symbol.dispose]();
    },
  };
}

/** The line that says ready; others (MAINPID, FDSTORE, ...) would let a container speak for the host's service. */
function findReady(message: string | undefined): string | undefined {
  return message?.split("\n").find((line) => line.startsWith("READY="));
}

/** Waits until the manager has been told, or the container has ended. For who leaves a container to itself. */
export function awaitReady(notifier: Notifier, pidfd: OwnedFd): void {
  if (!notifier.hasManager) return;
  const turn = notifierTurn(notifier, pidfd.fd);
  for (let ended = false; !notifier.relay(); ended = turn()) if (ended) return;
  notifier.settle();
}

/** A turn of waiting for init that relays meanwhile: also when nobody listens any more, so that no sender has to wait. */
export function notifierTurn(notifier: Notifier, pidfd: number): Turn {
  return () => {
    const [said = 0, ended = 0] = waitTurn([
      { fd: notifier.fd, events: pollEvents.POLLIN },
      { fd: pidfd, events: pollEvents.POLLIN },
    ]);
    if (said !== 0) notifier.relay();
    return ended !== 0 && said === 0;
  };
}
