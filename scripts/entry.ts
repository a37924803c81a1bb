// Puts a few instructions of ours before the first one of Bun's in an executable that it has built: they note the limit of open
// files that the caller has given, which Bun then raises (src/ffi/entry-record.ts reads it). elf(5)

import { closeSync, openSync, readSync, writeSync } from "node:fs";
import type { Architecture } from "../src/abi/architecture.ts";
import { rlimitResources } from "../src/abi/process.ts";
import { rlimit64 } from "../src/abi/struct.ts";
import { syscallNumberOn } from "../src/abi/syscall-numbers.ts";
import { entryRecordAddress } from "../src/ffi/entry-record.ts";
import * as arm from "../src/init/stub/aarch64-instructions.ts";
import { assemble, type Line, littleEndian } from "../src/init/stub/assembler.ts";
import { fileHeaderBytes, PF_W, PF_X, PT_LOAD, programHeaderBytes } from "../src/init/stub/elf.ts";
import * as x86 from "../src/init/stub/x86_64-instructions.ts";

const call = (architecture: Architecture): number => syscallNumberOn(architecture, "prlimit64");
const { RLIMIT_NOFILE } = rlimitResources;

/** `prlimit64(0, RLIMIT_NOFILE, NULL, record)`; what the dynamic loader has left in a register for Bun is there afterwards. */
const listings: Readonly<Record<Architecture, readonly Line[]>> = {
  x86_64: [
    [x86.mov("r8", "rdx"), "the loader's function for the end of the process"],
    [x86.xor("edi", "edi"), "this process"],
    [x86.mov("esi", RLIMIT_NOFILE), "its limit of open files"],
    [x86.xor("edx", "edx"), "which is not set"],
    [x86.mov("r10d", entryRecordAddress.x86_64), "but written to where the runtime looks"],
    [x86.mov("eax", call("x86_64")), "prlimit64(2)"],
    [x86.syscall, "where it fails, there are zeros"],
    [x86.mov("rdx", "r8"), "as it was"],
    [x86.jmp("bun"), "as if nothing had been"],
  ],
  aarch64: [
    [arm.mov("x9", "x0"), "the loader's function for the end of the process"],
    [arm.mov("x0", 0), "this process"],
    [arm.mov("x1", RLIMIT_NOFILE), "its limit of open files"],
    [arm.mov("x2", 0), "which is not set"],
    [arm.mov("x3", Math.trunc(entryRecordAddress.aarch64 / 0x1_0000) * 0x1_0000), "but written"],
    [arm.add("x3", "x3", entryRecordAddress.aarch64 & 0xf000), "to where"],
    [arm.add("x3", "x3", entryRecordAddress.aarch64 & 0xfff), "the runtime looks"],
    [arm.mov("x8", call("aarch64")), "prlimit64(2)"],
    [arm.svc, "where it fails, there are zeros"],
    [arm.mov("x0", "x9"), "as it was"],
    [arm.b("bun"), "as if nothing had been"],
  ],
};

/** What lies between functions and is never executed: int3, and words that are no instruction, behind a `ret`. */
const padding: Readonly<Record<Architecture, { readonly before: string; readonly byte: number }>> =
  {
    x86_64: { before: "", byte: 0xcc },
    aarch64: { before: "c0035fd6", byte: 0 },
  };

/** As far as padding is looked for from the beginning of the code. */
const searchBytes = 8 * 1024 * 1024;

/**
 * Changes the executable, which Bun has just built.
 *
 * @param bun the Bun that is in the executable
 * @throws Error when it is not laid out as the one that this was written for
 */
export function noteLimitAtEntry(
  executable: string,
  { bun, architecture }: { readonly bun: string; readonly architecture: Architecture },
): void {
  checkRecordAddress(bun, architecture);
  const fd = openSync(executable, "r+");
  try {
    const code = segmentWith(PF_X, fd);
    const text = read(fd, code.offset, searchBytes);
    const at = findPadding(text, architecture);
    const bunEntry = Number(read(fd, entryField, 8).readBigUInt64LE());
    const { lines } = assemble(listings[architecture], code.address + at, { bun: bunEntry });
    const ours = lines.flatMap(({ bytes }) => bytes);
    writeSync(fd, Uint8Array.from(ours), 0, ours.length, code.offset + at);
    writeSync(fd, Uint8Array.from(littleEndian(code.address + at, 8)), 0, 8, entryField);
  } finally {
    closeSync(fd);
  }
}

/** The variables of Bun end in the middle of a page, and what `--compile` appends begins with one: between them is nothing. */
function checkRecordAddress(bun: string, architecture: Architecture): void {
  const fd = openSync(bun, "r");
  try {
    const { address, sizeBytes } = segmentWith(PF_W, fd);
    const free = Math.ceil((address + sizeBytes) / 16) * 16;
    const record = entryRecordAddress[architecture];
    const isLastOfPage = (free + rlimit64.sizeBytes) % pageBytes < rlimit64.sizeBytes;
    if (record !== free || isLastOfPage) {
      throw new Error(
        `the record of the entry is at 0x${record.toString(16)}, and 0x${free.toString(16)} is free in ${bun}`,
      );
    }
  } finally {
    closeSync(fd);
  }
}

const pageBytes = 4096;

/** Where there is room for the listing between two functions, counted from the beginning of the code. */
function findPadding(text: Buffer, architecture: Architecture): number {
  const { before, byte } = padding[architecture];
  const { sizeBytes } = assemble(listings[architecture], 0, { bun: 0 });
  const wanted = Buffer.concat([Buffer.from(before, "hex"), Buffer.alloc(sizeBytes, byte)]);
  const found = text.indexOf(wanted);
  if (found < 0) throw new Error("the code has no room for the instructions at the entry");
  return found + before.length / 2;
}

// Of `Elf64_Ehdr`; the `Elf64_Phdr` follow it in each of these files.
const entryField = 24;
const segmentCountField = 56;

type Segment = { readonly address: number; readonly offset: number; readonly sizeBytes: number };

/** The loaded segment with this permission, of which there is one. */
function segmentWith(permission: number, fd: number): Segment {
  const header = read(fd, 0, fileHeaderBytes);
  const count = header.readUInt16LE(segmentCountField);
  const table = read(fd, fileHeaderBytes, count * programHeaderBytes);
  const [segment] = Array.from({ length: count }, (_, index) =>
    table.subarray(index * programHeaderBytes),
  ).filter((row) => row.readUInt32LE(0) === PT_LOAD && (row.readUInt32LE(4) & permission) !== 0);
  if (segment === undefined) throw new Error("not an executable that Bun has built");
  const [offset, address, sizeBytes] = [8, 16, 40].map((at) => Number(segment.readBigUInt64LE(at)));
  return { offset: offset ?? 0, address: address ?? 0, sizeBytes: sizeBytes ?? 0 };
}

function read(fd: number, offset: number, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  readSync(fd, bytes, 0, sizeBytes, offset);
  return bytes;
}
