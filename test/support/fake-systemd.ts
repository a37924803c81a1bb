// A systemd for tests, at a socket: it takes whatever the systemd driver says, writes it down, and answers as a scenario tells it
// to; no unit is made. What the real one does is tested in the machines of test/vm.

import { rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import message, { type DBusMessage } from "dbus-native/lib/message.js";
import serverHandshake from "dbus-native/lib/server-handshake.js";

/** What comes of a call. */
export type Reply =
  /** Nothing, for ever. */
  | "silence"
  /** The end of the connection. */
  | "end"
  | { readonly error: string; readonly words: string }
  /** Of a call that starts a job: how that ends; undefined when it does not. */
  | { readonly job: string | undefined };

/** By method. With several replies, the first call gets the first, and all further ones the last. */
export type Scenario = Readonly<Record<string, readonly Reply[]>>;

export type Asked = { readonly member: string; readonly body: readonly unknown[] };

export type FakeSystemd = {
  readonly play: (scenario: Scenario) => void;
  /** What has been asked since `play`. */
  readonly asked: () => readonly Asked[];
  /** The names of the methods alone, without those of the bus. */
  readonly members: () => readonly string[];
  readonly [Symbol.dispose]: () => void;
};

const types = { methodReturn: 2, error: 3, signal: 4 } as const;
const jobMembers: readonly string[] = ["StartTransientUnit", "StopUnit"];
const busMembers: readonly string[] = ["Hello", "AddMatch"];

/** Listens at the path, as whoever may connect. */
export async function listenAsSystemd(path: string): Promise<FakeSystemd> {
  let scenario: Scenario = {};
  let asked: Asked[] = [];
  const sockets = new Set<Socket>();

  function answer(socket: Socket, call: DBusMessage): void {
    const { member = "", serial = 0, body = [] } = call;
    const before = asked.filter((one) => one.member === member).length;
    asked.push({ member, body });
    const replies = scenario[member] ?? [];
    const reply = replies[Math.min(before, replies.length - 1)];
    const send = (fields: DBusMessage): void => {
      socket.write(message.marshall({ serial: 1, replySerial: serial, ...fields }));
    };
    if (reply === "silence") return;
    if (reply === "end") {
      socket.destroy();
    } else if (reply !== undefined && "error" in reply) {
      const { error: errorName, words } = reply;
      send({ type: types.error, errorName, signature: "s", body: [words] });
    } else if (jobMembers.includes(member)) {
      const job = `/org/freedesktop/systemd1/job/${asked.length}`;
      send({ type: types.methodReturn, signature: "o", body: [job] });
      const result = reply === undefined ? "done" : reply.job;
      if (result === undefined) return;
      send({
        type: types.signal,
        path: "/org/freedesktop/systemd1",
        interface: "org.freedesktop.systemd1.Manager",
        member: "JobRemoved",
        signature: "uoss",
        body: [asked.length, job, body[0], result],
      });
    } else if (member === "Get") {
      const value = body[1] === "Version" ? "252.1-fake" : "/fake.slice";
      send({ type: types.methodReturn, signature: "v", body: [["s", value]] });
    } else {
      send({ type: types.methodReturn });
    }
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    serverHandshake(socket, { authorize: () => true }, (error) => {
      if (error !== null) return;
      message.unmarshalMessages(
        socket,
        (call) => answer(socket, call),
        { maxMessageSize: 1 << 20 },
        () => socket.destroy(),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    play: (next) => {
      scenario = next;
      asked = [];
    },
    asked: () => asked,
    members: () =>
      asked.map(({ member }) => member).filter((member) => !busMembers.includes(member)),
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      rmSync(path, { force: true });
    },
  };
}
