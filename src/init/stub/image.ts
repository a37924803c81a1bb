// The init stub as an executable file, for each architecture; made at build time, the same bytes every time.

import type { Architecture } from "../../abi/architecture.ts";
import { assert } from "../../base/assert.ts";
import { defaultDoorbellFd } from "../layout.ts";
import { aarch64Stub } from "./aarch64.ts";
import { type Assembly, assemble, type Line, littleEndian } from "./assembler.ts";
import { codeAddress, codeOffset, elfExecutable } from "./elf.ts";
import type { StubImage } from "./stub-image.ts";
import { x86_64Stub } from "./x86_64.ts";

const listings: Readonly<Record<Architecture, readonly Line[]>> = {
  x86_64: x86_64Stub,
  aarch64: aarch64Stub,
};

/** Makes the stub, which takes `defaultDoorbellFd` for its doorbell. */
export function stubImage(architecture: Architecture): StubImage {
  const { lines, sizeBytes, addressOf } = stubAssembly(architecture);
  const doorbellOffset = codeOffset + sizeBytes;
  assert(addressOf("doorbell") === codeAddress + sizeBytes, "the doorbell's word follows the code");
  const code = lines.map((line) => line.bytes).flat();
  return {
    bytes: elfExecutable(architecture, [...code, ...littleEndian(defaultDoorbellFd, 4)]),
    doorbellOffset,
    exitAddress: addressOf("exit"),
  };
}

/** The code of the stub with its addresses and reasons, for the listing. */
export function stubAssembly(architecture: Architecture): Assembly {
  return assemble(listings[architecture], codeAddress);
}
