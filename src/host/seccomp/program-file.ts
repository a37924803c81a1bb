// A compiled filter in a file of ours: what is not whole or not ours does not exist.
//
//   offset 0   the word below
//          8   SHA-256 of the file's name and of all that follows: a file that was renamed or damaged is none
//         40   what the program forbids, see CompiledProgram
//         44   the program

import { atFlags, fileTypes, openFlags } from "../../abi/file.ts";
import { classicBpfInstructionBytes, classicBpfMaxInstructions } from "../../abi/seccomp.ts";
import { readField, statxBuffer } from "../../abi/struct.ts";
import { execute, executeForOutput, must } from "../../ffi/execute.ts";
import { openat, read, statx, unlinkat, write } from "../../syscall/files.ts";
import { geteuid } from "../../syscall/processes.ts";
import { call, number, text } from "../../syscall/value.ts";
import { own } from "../files.ts";

const word = new TextEncoder().encode("tsrunc:1");
const digestBytes = 32;
const bodyAt = word.byteLength + digestBytes;
const forbiddenBytes = 4;
const headBytes = bodyAt + forbiddenBytes;
const programMaxBytes = classicBpfMaxInstructions * classicBpfInstructionBytes;

export type CompiledProgram = {
  /** An array of `struct sock_filter`. */
  readonly program: Uint8Array;
  /** Number of a call that it forbids and that init has yet to make; -1 when there is none (plan/seccomp-remaining.ts). */
  readonly forbidden: number;
};

/**
 * Reads a program.
 *
 * @param directory descriptor
 * @returns undefined when there is none, when it is not whole, or when somebody else could have written it
 */
export function readProgram(directory: number, name: string): CompiledProgram | undefined {
  const { O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK } = openFlags;
  const flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const fd = execute(openat(directory, name, { flags }));
  if (fd < 0) return undefined;
  using file = own(fd);
  if (!isOurs(file.fd, fileTypes.S_IFREG)) return undefined;
  // One byte more than there may be.
  const { result, output } = executeForOutput(read(file.fd, headBytes + programMaxBytes + 1));
  const programBytes = result - headBytes;
  if (programBytes <= 0 || programBytes > programMaxBytes) return undefined;
  if (programBytes % classicBpfInstructionBytes !== 0) return undefined;
  const head = makeHead(name, output.subarray(bodyAt, result));
  if (!head.every((byte, index) => byte === output[index])) return undefined;
  const forbidden = new DataView(output.buffer, output.byteOffset + bodyAt).getInt32(0, true);
  return { program: output.subarray(headBytes, result), forbidden };
}

/** Whether a file is of the type, ours, and nobody else's to write. */
export function isOurs(fd: number, type: number): boolean {
  const { result, output } = executeForOutput(statx(fd, "", atFlags.AT_EMPTY_PATH));
  if (result < 0) return false;
  const mode = readField(statxBuffer, output, "stx_mode");
  return (
    (mode & fileTypes.S_IFMT) === type &&
    (mode & 0o022) === 0 &&
    readField(statxBuffer, output, "stx_uid") === execute(geteuid())
  );
}

/**
 * Writes a program, whole or not at all.
 *
 * @param directory descriptor
 * @throws `syscall` fault
 */
export function writeProgram(directory: number, name: string, compiled: CompiledProgram): void {
  const doing = "keeping the seccomp filter";
  const { program, forbidden } = compiled;
  const body = new Uint8Array(forbiddenBytes + program.byteLength);
  new DataView(body.buffer).setInt32(0, forbidden, true);
  body.set(program, forbiddenBytes);
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_CLOEXEC } = openFlags;
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const temporary = `${name}.${process.pid}`;
  // Of a process that had our pid, and was killed.
  execute(unlinkat(directory, temporary));
  try {
    using file = own(must(openat(directory, temporary, { flags, mode: 0o600 }), doing));
    for (const part of [makeHead(name, body), body]) {
      for (let done = 0; done < part.byteLength; ) {
        done += must(write(file.fd, part.subarray(done)), doing);
      }
    }
    const [from, to, fd] = [text(temporary), text(name), number(directory)];
    must(call("renameat2", fd, from, fd, to, number(0)), doing);
  } catch (error) {
    execute(unlinkat(directory, temporary));
    throw error;
  }
}

/** What stands in front of the body. */
function makeHead(name: string, body: Uint8Array): Uint8Array {
  const head = new Uint8Array(bodyAt);
  head.set(word);
  head.set(new Bun.CryptoHasher("sha256").update(name).update(body).digest(), word.byteLength);
  return head;
}
