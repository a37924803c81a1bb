// A unix socket on which a test waits for a descriptor, as engines wait for terminals and pidfds; recvmsg(2).

import { dlopen, ptr } from "bun:ffi";
import { must } from "../../src/ffi/execute.ts";
import { type OwnedFd, own } from "../../src/host/files.ts";
import { accept4, bindPath, listen, socket } from "../../src/syscall/sockets.ts";

/** Listens at a path. */
export function listenAt(path: string): OwnedFd {
  const doing = "making a socket for descriptors";
  const listener = own(must(socket(1, 1), doing));
  must(bindPath(listener.fd, path), doing);
  must(listen(listener.fd, 1), doing);
  return listener;
}

/** Waits for somebody who sends a descriptor, and returns it with the text beside it. */
export function receiveDescriptor(listener: OwnedFd): {
  readonly descriptor: OwnedFd;
  readonly text: string;
} {
  const { recvmsg } = dlopen("libc.so.6", {
    recvmsg: { args: ["i32", "ptr", "i32"], returns: "i64" },
  }).symbols;
  using peer = own(must(accept4(listener.fd, 0), "waiting for the descriptor"));
  const text = new Uint8Array(4096);
  const control = new Uint8Array(64);
  const vector = new BigUint64Array([BigInt(ptr(text)), BigInt(text.length)]);
  const message = new BigUint64Array(7);
  message.set([0n, 0n, BigInt(ptr(vector)), 1n, BigInt(ptr(control)), BigInt(control.length)]);
  const received = Number(recvmsg(peer.fd, ptr(message), 0));
  return {
    descriptor: own(new DataView(control.buffer).getInt32(16, true)),
    text: new TextDecoder().decode(text.subarray(0, received)),
  };
}
