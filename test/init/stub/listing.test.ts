// Compares what a disassembler sees in the stubs with the committed listings, which hold our reason for each instruction.
//
//   scripts/bun test/init/stub/listing.test.ts --update    writes the listings anew

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Architecture } from "../../../src/abi/architecture.ts";
import { present } from "../../../src/base/assert.ts";
import { codeAddress, codeOffset } from "../../../src/init/stub/elf.ts";
import { stubAssembly, stubImage } from "../../../src/init/stub/image.ts";
import { allArchitectures } from "./driver.ts";

const test = suite("init/stub/listing");

const disassemblers: Readonly<Record<Architecture, readonly [string, ...string[]]>> = {
  x86_64: ["/usr/bin/objdump", "-m", "i386:x86-64", "-M", "intel"],
  aarch64: ["/usr/bin/aarch64-linux-gnu-objdump", "-m", "aarch64"],
};

for (const architecture of allArchitectures) {
  const file = join(import.meta.dir, `${architecture}.lst`);
  const [disassembler] = disassemblers[architecture];
  const missing = !existsSync(disassembler);
  if (missing) console.log(`skip: listing for ${architecture}: ${disassembler} is not installed`);
  const run = missing ? test.skip : test;

  run(`${architecture}: the stub disassembles to its committed listing`, () => {
    const now = listing(architecture);
    if (process.argv.includes("--update")) writeFileSync(file, now);
    assert.fixture(now, readFileSync(file, "utf8"));
  });

  test(`${architecture}: the stub is assembled to the same bytes every time`, () => {
    assert.equal(stubImage(architecture), stubImage(architecture));
  });

  test(`${architecture}: the stub stays within its budget`, () => {
    assert.ok(stubAssembly(architecture).lines.length <= 120, "120 instructions");
    assert.ok(stubImage(architecture).bytes.length <= 768, "768 bytes");
  });
}

/** The stub as text: labels, and for each instruction its address, bytes, mnemonic and reason. */
function listing(architecture: Architecture): string {
  const { bytes, doorbellOffset } = stubImage(architecture);
  const { lines } = stubAssembly(architecture);
  const mnemonics = disassemble(architecture, bytes.subarray(0, doorbellOffset));
  assert.is(mnemonics.size, lines.length, "as many instructions as were written");
  const title = `The init stub for ${architecture}: ${lines.length} instructions in ${bytes.length} bytes with the ELF headers.`;
  const text = lines.flatMap(({ address, bytes, labels, why }) => {
    const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const mnemonic = present(mnemonics.get(address), `an instruction at ${address.toString(16)}`);
    const left = `  ${address.toString(16)}  ${hex.padEnd(24)}  ${mnemonic}`;
    return [...labels.map((label) => `\n${label}:`), `${left.padEnd(84)}; ${why}`];
  });
  return `${[title, ...text].join("\n")}\n`;
}

/** What the disassembler makes of the code, by address; its own remarks and symbol names are left out. */
function disassemble(architecture: Architecture, file: Uint8Array): ReadonlyMap<number, string> {
  const directory = mkdtempSync(join(tmpdir(), "listing-"));
  const path = join(directory, "stub");
  writeFileSync(path, file);
  const start = codeAddress - codeOffset;
  const [program, ...flags] = disassemblers[architecture];
  const { stdout } = Bun.spawnSync([
    ...[program, "-D", "-b", "binary", "-w", ...flags],
    ...[`--adjust-vma=${start}`, `--start-address=${codeAddress}`, path],
  ]);
  rmSync(directory, { recursive: true });
  const found = stdout.toString().matchAll(/^ +([0-9a-f]+):\t[0-9a-f ]+\t(.*)$/gm);
  return new Map(
    [...found].map(([, address = "", instruction = ""]) => [
      Number.parseInt(address, 16),
      instruction
        .replace(/ *(\/\/|# ).*$/, "")
        .replace(/\s+/g, " ")
        .trim(),
    ]),
  );
}

test.run();
