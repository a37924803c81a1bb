// The runtime's end of the stub's socket: sends batches, waits for answers, and tells a dead stub from a silent one.

import { errnos } from "../abi/errno.ts";
import { raise } from "../base/fault.ts";
import { execute, executeForOutput } from "../ffi/execute.ts";
import { read, write } from "../syscall/files.ts";
import type { EncodedBatch } from "./batch.ts";
import { header } from "./layout.ts";

/** Bytes written or read in one call; the socket's buffer is of this order. */
const chunkBytes = 128 * 1024;

/**
 * Sends a batch. Blocks while the stub has not read enough of it.
 *
 * @throws `init-died` fault when the stub is gone
 */
export function sendBatch(doorbell: number, batch: EncodedBatch): void {
  for (let done = 0; done < batch.bytes.byteLength; ) {
    const result = execute(write(doorbell, batch.bytes.subarray(done, done + chunkBytes)));
    if (result === -errnos.EINTR) continue;
    if (result < 0) raiseDied("sending the next steps to init");
    done += result;
  }
}

/**
 * Waits for one answer to the batch.
 *
 * @returns the answer's bytes, or undefined when the stub's end was closed: it has died, or execve has succeeded
 */
export function receiveAnswer(doorbell: number, batch: EncodedBatch): Uint8Array | undefined {
  const answer = receive(doorbell, batch.answerBytes);
  return typeof answer === "string" ? undefined : answer;
}

/**
 * Waits for the answer to the batch that ends in execve.
 *
 * @returns the answer's bytes, or undefined when the stub's end was closed after it had read the batch
 * @throws `init-died` fault when it was closed before that, which tells for certain that nothing was executed
 */
export function receiveLastAnswer(
  doorbell: number,
  batch: EncodedBatch,
  doing: string,
): Uint8Array | undefined {
  const answer = receive(doorbell, batch.answerBytes);
  return answer === "unread" ? raiseDied(doing) : answer;
}

/**
 * Waits for the answer to the batch that parked init, which another process sent: it comes to whoever calls, and says
 * that init is there. Only its end is of interest.
 *
 * @returns whether init is there
 */
export function receiveGreeting(doorbell: number): boolean {
  const start = receive(doorbell, header.sizeBytes);
  if (typeof start !== "object") return false;
  const answerBytes = new DataView(start.buffer).getUint32(header.answerBytes, true);
  // What a container's process could have written in place of the stub is not believed.
  if (answerBytes < header.sizeBytes || answerBytes > greetingMaxBytes) return false;
  return typeof receive(doorbell, answerBytes - header.sizeBytes) === "object";
}

/** Parking has a few steps and no outputs. */
const greetingMaxBytes = 4096;

/** @returns undefined when the other end was closed, "unread" when it was closed with bytes that nobody had read (unix(7)) */
function receive(doorbell: number, sizeBytes: number): Uint8Array | "unread" | undefined {
  const bytes = new Uint8Array(sizeBytes);
  for (let done = 0; done < bytes.byteLength; ) {
    const wanted = Math.min(bytes.byteLength - done, chunkBytes);
    const { result, output } = executeForOutput(read(doorbell, wanted));
    if (result === -errnos.EINTR) continue;
    if (result === -errnos.ECONNRESET) return "unread";
    if (result <= 0) return undefined;
    bytes.set(output.subarray(0, result), done);
    done += result;
  }
  return bytes;
}

/**
 * Says that the stub has died.
 *
 * @throws `init-died` fault always
 */
export function raiseDied(doing: string): never {
  raise({ kind: "init-died", doing, how: "container init has died" });
}
