// Wraps code into a static ELF executable whose one loaded segment nobody can write to; not the code itself. elf(5)

import type { Architecture } from "../../abi/architecture.ts";
import { assert } from "../../base/assert.ts";
import { littleEndian } from "./assembler.ts";

/** Where the file is loaded: the customary place, below `areaAddress` and free on both architectures. */
const loadAddress = 0x40_0000;
/** The largest page size of arm64, so that the segment can be mapped whatever the kernel uses. */
const loadAlignmentBytes = 0x1_0000;

export const fileHeaderBytes = 64;
export const programHeaderBytes = 56;
const programHeaderCount = 2;

/** Where the code begins in the file. */
export const codeOffset = fileHeaderBytes + programHeaderCount * programHeaderBytes;
/** Where the code begins in memory; its first instruction is the entry point. */
export const codeAddress = loadAddress + codeOffset;

const EM = { x86_64: 62, aarch64: 183 } as const satisfies Record<Architecture, number>;
const ET_EXEC = 2;
export const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474_e551;
export const PF_X = 1;
export const PF_W = 2;
const PF_R = 4;

/** Makes the file: headers and code, loaded together as one readable and executable segment. */
export function elfExecutable(architecture: Architecture, code: readonly number[]): Uint8Array {
  const headers = [
    ...fileHeader(architecture),
    ...programHeader(PT_LOAD, PF_R | PF_X, {
      address: loadAddress,
      sizeBytes: codeOffset + code.length,
      alignmentBytes: loadAlignmentBytes,
    }),
    // Without this one, whether the stack is executable depends on the kernel and the architecture.
    ...programHeader(PT_GNU_STACK, PF_R | PF_W, { address: 0, sizeBytes: 0, alignmentBytes: 16 }),
  ];
  assert(headers.length === codeOffset, "the code follows the headers");
  return Uint8Array.from([...headers, ...code]);
}

/** `Elf64_Ehdr`. There are no sections: nothing that loads a program looks at them. */
function fileHeader(architecture: Architecture): number[] {
  const [elfClass64, littleEndianData, version] = [2, 1, 1];
  return [
    ...[0x7f, ...Buffer.from("ELF"), elfClass64, littleEndianData, version],
    ...new Array(9).fill(0),
    ...littleEndian(ET_EXEC, 2),
    ...littleEndian(EM[architecture], 2),
    ...littleEndian(version, 4),
    ...littleEndian(codeAddress, 8),
    ...littleEndian(fileHeaderBytes, 8),
    // Section headers, and flags of the machine.
    ...littleEndian(0, 8),
    ...littleEndian(0, 4),
    ...littleEndian(fileHeaderBytes, 2),
    ...littleEndian(programHeaderBytes, 2),
    ...littleEndian(programHeaderCount, 2),
    // Size and number of section headers, and the one with their names.
    ...littleEndian(0, 2),
    ...littleEndian(0, 2),
    ...littleEndian(0, 2),
  ];
}

/** `Elf64_Phdr` of a segment that begins with the file. */
function programHeader(
  type: number,
  flags: number,
  segment: {
    readonly address: number;
    readonly sizeBytes: number;
    readonly alignmentBytes: number;
  },
): number[] {
  return [
    ...littleEndian(type, 4),
    ...littleEndian(flags, 4),
    // Offset in the file, then the virtual and the physical address.
    ...littleEndian(0, 8),
    ...littleEndian(segment.address, 8),
    ...littleEndian(segment.address, 8),
    // The same size in the file and in memory: no zeroed tail, for which a page would have to be writable.
    ...littleEndian(segment.sizeBytes, 8),
    ...littleEndian(segment.sizeBytes, 8),
    ...littleEndian(segment.alignmentBytes, 8),
  ];
}
