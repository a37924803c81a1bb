// A system call as a value: its name and its operands, before anything is done to the kernel; not its execution (ffi/, init/).

import type { FlagTable } from "../abi/flags.ts";
import type { StructLayout } from "../abi/struct.ts";
import type { SyscallName } from "../abi/syscall-numbers.ts";

/** The result of an earlier step of the same program, by the name of its slot. */
export type ResultOperand = {
  readonly kind: "result";
  readonly of: string;
  /** When given: not the result but the 8 bytes at this offset of the step's output. Only within the same batch. */
  readonly outputOffset?: number;
};

export type Operand =
  | ResultOperand
  | { readonly kind: "number"; readonly value: number | bigint; readonly base?: "octal" | "hex" }
  | { readonly kind: "flags"; readonly value: number; readonly table: FlagTable }
  /** A pointer to the text and a final NUL. */
  | { readonly kind: "text"; readonly text: string }
  /** A pointer to the bytes. */
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** A pointer to a vector of pointers to texts, closed by a null pointer: argv and envp. */
  | { readonly kind: "texts"; readonly texts: readonly string[] }
  /** A pointer to a structure; fields not named are zero. */
  | {
      readonly kind: "struct";
      readonly layout: StructLayout;
      readonly values: Readonly<Record<string, FieldOperand>>;
    }
  /** A pointer to a buffer that the call fills, which may begin with something; it comes back with the result. */
  | { readonly kind: "output"; readonly sizeBytes: number; readonly initial?: Uint8Array }
  /** The address, or the length, of the answer of the batch that the call stands in; only the stub can be given these. */
  | { readonly kind: "answer"; readonly part: "address" | "length" };

/** What a structure's field can be: known when it is written, and nothing that the kernel fills. */
export type FieldOperand = Exclude<Operand, ResultOperand | { kind: "answer" | "output" }>;

export type Syscall = {
  readonly name: SyscallName;
  readonly operands: readonly Operand[];
};

/** A descriptor (or pid): a number known now, or the result of an earlier step. */
export type Fd = number | ResultOperand;

/** Refers to the result of the step that carries this slot. */
export function slot(of: string): ResultOperand {
  return { kind: "result", of };
}

export function fdOperand(fd: Fd): Operand {
  return typeof fd === "number" ? { kind: "number", value: fd } : fd;
}

export function number(value: number | bigint): Operand & { kind: "number" } {
  return { kind: "number", value };
}

export function octal(value: number): Operand & { kind: "number" } {
  return { kind: "number", value, base: "octal" };
}

export function flags(table: FlagTable, value: number): Operand & { kind: "flags" } {
  return { kind: "flags", value, table };
}

export function text(value: string): Operand & { kind: "text" } {
  return { kind: "text", text: value };
}

export function bytes(value: Uint8Array): Operand & { kind: "bytes" } {
  return { kind: "bytes", bytes: value };
}

export function struct(
  layout: StructLayout,
  values: Readonly<Record<string, FieldOperand>>,
): Operand & { kind: "struct" } {
  return { kind: "struct", layout, values };
}

/** A call that is only a number and operands; the constructors of this room are built from it. */
export function call(name: SyscallName, ...operands: readonly Operand[]): Syscall {
  return { name, operands };
}

const encoder = new TextEncoder();

/** The length of a text in bytes of UTF-8, for the operand that follows it. */
export function textBytes(value: string): Operand & { kind: "number" } {
  return number(encoder.encode(value).byteLength);
}
