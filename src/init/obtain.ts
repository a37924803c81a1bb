// Gets a descriptor out of the stub: as root by taking it, as an ordinary user by having it sent.

import { controlMessage } from "../abi/struct.ts";
import type { OwnedFd } from "../host/files.ts";
import { isOrdinaryUser } from "../host/rootless.ts";
import { receiveMessage } from "../host/sockets.ts";
import { fetchDescriptor } from "../host/terminal.ts";
import { step } from "../program/step.ts";
import { sendWithDescriptor } from "../syscall/sockets.ts";
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
  const send = sendWithDescriptor(init.stubDoorbell, ".", fd);
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
  const sizes = { contentBytes: 1, controlBytes: controlMessage.sizeBytes };
  return receiveMessage(doorbell, sizes).descriptor;
}
