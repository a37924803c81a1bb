// The stub as a file, and what the assembler refuses.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { defaultDoorbellFd } from "../../../src/init/layout.ts";
import * as arm from "../../../src/init/stub/aarch64-instructions.ts";
import { assemble, type Line, littleEndian } from "../../../src/init/stub/assembler.ts";
import { codeAddress, codeOffset } from "../../../src/init/stub/elf.ts";
import { stubAssembly, stubImage } from "../../../src/init/stub/image.ts";
import { withDoorbell } from "../../../src/init/stub/stub-image.ts";
import * as x86 from "../../../src/init/stub/x86_64-instructions.ts";
import { allArchitectures } from "./driver.ts";

const test = suite("init/stub/image");

for (const architecture of allArchitectures) {
  test(`${architecture}: withDoorbell() changes the four bytes of the descriptor and no others`, () => {
    const image = stubImage(architecture);
    const changed = withDoorbell(image, 0x0102_0304);
    assert.equal([...changed.subarray(image.doorbellOffset)], [4, 3, 2, 1]);
    assert.equal(
      changed.subarray(0, image.doorbellOffset),
      image.bytes.subarray(0, image.doorbellOffset),
    );
    assert.equal(withDoorbell(image, defaultDoorbellFd), image.bytes);
    assert.throws(() => withDoorbell(image, -1), /descriptor number/);
    assert.throws(() => withDoorbell(image, 2 ** 31), /descriptor number/);
  });

  test(`${architecture}: exitAddress is the first of the instructions that end the stub`, () => {
    const { bytes, exitAddress, doorbellOffset } = stubImage(architecture);
    const [exit] = stubAssembly(architecture).lines.filter(({ labels }) => labels.includes("exit"));
    assert.is(exitAddress, exit?.address);
    assert.ok(exitAddress > codeAddress && exitAddress - codeAddress + codeOffset < doorbellOffset);
    assert.is(bytes.length, doorbellOffset + 4);
  });
}

test("assemble() refuses a label that is defined twice, or not at all", () => {
  assert.throws(() => assemble(["a:", "a:"], 0), /label a is defined once/);
  assert.throws(() => assemble([[x86.jmp("a"), ""]], 0), /label a is missing/);
});

test("littleEndian() refuses what does not fit", () => {
  assert.equal(littleEndian(-2, 2), [0xfe, 0xff]);
  assert.equal(littleEndian(2 ** 32 - 1, 4), [255, 255, 255, 255]);
  for (const value of [256, -129, 0.5, Number.NaN]) assert.throws(() => littleEndian(value, 1));
});

test("x86-64 instructions refuse operands that they cannot encode", () => {
  assert.throws(() => x86.mov("rax", 2 ** 31), /fits 32 signed bits/);
  assert.throws(() => x86.mov("rax", "ebx"), /both registers are whole ones, or neither/);
  assert.throws(() => x86.mov("rax", x86.memory("ebx", 0)), /64-bit address/);
  assert.throws(() => x86.mov("rax", x86.memory("rbx", 0, "rsp")), /rsp cannot be an index/);
  assert.throws(() => x86.imul("rax", "rbx", 200), /fits 8 signed bits/);
});

test("arm64 instructions refuse operands that they cannot encode", () => {
  assert.throws(() => arm.mov("x0", 0x1_0001), /fits 16 bits/);
  assert.throws(() => arm.mov("x31", 0), /is a register/);
  assert.throws(() => arm.add("x0", "x1", 0x1001), /fits 12 bits/);
  assert.throws(() => arm.ldr("x0", arm.memory("x1", 4)), /fits 12 bits/);
  assert.throws(() => arm.ldp(["x0", "w1"], arm.memory("x1", 0)), /one width/);
  assert.throws(() => arm.ldp(["x0", "x1"], arm.memory("x1", 512)), /fits 6 bits/);
  assert.throws(() => arm.tst("w0", 6), /mask of the lowest bits/);
  const filler = Array.from({ length: 2 ** 13 }, (): Line => [arm.ret, ""]);
  const tooFar: Line[] = ["a:", ...filler, [arm.tbz0("w0", "a"), ""]];
  assert.throws(() => assemble(tooFar, 0), /a is near enough/);
});

test.run();
