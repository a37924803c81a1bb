// Operands as words and memory, byte by byte, at an address that is not where the bytes are.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mountAttr, openHow, pollfd, type StructLayout, sockaddrUn } from "../../src/abi/struct.ts";
import {
  type Arena,
  encodeOperand,
  growingArena,
  measureOperand,
  type PlainOperand,
  pinnedArena,
  writeWord,
} from "../../src/syscall/encode.ts";
import {
  answerOperand,
  bytes,
  type FieldOperand,
  flags,
  number,
  outputOperand,
  slot,
  struct,
  text,
  texts,
} from "../../src/syscall/value.ts";
import { type Random, seeded } from "../support/random.ts";

const test = suite("syscall/encode");
const address = 0x1000_0000;
const outputAddress = 0x7777_0000;

/** An arena whose bytes were used before. */
function dirtyArena(sizeBytes: number): Arena {
  const arena = pinnedArena(new ArrayBuffer(sizeBytes), address);
  arena.bytes.fill(0xee);
  return arena;
}

/** Encodes into an arena of the measured size, and gives the word and the memory as hexadecimal. */
function encode(operand: PlainOperand): { word: number | bigint; memory: string } {
  const arena = dirtyArena(measureOperand(operand));
  const word = encodeOperand(arena, operand, outputAddress);
  return { word, memory: Buffer.from(arena.bytes.subarray(0, arena.usedBytes)).toString("hex") };
}

/** Word as the kernel gets it. */
function wordBytes(value: number | bigint): string {
  const arena = dirtyArena(8);
  writeWord(arena, 0, value);
  return Buffer.from(arena.bytes).toString("hex");
}

test("writeWord() writes 64 bits, low byte first, of positive, negative and large numbers", () => {
  assert.is(wordBytes(0), "0000000000000000");
  assert.is(wordBytes(0x12345678), "7856341200000000");
  assert.is(wordBytes(-1), "ffffffffffffffff");
  assert.is(wordBytes(-100), "9cffffffffffffff");
  assert.is(wordBytes(-0x8000_0000), "00000080ffffffff");
  assert.is(wordBytes(-0x1_0000_0000), "00000000ffffffff");
  assert.is(wordBytes(0xffff_ffff), "ffffffff00000000");
  assert.is(wordBytes(0x2_0000_0001), "0100000002000000");
  assert.is(wordBytes(Number.MAX_SAFE_INTEGER), "ffffffffffff1f00");
});

test("writeWord() writes bigints whole: RLIM_INFINITY and negative ones", () => {
  assert.is(wordBytes(0xffff_ffff_ffff_ffffn), "ffffffffffffffff");
  assert.is(wordBytes(0x8000_0000_0000_0001n), "0100000000000080");
  assert.is(wordBytes(-2n), "feffffffffffffff");
});

test("writeWord() agrees with BigInt for numbers of every size", () => {
  const random = seeded(1);
  for (let round = 0; round < 2000; round++) {
    const size = 2 ** random.below(53);
    const value = (random.below(2) === 0 ? 1 : -1) * random.below(size + 1);
    assert.is(wordBytes(value), wordBytes(BigInt(value)), `${value}`);
  }
});

test("encodeOperand() gives numbers, flags and the place of an output as they are, without memory", () => {
  assert.equal(encode(number(-100)), { word: -100, memory: "" });
  assert.equal(encode(number(5n)), { word: 5n, memory: "" });
  assert.equal(encode(flags({ A: 1 }, 3)), { word: 3, memory: "" });
  assert.equal(encode(outputOperand(99)), { word: outputAddress, memory: "" });
});

test("encodeOperand() writes a text in UTF-8 with its NUL, padded to 8 bytes", () => {
  assert.equal(encode(text("")).word, address);
  assert.match(encode(text("")).memory, /^00/);
  assert.match(encode(text("/proc")).memory, /^2f70726f6300/);
  // 2, 3 and 4 bytes a character, and a half of a pair, which becomes U+FFFD.
  assert.match(encode(text("é→🙂")).memory, /^c3a9e28692f09f998200/);
  assert.match(encode(text("\ud83d")).memory, /^efbfbd00/);
  // Exactly a multiple of 8 without its NUL.
  assert.is(encode(text("12345678")).memory.length, 32);
});

test("encodeOperand() writes the second operand behind the first, aligned", () => {
  const arena = dirtyArena(64);
  arena.usedBytes = 8;
  assert.is(encodeOperand(arena, text("abc"), 0), address + 8);
  assert.is(encodeOperand(arena, bytes(new Uint8Array([1])), 0), address + 16);
  assert.is(encodeOperand(arena, text("d"), 0), address + 24);
  assert.is(arena.usedBytes, 32);
});

test("encodeOperand() writes bytes and clears their padding", () => {
  const { word, memory } = encode(bytes(new Uint8Array([1, 2, 3])));
  assert.is(word, address);
  assert.is(memory, "0102030000000000");
  assert.equal(encode(bytes(new Uint8Array())), { word: address, memory: "" });
});

test("encodeOperand() writes a vector of pointers with a null pointer at its end", () => {
  const { word, memory } = encode(texts(["sh", "ünß"]));
  assert.is(word, address);
  const pointers = [wordBytes(address + 24), wordBytes(address + 32), wordBytes(0)].join("");
  assert.is(memory.slice(0, 48), pointers);
  assert.match(memory.slice(48), /^736800.{10}c3bc6ec39f00/);
  assert.is(encode(texts([])).memory, wordBytes(0));
});

test("encodeOperand() writes the named fields of a structure and zeroes in the others", () => {
  const { memory } = encode(
    struct(openHow, { flags: flags({}, 0o12000000), resolve: number(0x12) }),
  );
  assert.is(memory, wordBytes(0o12000000) + wordBytes(0) + wordBytes(0x12));
  const poll = encode(struct(pollfd, { fd: number(-1), events: number(0x8001) }));
  assert.is(poll.memory, "ffffffff01800000");
  const attributes = struct(mountAttr, { userns_fd: number(7) });
  assert.is(encode(attributes).memory, `${"00".repeat(24)}${wordBytes(7)}`);
});

test("encodeOperand() puts bytes into the field itself, and clears the rest of it", () => {
  const path = new TextEncoder().encode("/run/x");
  const { memory } = encode(struct(sockaddrUn, { sun_family: number(1), sun_path: bytes(path) }));
  assert.is(memory, `0100${Buffer.from(path).toString("hex")}`.padEnd(2 * 112, "0"));
});

test("encodeOperand() refuses bytes that are larger than their field", () => {
  const path = new Uint8Array(109);
  assert.throws(() => encode(struct(sockaddrUn, { sun_path: bytes(path) })), /sun_path/);
});

test("encodeOperand() refuses a field that the structure does not have", () => {
  assert.throws(() => encode(struct(openHow, { mdoe: number(0) })), /mdoe/);
});

test("encodeOperand() puts what a structure points to behind it", () => {
  const layout: StructLayout = {
    name: "struct pair",
    header: "",
    sizeBytes: 12,
    fields: { pointer: { offset: 0, sizeBytes: 8 }, size: { offset: 8, sizeBytes: 4 } },
  };
  const inner = struct(layout, { pointer: text("end"), size: number(0x1_0000_0002) });
  const { memory } = encode(struct(layout, { pointer: inner, size: number(1) }));
  const expected = [
    ...[wordBytes(address + 16), "01000000", "00000000"],
    ...[wordBytes(address + 32), "02000000", "00000000", "656e6400"],
  ];
  assert.match(memory, new RegExp(`^${expected.join("")}`));
});

/** A random operand, nested at most `depth` deep. */
function randomOperand(random: Random, depth: number): FieldOperand {
  const word = (): string =>
    Array.from({ length: random.below(20) }, () =>
      random.pick(["a", "/", "é", "→", "🙂", "\ud800"]),
    ).join("");
  const leaf = random.below(depth > 0 ? 6 : 5);
  if (leaf === 0) return number(random.below(1000) - 500);
  if (leaf === 1) return flags({}, random.below(0x1_0000));
  if (leaf === 2) return text(word());
  if (leaf === 3) return bytes(new Uint8Array(random.below(40)).fill(random.below(256)));
  if (leaf === 4) return texts(Array.from({ length: random.below(5) }, word));
  const names = Array.from({ length: random.below(4) + 1 }, (_, index) => `field${index}`);
  const layout: StructLayout = {
    name: "struct random",
    header: "",
    sizeBytes: 8 * names.length + random.below(9),
    fields: Object.fromEntries(
      names.map((name, index) => [name, { offset: 8 * index, sizeBytes: 8 }]),
    ),
  };
  const values = Object.fromEntries(
    names.map((name) => {
      const value = randomOperand(random, depth - 1);
      return [name, value.kind === "bytes" ? bytes(value.value.subarray(0, 8)) : value];
    }),
  );
  return struct(layout, values);
}

/** Reads an operand back from memory and compares. */
function compare(operand: PlainOperand, word: bigint, memory: Buffer): void {
  const at = Number(word) - address;
  const textAt = (offset: number): string =>
    memory.subarray(offset, memory.indexOf(0, offset)).toString();
  switch (operand.kind) {
    case "number":
    case "flags":
      assert.is(BigInt.asIntN(64, word), BigInt(operand.value));
      break;
    case "text":
      assert.is(at % 8, 0);
      assert.is(textAt(at), operand.value.toWellFormed());
      break;
    case "bytes":
      assert.is(Buffer.compare(memory.subarray(at, at + operand.value.length), operand.value), 0);
      break;
    case "texts":
      assert.is(memory.readBigUInt64LE(at + 8 * operand.value.length), 0n);
      operand.value.forEach((item, index) => {
        const pointer = Number(memory.readBigUInt64LE(at + 8 * index));
        assert.is(textAt(pointer - address), item.toWellFormed());
      });
      break;
    case "struct":
      for (const [name, value] of Object.entries(operand.value)) {
        const offset = at + (operand.detail.fields[name]?.offset ?? 0);
        const place = value.kind === "bytes" ? address + offset : memory.readBigUInt64LE(offset);
        compare(value, BigInt(place), memory);
      }
      break;
    case "output":
      assert.is(word, BigInt(outputAddress));
  }
}

test("encodeOperand() never needs more than was measured, and what it writes reads back", () => {
  for (let seed = 0; seed < 3000; seed++) {
    const random = seeded(seed);
    const operands = Array.from({ length: 1 + random.below(6) }, () => randomOperand(random, 2));
    const measured = operands.reduce((sum, operand) => sum + measureOperand(operand), 0);
    const isPinned = seed % 2 === 0;
    const arena = isPinned
      ? dirtyArena(measured)
      : growingArena({ address, usedBytes: 0, sizeBytes: 8 * random.below(8) });
    const words = operands.map((operand) => encodeOperand(arena, operand, outputAddress));
    assert.ok(arena.usedBytes <= measured, `seed ${seed}: ${arena.usedBytes} of ${measured}`);
    operands.forEach((operand, index) => {
      compare(operand, BigInt.asUintN(64, BigInt(words[index] ?? 0)), Buffer.from(arena.bytes));
    });
  }
});

test("encodeOperand() writes texts and structures once where memory is filled once", () => {
  const arena = growingArena({ address, usedBytes: 0, sizeBytes: 64 });
  const how = struct(openHow, { flags: number(1) });
  const operands = [text("dev"), how, text("dev"), how, struct(openHow, { flags: number(1) })];
  const words = operands.map((operand) => encodeOperand(arena, operand, 0));
  assert.equal(words, [address, address + 8, address, address + 8, address + 32]);
  const dirty = dirtyArena(64);
  assert.equal(
    ["dev", "dev"].map((item) => encodeOperand(dirty, text(item), 0)),
    [address, address + 8],
  );
});

test("encodeOperand() lets an arena grow that is filled once, and no other", () => {
  const arena = growingArena({ address, usedBytes: 8, sizeBytes: 16 });
  const words = ["a", "b".repeat(1000), "c"].map((item) => encodeOperand(arena, text(item), 0));
  assert.equal(words, [address + 8, address + 16, address + 16 + 1008]);
  assert.is(Buffer.from(arena.bytes).toString("latin1", 16, 1016), "b".repeat(1000));
  const pinned = pinnedArena(new ArrayBuffer(16), address);
  assert.throws(() => encodeOperand(pinned, text("b".repeat(20)), 0), /more memory than was/);
});

test("measureOperand() counts nothing for what lies elsewhere", () => {
  assert.is(measureOperand(outputOperand(4096)), 0);
  assert.is(measureOperand(slot("root")), 0);
  assert.is(measureOperand(answerOperand("length")), 0);
});

test.run();
