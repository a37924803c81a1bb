// A system call as a value: its name and its operands, before anything is done to the kernel; not its execution (ffi/, init/).

import { AT_FDCWD } from "../abi/file.ts";
import type { FlagTable } from "../abi/flags.ts";
import type { StructLayout } from "../abi/struct.ts";
import type { SyscallName } from "../abi/syscall-numbers.ts";

/** The result of an earlier step of the same program. */
export type ResultOperand = {
  readonly kind: "result";
  /** The name of its slot. */
  readonly value: string;
  /** When given: not the result but the 8 bytes at this offset of the step's output. Only within the same batch. */
  readonly detail: number | undefined;
};

/**
 * What a call is given. All kinds have the same properties in the same order: the interpreter, which sees each operand once or
 * twice, then finds them where it has found them in the one before.
 */
export type Operand =
  | ResultOperand
  | {
      readonly kind: "number";
      readonly value: number | bigint;
      /** How it is printed, if not in decimal. */
      readonly detail: "octal" | "hex" | undefined;
    }
  | { readonly kind: "flags"; readonly value: number; readonly detail: FlagTable }
  /** A pointer to the text and a final NUL. */
  | { readonly kind: "text"; readonly value: string; readonly detail: undefined }
  /** A pointer to the bytes. */
  | { readonly kind: "bytes"; readonly value: Uint8Array; readonly detail: undefined }
  /** A pointer to a vector of pointers to texts, closed by a null pointer: argv and envp. */
  | { readonly kind: "texts"; readonly value: readonly string[]; readonly detail: undefined }
  /** A pointer to a structure of this layout; fields not named are zero. */
  | {
      readonly kind: "struct";
      readonly value: Readonly<Record<string, FieldOperand>>;
      readonly detail: StructLayout;
    }
  /** A pointer to a buffer of so many bytes that the call fills, which may begin with something; it comes back with the result. */
  | { readonly kind: "output"; readonly value: number; readonly detail: Uint8Array | undefined }
  /** The address, or the length, of the answer of the batch that the call stands in; only the stub can be given these. */
  | { readonly kind: "answer"; readonly value: "address" | "length"; readonly detail: undefined };

/** What a structure's field can be: known when it is written, and nothing that the kernel fills. */
export type FieldOperand = Exclude<Operand, ResultOperand | { kind: "answer" | "output" }>;

export type Syscall = {
  readonly name: SyscallName;
  readonly operands: readonly Operand[];
};

/** A descriptor (or pid): a number known now, or the result of an earlier step. */
export type Fd = number | ResultOperand;

/** Refers to the result of the step that carries this slot, or to 8 bytes of its output. */
export function slot(of: string, outputOffset?: number): ResultOperand {
  return { kind: "result", value: of, detail: outputOffset };
}

export function fdOperand(fd: Fd): Operand {
  return typeof fd === "number" ? number(fd) : fd;
}

export function number(value: number | bigint): Operand & { kind: "number" } {
  return { kind: "number", value, detail: undefined };
}

export function octal(value: number): Operand & { kind: "number" } {
  return { kind: "number", value, detail: "octal" };
}

export function hex(value: number | bigint): Operand & { kind: "number" } {
  return { kind: "number", value, detail: "hex" };
}

export function flags(table: FlagTable, value: number): Operand & { kind: "flags" } {
  return { kind: "flags", value, detail: table };
}

export function text(value: string): Operand & { kind: "text" } {
  return { kind: "text", value, detail: undefined };
}

/** Printed by name. */
const workingDirectory = flags({ AT_FDCWD }, AT_FDCWD);

/** The directory of an *at call. */
export function directoryOperand(directory: Fd): Operand {
  return directory === AT_FDCWD ? workingDirectory : fdOperand(directory);
}

export function texts(value: readonly string[]): Operand & { kind: "texts" } {
  return { kind: "texts", value, detail: undefined };
}

export function bytes(value: Uint8Array): Operand & { kind: "bytes" } {
  return { kind: "bytes", value, detail: undefined };
}

export function struct(
  layout: StructLayout,
  values: Readonly<Record<string, FieldOperand>>,
): Operand & { kind: "struct" } {
  return { kind: "struct", value: values, detail: layout };
}

/** @param initial what the buffer begins with; the rest of it is zero */
export function outputOperand(
  sizeBytes: number,
  initial?: Uint8Array,
): Operand & { kind: "output" } {
  return { kind: "output", value: sizeBytes, detail: initial };
}

export function answerOperand(part: "address" | "length"): Operand & { kind: "answer" } {
  return { kind: "answer", value: part, detail: undefined };
}

/** Bytes of the buffer that a call fills; 0 without one. */
export function outputSize({ operands }: Syscall): number {
  for (const operand of operands) if (operand.kind === "output") return operand.value;
  return 0;
}

/** A call that is only a number and operands, zero where they end early; the constructors of this room are built from it. */
export function call(name: SyscallName, ...operands: readonly Operand[]): Syscall {
  return { name, operands };
}

const encoder = new TextEncoder();

/** The length of a text in bytes of UTF-8, for the operand that follows it. */
export function textBytes(value: string): Operand & { kind: "number" } {
  return number(encoder.encode(value).byteLength);
}
