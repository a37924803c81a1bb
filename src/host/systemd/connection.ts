// A connection of D-Bus over a unix socket: calls and their answers, and signals. The library reads and writes the
// messages and says who we are; its bus of objects, interfaces and XML is left out.

import { createConnection, type Socket } from "node:net";
import handshake from "dbus-native/lib/handshake.js";
import message, { type DBusMessage } from "dbus-native/lib/message.js";

/** Of the D-Bus specification, "Message Types". */
const messageTypes = { methodCall: 1, methodReturn: 2, error: 3, signal: 4 } as const;
/** More than systemd ever answers; the specification's limit is 128 MiB. */
const messageMaxBytes = 1 << 20;

export type MethodCall = {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly unknown[];
};

/** An answer that is an error, by its name on the bus. */
export class DBusError extends Error {
  readonly dbusName: string;

  constructor(dbusName: string, words: string) {
    super(words);
    this.name = "DBusError";
    this.dbusName = dbusName;
  }
}

export type Connection = {
  /** The body of the answer. @throws DBusError; Error when the connection breaks or nothing comes in time */
  readonly call: (call: MethodCall) => Promise<readonly unknown[]>;
  /** Rejects when the connection breaks; never resolves. */
  readonly broken: Promise<never>;
  readonly close: () => void;
};

/**
 * Connects as who we are.
 *
 * @param path of the socket; a NUL in front is an abstract one
 * @throws Error when nobody listens, or we are not let in
 */
export async function connect(
  path: string,
  {
    timeoutMs,
    onSignal,
  }: { readonly timeoutMs: number; readonly onSignal: (signal: DBusMessage) => void },
): Promise<Connection> {
  const socket = createConnection(path);
  const { promise: broken, reject: breakOff } = Promise.withResolvers<never>();
  // Of interest only to who waits for something.
  broken.catch(() => undefined);
  socket.on("error", breakOff);
  socket.on("close", () => breakOff(new Error("the connection was closed")));
  const close = (): void => {
    socket.destroy();
  };
  const within = <T>(wanted: Promise<T>): Promise<T> => inTime([wanted, broken], timeoutMs);
  try {
    await within(authenticate(socket));
  } catch (error) {
    close();
    throw error;
  }
  const pending = new Map<number, PromiseWithResolvers<readonly unknown[]>>();
  message.unmarshalMessages(
    socket,
    (received) => {
      if (received.type === messageTypes.signal) onSignal(received);
      else settle(received, pending);
    },
    { maxMessageSize: messageMaxBytes },
    breakOff,
  );
  let serial = 0;
  const call = (asked: MethodCall): Promise<readonly unknown[]> => {
    serial += 1;
    const answer = Promise.withResolvers<readonly unknown[]>();
    pending.set(serial, answer);
    socket.write(message.marshall({ ...asked, type: messageTypes.methodCall, serial }));
    return within(answer.promise);
  };
  return { call, broken, close };
}

function authenticate(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    handshake(socket, { authMethods: ["EXTERNAL"] }, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

/** Hands an answer to who waits for it; calls of others are none of our business. */
function settle(
  { type, replySerial = 0, errorName = "", body = [] }: DBusMessage,
  pending: Map<number, PromiseWithResolvers<readonly unknown[]>>,
): void {
  const answer = pending.get(replySerial);
  if (answer === undefined) return;
  pending.delete(replySerial);
  if (type === messageTypes.methodReturn) answer.resolve(body);
  const [words] = body;
  if (type === messageTypes.error) {
    answer.reject(new DBusError(errorName, typeof words === "string" ? words : errorName));
  }
}

/** The first of several to be settled, or an error after so long. */
async function inTime<T>(wanted: readonly Promise<T>[], timeoutMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`no answer within ${timeoutMs / 1000} s`)),
    timeoutMs,
  );
  try {
    return await Promise.race([...wanted, late]);
  } finally {
    clearTimeout(timer);
  }
}
