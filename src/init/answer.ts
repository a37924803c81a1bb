// Reads the stub's answer to a batch: results and outputs by slot, the failure that ended it, and what the steps demand.

import { errnoName, errnos } from "../abi/errno.ts";
import { fileTypes } from "../abi/file.ts";
import { flagNames } from "../abi/flags.ts";
import { cloneFlags } from "../abi/process.ts";
import { readField, readWideField, statfsBuffer, statxBuffer } from "../abi/struct.ts";
import { present } from "../base/assert.ts";
import { raise } from "../base/fault.ts";
import { type Recovery, type Step, type Verification, wordDevice } from "../program/step.ts";
import { describeTarget } from "../syscall/print.ts";
import { type EncodedBatch, goingOn, notExecuted } from "./batch.ts";
import { header, resultBytes } from "./layout.ts";

export type Answer = {
  /** Results by slot, of the steps that were executed. */
  readonly results: ReadonlyMap<string, number>;
  /** Outputs by slot, of the steps that succeeded. */
  readonly outputs: ReadonlyMap<string, Uint8Array>;
  /** Where the batch has stopped for a recovery that was not sent along: index of the record. */
  readonly interrupted?: { readonly at: number; readonly recovery: Recovery };
};

/**
 * Reads an answer. What it says is checked, not trusted: a privileged container could have written it.
 *
 * @throws `syscall` fault of the step that failed; `refused` when a verification fails
 */
export function readAnswer(batch: EncodedBatch, bytes: Uint8Array): Answer {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stopped = view.getUint32(header.stopped, true);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  const results = new Map<string, number>();
  const outputs = new Map<string, Uint8Array>();
  let interrupted: Answer["interrupted"];
  // Of a signed 64-bit result the low half is enough for descriptors, pids and errors.
  let at = header.sizeBytes >> 2;
  let index = -1;
  for (const { step, outputOffset } of batch.lines) {
    index += 1;
    const low = words[at] ?? 0;
    const high = words[at + 1] ?? 0;
    const result = high === low >> 31 ? low : high * 0x1_0000_0000 + (low >>> 0);
    at += resultBytes >> 2;
    if (result === notExecuted) continue;
    const recovery = index === stopped ? recoveryByRuntime(step, result) : undefined;
    if (recovery !== undefined) {
      interrupted = { at: index, recovery };
      continue;
    }
    const { slot } = step;
    if (slot !== undefined) results.set(slot, result);
    if (result < 0) {
      // In the answer that a leaving parent writes, its own write has stopped the batch but has not failed.
      if (index === stopped || !isExpected(step, result)) raiseStep(step, result);
      continue;
    }
    const output = outputOffset === 0 ? undefined : bytes.subarray(outputOffset);
    if (output !== undefined && slot !== undefined) outputs.set(slot, output);
    if (step.verify !== undefined) verify(step, step.verify, { result, output });
  }
  return { results, outputs, ...(interrupted === undefined ? {} : { interrupted }) };
}

/** openat2 gives up with EAGAIN when something was renamed or mounted, anywhere, while it resolved `..` within the root. */
const again: Recovery = { errnos: ["EAGAIN"], steps: [], next: "retry", rare: true };

/** What the runtime does about a failure that has stopped a batch; undefined when there is none, or it is final. */
function recoveryByRuntime(step: Step, result: number): Recovery | undefined {
  if (result >= 0) return undefined;
  if (step.recovery?.rare === true && isExpected(step, result)) return step.recovery;
  return step.call.name === "openat2" && result === -errnos.EAGAIN ? again : undefined;
}

function isExpected(step: Step, result: number): boolean {
  if (step.recovery === undefined) return step.doing === goingOn;
  const { errnos: meant } = step.recovery;
  return meant === "any" || meant.some((name) => result === -errnos[name]);
}

function raiseStep(step: Step, result: number): never {
  if (result === -errnos.ENOSYS) {
    const missing = `the kernel has no ${step.call.name}`;
    raise({
      kind: "host",
      message: `${step.doing}: ${missing}; ts-runc needs Linux 5.14 or later`,
    });
  }
  const target = step.target ?? describeTarget(step.call);
  raise({
    kind: "syscall",
    doing: step.doing,
    call: step.call.name,
    ...(target === undefined ? {} : { target }),
    errno: errnoName(-result),
    where: "init",
  });
}

const deviceFileTypes = {
  character: fileTypes.S_IFCHR,
  block: fileTypes.S_IFBLK,
  fifo: fileTypes.S_IFIFO,
} as const;

function verify(
  step: Step,
  demand: Verification,
  found: { readonly result: number; readonly output: Uint8Array | undefined },
): void {
  const refuse = (why: string): never => {
    const target = step.target ?? describeTarget(step.call);
    const what = target === undefined ? why : `${target} ${why}`;
    return raise({ kind: "refused", message: `${step.doing}: ${what}` });
  };
  const output = (): Uint8Array => present(found.output, `the output of "${step.doing}"`);
  switch (demand.kind) {
    case "result":
      if (found.result !== demand.value) refuse(`gave ${found.result}, not ${demand.value}`);
      return;
    case "namespace":
      if (found.result !== demand.flag) {
        const is = `is of another type (${flagNames(cloneFlags, found.result)})`;
        const message = `linux.namespaces: ${demand.path} is no ${demand.type} namespace, it ${is}`;
        raise({ kind: "refused", message });
      }
      return;
    case "device": {
      const type = readField(statxBuffer, output(), "stx_mode") & fileTypes.S_IFMT;
      const major = readField(statxBuffer, output(), "stx_rdev_major");
      const minor = readField(statxBuffer, output(), "stx_rdev_minor");
      const isNumber = major === demand.major && minor === demand.minor;
      if (type !== deviceFileTypes[demand.type] || !(isNumber || demand.type === "fifo")) {
        refuse(`is not ${wordDevice(demand)}`);
      }
      return;
    }
    case "same-file":
      if (
        fileDevice(output()) !== demand.device ||
        readWideField(statxBuffer, output(), "stx_ino") !== demand.inode
      ) {
        refuse("is not the directory that was checked before");
      }
      return;
    case "file-system":
      if (readField(statfsBuffer, output(), "f_type") !== demand.magic) {
        refuse(demand.words ?? "is on another file system than it must be");
      }
      return;
    case "other-file-system":
      if (readField(statfsBuffer, output(), "f_type") === demand.magic) refuse(demand.words);
      return;
    case "inode":
      if (readWideField(statxBuffer, output(), "stx_ino") !== demand.inode) refuse(demand.words);
      return;
    case "path-inside":
      // 0x2f is the slash; a directory outside of the root reads "(unreachable)/...".
      if (output()[0] !== 0x2f) refuse("is outside of the container's root");
  }
}

/** A file's device as text, for comparing what two processes saw. */
export function fileDevice(statx: Uint8Array): string {
  return `${readField(statxBuffer, statx, "stx_dev_major")}:${readField(statxBuffer, statx, "stx_dev_minor")}`;
}
