// Gets a descriptor out of the stub: as root by taking it, as an ordinary user by having it sent.

import { errnos } from "../abi/errno.ts";
import { messageFlags, SCM_RIGHTS, SOL_SOCKET } from "../abi/socket.ts";
import { controlMessage, ioVector, messageHeader, readField } from "../abi/struct.ts";
import { execute } from "../ffi/execute.ts";
import { pinBuffer } from "../ffi/pinned-buffer.ts";
import { type OwnedFd, own } from "../host/files.ts";
import { isOrdinaryUser } from "../host/rootless.ts";
import { fetchDescriptor } from "../host/terminal.ts";
import { step } from "../program/step.ts";
import { call, fdOperand, number, struct, text } from "../syscall/value.ts";
import { readAnswer } from "./answer.ts";
import { encodeBatch } from "./batch.ts";
import { raiseDied, receiveAnswer, sendBatch } from "./doorbell.ts";
import type { LiveInit } from "./drive.ts";

/**
 * Copies a descriptor of the stub into the runtime.
 *
 * A stub cannot be looked into, and so pidfd_getfd(2) is refused to an ordinary user. It sends the descriptor itself then,
 * in front of the answer to the batch that asks for it.
 *
 * @throws `syscall` fault; `init-died`
 */
export function obtainDescriptor(init: LiveInit, fd: number, doing: string): OwnedFd {
  if (!isOrdinaryUser()) return fetchDescriptor(init.pid, fd, doing);
  const header = struct(messageHeader, {
    msg_iov: struct(ioVector, { iov_base: text("."), iov_len: number(1) }),
    msg_iovlen: number(1),
    msg_control: struct(controlMessage, {
      "header.cmsg_len": number(controlMessage.sizeBytes - 4),
      "header.cmsg_level": number(SOL_SOCKET),
      "header.cmsg_type": number(SCM_RIGHTS),
      descriptor: number(fd),
    }),
    msg_controllen: number(controlMessage.sizeBytes),
  });
  const send = call("sendmsg", fdOperand(init.stubDoorbell), header, number(0));
  const batch = encodeBatch([step(doing, send)], init.results);
  sendBatch(init.doorbell, batch);
  const descriptor = receiveDescriptor(init.doorbell) ?? raiseDied(doing);
  try {
    readAnswer(batch, receiveAnswer(init.doorbell, batch) ?? raiseDied(doing));
    return descriptor;
  } catch (error) {
    descriptor[Symbol.dispose]();
    throw error;
  }
}

/** Receives one byte and what comes with it; undefined where nothing does: the stub could not send it, or has died. */
function receiveDescriptor(doorbell: number): OwnedFd | undefined {
  const byte = pinBuffer(1);
  const control = pinBuffer(controlMessage.sizeBytes);
  const header = struct(messageHeader, {
    msg_iov: struct(ioVector, { iov_base: number(byte.address), iov_len: number(1) }),
    msg_iovlen: number(1),
    msg_control: number(control.address),
    msg_controllen: number(controlMessage.sizeBytes),
  });
  const receive = call("recvmsg", number(doorbell), header, number(messageFlags.MSG_CMSG_CLOEXEC));
  let result = execute(receive);
  while (result === -errnos.EINTR) result = execute(receive);
  const field = (name: string): number => readField(controlMessage, control.bytes, name);
  const isSent = result > 0 && field("header.cmsg_type") === SCM_RIGHTS;
  return isSent && field("header.cmsg_level") === SOL_SOCKET ? own(field("descriptor")) : undefined;
}
