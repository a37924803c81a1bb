// Prints system call values as a person reads them: the names of man pages, flags and slots; the text of golden programs.

import { flagNames } from "../abi/flags.ts";
import type { Operand, Syscall } from "./value.ts";

/** Prints a call like strace does: `openat2(rootfs, "proc", {flags: O_PATH, resolve: RESOLVE_IN_ROOT}, 24)`. */
export function printSyscall(call: Syscall): string {
  return `${call.name}(${call.operands.map(printOperand).join(", ")})`;
}

/** The path a call works on, quoted, for a fault; undefined when the call has none. */
export function describeTarget(call: Syscall): string | undefined {
  const texts = call.operands
    .map((operand) => (operand.kind === "text" && operand.value !== "" ? [operand.value] : []))
    .flat();
  // Of an option both halves are wanted: it is the value that is wrong most of the time.
  const named = call.name === "fsconfig" ? texts.join("=") : texts[0];
  return named === undefined || named === "" ? undefined : JSON.stringify(named);
}

function printOperand(operand: Operand): string {
  switch (operand.kind) {
    case "result":
      return operand.detail === undefined ? operand.value : `${operand.value}[${operand.detail}]`;
    case "answer":
      return `answer.${operand.value}`;
    case "number":
      if (operand.detail === "octal") return `0${operand.value.toString(8)}`;
      return operand.detail === "hex" ? `0x${operand.value.toString(16)}` : `${operand.value}`;
    case "flags":
      return printFlags(operand);
    case "text":
      return JSON.stringify(operand.value);
    case "texts":
      return `[${operand.value.map((item) => JSON.stringify(item)).join(", ")}]`;
    case "bytes":
      return printBytes(operand.value);
    case "output":
      return `out[${operand.value}]`;
    case "struct": {
      const fields = Object.entries(operand.value).filter(
        ([, value]) => !((value.kind === "number" || value.kind === "flags") && value.value === 0),
      );
      return `{${fields.map(([name, value]) => `${name}: ${printOperand(value)}`).join(", ")}}`;
    }
  }
}

function printFlags(operand: Operand & { kind: "flags" }): string {
  // A single entry that is not a bit mask (AT_FDCWD, a command number) prints by name when it is that value.
  const exact = Object.entries(operand.detail).find(([, value]) => value === operand.value);
  if (exact !== undefined && operand.value !== 0) return exact[0];
  return flagNames(operand.detail, operand.value);
}

const bytesPrintedMax = 256;

/** Bytes in hexadecimal; a run of one value by its length, and what is long by that alone. */
function printBytes(bytes: Uint8Array): string {
  const [first = 0] = bytes;
  const uniform = bytes.byteLength > 16 && bytes.every((byte) => byte === first);
  if (!uniform && bytes.byteLength > bytesPrintedMax) return `${bytes.byteLength} bytes`;
  const hex = Buffer.from(uniform ? [first] : bytes).toString("hex");
  return uniform ? `${bytes.byteLength}*0x${hex}` : `0x${hex}`;
}
