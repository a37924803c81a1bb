// One conversation with CRIU, which is started for it and ends with it; what is asked for is not known here.
//
//   runtime                                       criu swrk 3
//     |  socketpair, spawn ------------------------>|
//     |  request: DUMP, RESTORE, ... -------------->|
//     |<--- response of type NOTIFY: a script name -|     any number of times; a descriptor may come with it
//     |  request NOTIFY: done ---------------------->|
//     |<--- response of the request's type ---------|
//     |  close, wait for its end ------------------>|

import { errnos } from "../../abi/errno.ts";
import { fcntlCommands, openFlags } from "../../abi/file.ts";
import { signals, waitOptions, waitTypes } from "../../abi/process.ts";
import { socketTypes } from "../../abi/socket.ts";
import { readField, siginfo } from "../../abi/struct.ts";
import { debug } from "../../base/debug.ts";
import { raise } from "../../base/fault.ts";
import { UndoStack } from "../../base/undo-stack.ts";
import { execute, executeForOutput, must, mustForOutput, raiseErrno } from "../../ffi/execute.ts";
import { spawn } from "../../ffi/spawn.ts";
import type { CriuFeature, CriuRequest } from "../../plan/criu.ts";
import { fcntl, write } from "../../syscall/files.ts";
import { pidfdOpen, waitid } from "../../syscall/processes.ts";
import { socketpair } from "../../syscall/sockets.ts";
import { type OwnedFd, openFile, own } from "../files.ts";
import { sendSignal, waitForEnd } from "../processes.ts";
import { receiveMessage } from "../sockets.ts";
import { type CriuResponse, decodeResponse, encodeRequest } from "./messages.ts";

/** What CRIU says on its way, and a descriptor that comes with it, closed when it has been dealt with. */
export type Notification = {
  readonly script: string;
  readonly pid: number;
  readonly descriptor: OwnedFd | undefined;
};

/** Who is told of what CRIU says; it waits until they have returned. */
export type Listeners = {
  readonly notified: (notification: Notification) => void;
  /** Called when the first response is there. */
  readonly answered?: () => void;
};

/** Descriptor at which CRIU finds its end of the socket. */
export const criuSocketFd = 3;

/** How CRIU is called. */
export const criuArguments = ["criu", "swrk", `${criuSocketFd}`];

/**
 * Finds CRIU where the caller's PATH says.
 *
 * @throws `host` fault in runc's words
 */
export function findCriu(): string {
  const path = Bun.which("criu");
  return (
    path ?? raise({ kind: "host", message: `exec: "criu": executable file not found in $PATH` })
  );
}

/** The caller's environment, which CRIU needs for the programs that it calls. */
export function callerEnvironment(): readonly string[] {
  return Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ""}`);
}

/**
 * Starts CRIU with the null device as standard streams, asks it one thing, and waits for its end.
 *
 * @returns the response, which says success
 * @throws `host` fault when CRIU is missing, fails, or breaks off
 */
export function askCriu(request: CriuRequest, listeners: Partial<Listeners> = {}): CriuResponse {
  return converse(() => ({ ...startCriu(), request }), { notified: () => {}, ...listeners });
}

/** The version of CRIU as one number: 31701 is 3.17.1. */
export function readCriuVersion(): number {
  return askCriu({ type: "VERSION" }).version?.number ?? 0;
}

/** Which of the features this CRIU and this kernel have. */
export function missingFeatures(wanted: readonly CriuFeature[]): readonly CriuFeature[] {
  const { features } = askCriu({
    type: "FEATURE_CHECK",
    features: Object.fromEntries(wanted.map((feature) => [feature, true])),
  });
  return wanted.filter((feature) => !features.has(feature));
}

const starting = "starting criu";
/** Out of the way of the numbers that the child gets. */
const movedFrom = 100;

function startCriu(): Omit<Started, "request"> {
  const path = findCriu();
  const { SOCK_CLOEXEC, SOCK_SEQPACKET } = socketTypes;
  const { output } = mustForOutput(socketpair(SOCK_SEQPACKET | SOCK_CLOEXEC), starting);
  const [ours = -1, theirs = -1] = new Int32Array(output.buffer);
  const socket = own(ours);
  try {
    // Only CRIU has its end then: should CRIU end, we are told.
    using given = own(theirs);
    using nowhere = openFile("/dev/null", { flags: openFlags.O_RDWR, doing: starting });
    using nothing = moveUp(nowhere);
    using end = moveUp(given);
    const pid = spawn({
      path,
      argv: criuArguments,
      env: callerEnvironment(),
      descriptors: [
        ...[0, 1, 2].map((to) => ({ from: nothing.fd, to })),
        { from: end.fd, to: criuSocketFd },
      ],
      doing: starting,
    });
    return { pid, socket };
  } catch (error) {
    socket[Symbol.dispose]();
    throw error;
  }
}

function moveUp({ fd }: OwnedFd): OwnedFd {
  return own(must(fcntl(fd, fcntlCommands.F_DUPFD_CLOEXEC, movedFrom), starting));
}

/** A CRIU that waits for what it is to be asked. */
export type Started = {
  /** A child of ours. */
  readonly pid: number;
  /** Our end; nobody else has it. */
  readonly socket: OwnedFd;
  readonly request: CriuRequest;
};

/**
 * Has CRIU started by `start`, and talks to it until it has ended.
 *
 * @throws `host` fault; what `start` and `notified` throw. CRIU has ended then
 */
export function converse(start: () => Started, listeners: Listeners): CriuResponse {
  const { pid, socket, request } = start();
  using ours = new UndoStack();
  ours.use(socket);
  let response: CriuResponse;
  try {
    response = exchange(socket, request, listeners);
  } catch (error) {
    // CRIU undoes what it has done once it sees that we have gone.
    ours.dispose();
    endCriu(pid);
    throw error;
  }
  ours.dispose();
  const ended = reap(pid);
  debug(() => `criu (${request.type}) ${ended}`);
  // After a pre-dump CRIU would take the dump's request, and is not content that none comes.
  if (ended === success || request.type === "PRE_DUMP") return response;
  return raise({ kind: "host", message: `criu failed: it ${ended}` });
}

/** Longer than CRIU takes to let go of what it has frozen, or to kill what it has half restored. */
const endTimeoutMs = 10_000;

/** Waits for CRIU to end by itself, and kills it when it does not. */
function endCriu(pid: number): void {
  {
    using pidfd = own(must(pidfdOpen(pid), "watching criu"));
    if (!waitForEnd(pidfd, endTimeoutMs)) sendSignal(pidfd, signals.SIGKILL);
  }
  reap(pid);
}

function exchange(ours: OwnedFd, request: CriuRequest, listeners: Listeners): CriuResponse {
  send(ours, request);
  for (let isFirst = true; ; isFirst = false) {
    using received = receive(ours);
    const response = decodeResponse(received.bytes);
    if (isFirst) listeners.answered?.();
    const { type, errno, errorMessage, notify } = response;
    if (!response.success) {
      const reason = errorMessage === "" ? "" : `: ${errorMessage.trim()}`;
      raise({ kind: "host", message: `criu failed: type ${type} errno ${errno}${reason}` });
    }
    if (type === request.type) return response;
    if (type !== "NOTIFY" || notify === undefined) {
      return raise({ kind: "host", message: `unable to parse the response of criu: type ${type}` });
    }
    debug(() => `criu: ${notify.script}`);
    listeners.notified({ ...notify, descriptor: received.descriptor });
    send(ours, { type: "NOTIFY", notify_success: true });
  }
}

function send(socket: OwnedFd, request: CriuRequest): void {
  const doing = "sending a request to criu";
  const message = write(socket.fd, encodeRequest(request));
  let result = execute(message);
  while (result === -errnos.EINTR) result = execute(message);
  if (result === -errnos.EPIPE || result === -errnos.ECONNRESET) raiseEnd();
  if (result < 0) raiseErrno(message, doing, result);
}

/** Larger than any response. */
const responseMaxBytes = 40 * 1024;
const controlMaxBytes = 256;

type Received = Disposable & {
  readonly bytes: Uint8Array;
  /** Closed with the message. */
  readonly descriptor: OwnedFd | undefined;
};

/** Receives one message, and the descriptor that came with it. */
function receive(socket: OwnedFd): Received {
  const doing = "receiving a response of criu";
  const { call, result, bytes, descriptor } = receiveMessage(socket.fd, {
    contentBytes: responseMaxBytes,
    controlBytes: controlMaxBytes,
  });
  if (result === 0 || result === -errnos.ECONNRESET) raiseEnd();
  if (result < 0) raiseErrno(call, doing, result);
  if (result === responseMaxBytes) {
    raise({ kind: "host", message: `${doing}: it has more than ${responseMaxBytes} bytes` });
  }
  return {
    bytes,
    descriptor,
    [Symbol.dispose]: () => descriptor?.[Symbol.dispose](),
  };
}

function raiseEnd(): never {
  return raise({ kind: "host", message: "criu failed: it ended without an answer" });
}

const success = "has ended with status 0";
const CLD_EXITED = 1;

/** Waits for the end of CRIU, and says how it ended. */
function reap(pid: number): string {
  const wait = waitid(waitTypes.P_PID, pid, waitOptions.WEXITED | waitOptions.__WALL);
  let { result, output } = executeForOutput(wait);
  while (result === -errnos.EINTR) ({ result, output } = executeForOutput(wait));
  if (result < 0) raiseErrno(wait, "waiting for criu", result);
  const status = readField(siginfo, output, "si_status");
  return readField(siginfo, output, "si_code") === CLD_EXITED
    ? `has ended with status ${status}`
    : `was killed by signal ${status}`;
}
