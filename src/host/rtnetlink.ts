// Talks to the kernel about network devices, rtnetlink(7): messages there and back; not what is asked for.

import { errnoName } from "../abi/errno.ts";
import { AF_NETLINK, netlinkFlags, netlinkTypes } from "../abi/netlink.ts";
import { socketTypes } from "../abi/socket.ts";
import { raise } from "../base/fault.ts";
import { must, mustForOutput } from "../ffi/execute.ts";
import { socket } from "../syscall/sockets.ts";
import { bytes, call, number, outputOperand } from "../syscall/value.ts";
import { type OwnedFd, own } from "./files.ts";

/** A message without its header: the fixed part, and the attributes by number. */
export type NetlinkMessage = {
  readonly body: Uint8Array;
  readonly attributes: ReadonlyMap<number, Uint8Array>;
};

export type NetlinkRequest = NetlinkMessage & {
  readonly type: number;
  /** Besides NLM_F_REQUEST. */
  readonly flags: number;
};

/** `struct nlmsghdr`: length, type, flags, sequence number, port. */
const headerBytes = 16;
/** `struct rtattr`: length and type. */
const attributeBytes = 4;
/** What the kernel puts into one datagram at most. */
const datagramBytes = 32 * 1024;
/** So many devices and addresses does no host have. */
const datagramsMax = 10_000;

/** Opens a socket for the network namespace that this thread is in; it stays with that one. */
export function openRtnetlink(doing: string): OwnedFd {
  return own(must(socket(AF_NETLINK, socketTypes.SOCK_DGRAM | socketTypes.SOCK_CLOEXEC), doing));
}

/**
 * Sends a request and returns what is answered before the end or the acknowledgement.
 *
 * @param bodyBytes size of the fixed part of the messages in the answer
 * @throws `syscall` fault of `rtnetlink` with the error that the kernel gives
 */
export function request(
  via: OwnedFd,
  asked: NetlinkRequest,
  { doing, bodyBytes }: { readonly doing: string; readonly bodyBytes: number },
): readonly NetlinkMessage[] {
  const message = encodeMessage(asked);
  const sent = call(
    "sendto",
    ...[number(via.fd), bytes(message), number(message.byteLength)],
    ...[number(0), number(0), number(0)],
  );
  must(sent, doing);
  const messages: NetlinkMessage[] = [];
  for (let count = 0; count < datagramsMax; count += 1) {
    const receive = call(
      "recvfrom",
      ...[number(via.fd), outputOperand(datagramBytes)],
      ...[number(datagramBytes), number(0), number(0), number(0)],
    );
    const { result, output } = mustForOutput(receive, doing);
    for (const { type, content } of splitDatagram(output.subarray(0, result))) {
      if (type === netlinkTypes.NLMSG_DONE) return messages;
      if (type === netlinkTypes.NLMSG_ERROR) {
        refuse(content, doing);
        return messages;
      }
      messages.push(decodeMessage(content, bodyBytes));
    }
  }
  return raise({ kind: "host", message: `${doing}: the kernel does not come to an end` });
}

/** An acknowledgement is the error 0. */
function refuse(content: Uint8Array, doing: string): void {
  const error = viewOf(content).getInt32(0, true);
  if (error === 0) return;
  raise({ kind: "syscall", doing, call: "rtnetlink", errno: errnoName(-error), where: "runtime" });
}

function encodeMessage({ type, flags, body, attributes }: NetlinkRequest): Uint8Array {
  const parts = [...attributes].map(([kind, value]) => encodeAttribute(kind, value));
  const length = parts.reduce((sum, part) => sum + part.byteLength, headerBytes + body.byteLength);
  const message = new Uint8Array(length);
  const view = viewOf(message);
  view.setUint32(0, length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags | netlinkFlags.NLM_F_REQUEST, true);
  message.set(body, headerBytes);
  let at = headerBytes + body.byteLength;
  for (const part of parts) {
    message.set(part, at);
    at += part.byteLength;
  }
  return message;
}

function encodeAttribute(kind: number, value: Uint8Array): Uint8Array {
  const encoded = new Uint8Array(align(attributeBytes + value.byteLength));
  const view = viewOf(encoded);
  view.setUint16(0, attributeBytes + value.byteLength, true);
  view.setUint16(2, kind, true);
  encoded.set(value, attributeBytes);
  return encoded;
}

function* splitDatagram(
  datagram: Uint8Array,
): Generator<{ readonly type: number; readonly content: Uint8Array }> {
  const view = viewOf(datagram);
  for (let at = 0; at + headerBytes <= datagram.byteLength; ) {
    const length = view.getUint32(at, true);
    if (length < headerBytes) return;
    const content = datagram.subarray(at + headerBytes, at + length);
    yield { type: view.getUint16(at + 4, true), content };
    at += align(length);
  }
}

function decodeMessage(content: Uint8Array, bodyBytes: number): NetlinkMessage {
  const attributes = new Map<number, Uint8Array>();
  const view = viewOf(content);
  for (let at = bodyBytes; at + attributeBytes <= content.byteLength; ) {
    const length = view.getUint16(at, true);
    if (length < attributeBytes) break;
    attributes.set(view.getUint16(at + 2, true), content.slice(at + attributeBytes, at + length));
    at += align(length);
  }
  return { body: content.slice(0, bodyBytes), attributes };
}

/** A view of the bytes, whose numbers are in the order of the machine: both are little-endian. */
export function viewOf(of: Uint8Array): DataView {
  return new DataView(of.buffer, of.byteOffset, of.byteLength);
}

function align(sizeBytes: number): number {
  return (sizeBytes + 3) & ~3;
}
