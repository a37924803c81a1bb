// A unix socket on which a test is sent descriptors, as callers of a runtime are sent terminals; recvmsg(2) by way of libc.

import { dlopen, ptr } from "bun:ffi";
import { expect } from "./expect.ts";

const libc = dlopen("libc.so.6", {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  listen: { args: ["i32", "i32"], returns: "i32" },
  accept: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
  recvmsg: { args: ["i32", "ptr", "i32"], returns: "i64" },
  close: { args: ["i32"], returns: "i32" },
}).symbols;

/** What came in one message. */
export type Part = { readonly text: string; readonly descriptors: readonly number[] };

export type Connection = {
  readonly parts: readonly Part[];
  /** Whether the other side has closed it. */
  readonly closed: boolean;
};

export type Listener = {
  /** Takes the next connection and reads it to its end; undefined when nobody calls. */
  readonly receive: (timeoutMs?: number) => Connection | undefined;
  readonly close: () => void;
};

/** Listens at a path, on a stream socket. */
export function listenAt(path: string): Listener {
  const address = new Uint8Array(110);
  address[0] = 1;
  const bytes = new TextEncoder().encode(path);
  expect(bytes.length < 108, `${path} is too long for a socket`);
  address.set(bytes, 2);
  const listener = libc.socket(1, 1, 0);
  const made = libc.bind(listener, ptr(address), address.length) + libc.listen(listener, 5);
  expect(listener >= 0 && made === 0, `cannot listen at ${path}`);
  return {
    receive: (timeoutMs = 5000) => {
      if (!isReady(listener, timeoutMs)) return undefined;
      const peer = libc.accept(listener, null, null);
      const connection = readAll(peer, timeoutMs);
      libc.close(peer);
      return connection;
    },
    close: () => void libc.close(listener),
  };
}

function isReady(descriptor: number, timeoutMs: number): boolean {
  // struct pollfd: the descriptor, POLLIN, and room for the answer.
  const entry = new Int32Array([descriptor, 1]);
  return libc.poll(ptr(entry), 1, timeoutMs) > 0;
}

function readAll(peer: number, timeoutMs: number): Connection {
  const parts: Part[] = [];
  // The first part may take its time; what follows is on its way, or never comes.
  for (let wait = timeoutMs; isReady(peer, wait); wait = 200) {
    const part = receivePart(peer);
    if (part === undefined) return { parts, closed: true };
    parts.push(part);
  }
  return { parts, closed: false };
}

function receivePart(peer: number): Part | undefined {
  const text = new Uint8Array(65_536);
  const control = new Uint8Array(256);
  const vector = new BigUint64Array([BigInt(ptr(text)), BigInt(text.length)]);
  const message = new BigUint64Array(7);
  message.set([0n, 0n, BigInt(ptr(vector)), 1n, BigInt(ptr(control)), BigInt(control.length)]);
  const received = Number(libc.recvmsg(peer, ptr(message), 0));
  if (received <= 0) return undefined;
  const view = new DataView(control.buffer);
  // A control message is its length, SOL_SOCKET, SCM_RIGHTS, and the descriptors.
  const length = Number(view.getBigUint64(0, true));
  const descriptors = Array.from({ length: Math.max(0, (length - 16) / 4) }, (_, index) =>
    view.getInt32(16 + 4 * index, true),
  );
  return { text: new TextDecoder().decode(text.subarray(0, received)), descriptors };
}

/** Gives descriptors back. */
export function closeAll(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) libc.close(descriptor);
}
