// Descriptors over unix sockets: handed to whoever waits for them on one that the caller of a command has named, and received.

import { errnos } from "../abi/errno.ts";
import {
  SCM_RIGHTS,
  SOL_SOCKET,
  socketFamilies,
  socketPathMaxBytes,
  socketTypes,
} from "../abi/socket.ts";
import { controlMessage, readField } from "../abi/struct.ts";
import { raise } from "../base/fault.ts";
import { execute, must } from "../ffi/execute.ts";
import { pinBuffer } from "../ffi/pinned-buffer.ts";
import { write } from "../syscall/files.ts";
import {
  connectPath,
  receiveWithDescriptor,
  sendWithDescriptor,
  socket,
} from "../syscall/sockets.ts";
import type { Syscall } from "../syscall/value.ts";
import { type OwnedFd, own } from "./files.ts";

/**
 * Connects to a listening unix socket; `doing` says for whom, and `setUp` is done to the socket before.
 *
 * @throws `syscall` fault; `refused` when connect(2) cannot take the path
 */
export function connectSocket(path: string, doing: string, setUp?: (fd: number) => void): OwnedFd {
  if (Buffer.byteLength(path) > socketPathMaxBytes) {
    const message = `${doing}: the path of a socket has at most ${socketPathMaxBytes} bytes`;
    raise({ kind: "refused", message });
  }
  const { SOCK_CLOEXEC, SOCK_STREAM } = socketTypes;
  const connected = own(must(socket(socketFamilies.AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC), doing));
  setUp?.(connected.fd);
  must(connectPath(connected.fd, path), doing);
  return connected;
}

/**
 * Sends a descriptor with SCM_RIGHTS, beside a text, in one message unless the text is too long for that; unix(7).
 *
 * @throws `syscall` fault
 */
export function sendDescriptor(
  receiver: OwnedFd,
  sent: OwnedFd,
  message: { readonly text: string; readonly doing: string },
): void {
  const content = new TextEncoder().encode(message.text);
  const first = must(sendWithDescriptor(receiver.fd, message.text, sent.fd), message.doing);
  for (let done = first; done < content.byteLength; ) {
    done += must(write(receiver.fd, content.subarray(done)), message.doing);
  }
}

/** What recvmsg(2) has returned, or -errno, and what it has received. */
export type ReceivedMessage = {
  readonly call: Syscall;
  readonly result: number;
  readonly bytes: Uint8Array;
  /** The descriptor that came with it. */
  readonly descriptor: OwnedFd | undefined;
};

/** Receives one message, and the descriptor that came with it; unix(7). */
export function receiveMessage(
  socketFd: number,
  sizes: { readonly contentBytes: number; readonly controlBytes: number },
): ReceivedMessage {
  const content = pinBuffer(sizes.contentBytes);
  const control = pinBuffer(sizes.controlBytes);
  const call = receiveWithDescriptor(
    socketFd,
    { address: content.address, sizeBytes: sizes.contentBytes },
    { address: control.address, sizeBytes: sizes.controlBytes },
  );
  let result = execute(call);
  while (result === -errnos.EINTR) result = execute(call);
  const descriptor = result > 0 ? readDescriptorOf(control.bytes) : undefined;
  return { call, result, bytes: content.bytes.slice(0, Math.max(0, result)), descriptor };
}

/** The descriptor of a control message, if there is one: the buffer was empty before. */
function readDescriptorOf(control: Uint8Array): OwnedFd | undefined {
  const field = (name: string): number => readField(controlMessage, control, name);
  const isRights =
    field("header.cmsg_len") >= controlMessage.sizeBytes - 4 &&
    field("header.cmsg_level") === SOL_SOCKET &&
    field("header.cmsg_type") === SCM_RIGHTS;
  return isRights ? own(field("descriptor")) : undefined;
}
