// Runs generated device programs in an interpreter and compares their verdicts with the rules, taken by the word.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FaultError } from "../../src/base/fault.ts";
import {
  type BpfInstruction,
  encodeBpf,
  generateDeviceFilter,
  printBpf,
} from "../../src/plan/device-filter.ts";
import { settleDevicePolicy } from "../../src/plan/device-rules.ts";
import type { DeviceRule } from "../../src/spec/resources.ts";

const test = suite("plan/device-filter");

const denyAll: DeviceRule = { allow: false, access: "rwm" };

function generate(rules: readonly DeviceRule[]): BpfInstruction[] {
  return generateDeviceFilter(settleDevicePolicy(rules));
}

test("generateDeviceFilter() makes the program for the default rules", () => {
  assert.is(
    printBpf(generate([denyAll])),
    `0: w2 = *(u32 *)(r1 + 0)
1: w3 = w2
2: w3 >>= 16
3: w2 &= 65535
4: w4 = *(u32 *)(r1 + 4)
5: w5 = *(u32 *)(r1 + 8)
6: if w2 != 2 goto 9
7: if w4 != 10 goto 9
8: if w5 == 200 goto 27
9: if w2 != 2 goto 13
10: if w4 != 5 goto 13
11: if w5 == 2 goto 27
12: if w5 == 0 goto 27
13: if w2 != 2 goto 16
14: if w4 != 136 goto 16
15: goto 27
16: if w2 != 2 goto 23
17: if w4 != 1 goto 23
18: if w5 == 9 goto 27
19: if w5 == 8 goto 27
20: if w5 == 7 goto 27
21: if w5 == 5 goto 27
22: if w5 == 3 goto 27
23: w3 &= 6
24: if w3 == 0 goto 27
25: w0 = 0
26: exit
27: w0 = 1
28: exit`,
  );
});

test("generateDeviceFilter() makes no program where everything is allowed", () => {
  assert.equal(generate([{ allow: true, access: "rwm" }]), []);
});

test("generateDeviceFilter() loads only what the rules look at", () => {
  const program = generate([{ allow: true }, { allow: false, major: 8, access: "rwm" }]);
  assert.is(
    printBpf(program),
    `0: w3 = *(u32 *)(r1 + 0)
1: w3 >>= 16
2: w4 = *(u32 *)(r1 + 4)
3: w3 &= 6
4: if w3 == 0 goto 7
5: if w4 != 8 goto 7
6: goto 9
7: w0 = 1
8: exit
9: w0 = 0
10: exit`,
  );
});

test("encodeBpf() packs instructions as the kernel wants them", () => {
  const program: BpfInstruction[] = [
    { code: "LOAD32", destination: 2, source: 1, offset: 4, immediate: 0 },
    { code: "JNE32_IMM", destination: 4, source: 0, offset: -2, immediate: 0xffff_fffe },
    { code: "EXIT", destination: 0, source: 0, offset: 0, immediate: 0 },
  ];
  assert.is(
    Buffer.from(encodeBpf(program)).toString("hex"),
    "6112040000000000" + "5604fefffeffffff" + "9500000000000000",
  );
});

test("generateDeviceFilter() decides as the last rule that matches, for random rules and accesses", () => {
  const random = randomNumbers(11);
  let allowed = 0;
  for (let round = 0; round < 4000; round += 1) {
    const rules = randomRules(random);
    const program = generate(rules);
    checkStructure(program);
    for (let probe = 0; probe < 25; probe += 1) {
      const device = randomDevice(random);
      const expected = bruteForce(rules, device);
      allowed += expected ? 1 : 0;
      const verdict = program.length === 0 || interpret(program, device);
      if (verdict === expected) continue;
      throw new Error(
        `${verdict} for ${JSON.stringify(device)} under ${JSON.stringify(rules)}\n${printBpf(program)}`,
      );
    }
  }
  assert.ok(allowed > 10_000 && allowed < 90_000, `${allowed} of 100000 allowed`);
});

test("generateDeviceFilter() compares large device numbers as unsigned", () => {
  const rule = { allow: true, type: "b", major: 0xffff_fff0, minor: 0x8000_0000, access: "r" };
  const program = generate([denyAll, rule]);
  const device = { type: "b", major: 0xffff_fff0, minor: 0x8000_0000, access: 2 };
  assert.is(interpret(program, device), true);
  assert.is(interpret(program, { ...device, minor: 0 }), false);
});

test("generateDeviceFilter() refuses rules that its jumps cannot span", () => {
  const rules = Array.from({ length: 7000 }, (_, major) => ({
    allow: true,
    type: "c",
    major: major + 1000,
    minor: 1,
    access: "rw",
  }));
  try {
    generate([denyAll, ...rules]);
    assert.unreachable();
  } catch (error) {
    assert.ok(error instanceof FaultError && error.fault.kind === "refused");
  }
});

type Probe = {
  readonly type: string;
  readonly major: number;
  readonly minor: number;
  /** mknod 1, read 2, write 4. */
  readonly access: number;
};

/** Runs the program as the kernel would; only what such programs consist of. */
function interpret(program: readonly BpfInstruction[], probe: Probe): boolean {
  const context = [(probe.access << 16) | (probe.type === "b" ? 1 : 2), probe.major, probe.minor];
  const registers = new Uint32Array(11);
  for (let at = 0, steps = 0; steps <= program.length; at += 1, steps += 1) {
    const instruction = program[at];
    if (instruction === undefined) throw new Error(`the program runs off its end at ${at}`);
    const { code, destination, source, offset, immediate } = instruction;
    const value = registers[destination] ?? 0;
    switch (code) {
      case "LOAD32":
        registers[destination] = context[offset / 4] ?? 0;
        break;
      case "MOV32_IMM":
        registers[destination] = immediate;
        break;
      case "MOV32_REG":
        registers[destination] = registers[source] ?? 0;
        break;
      case "AND32_IMM":
        registers[destination] = value & immediate;
        break;
      case "RSH32_IMM":
        registers[destination] = value >>> immediate;
        break;
      case "JEQ32_IMM":
        if (value === immediate >>> 0) at += offset;
        break;
      case "JNE32_IMM":
        if (value !== immediate >>> 0) at += offset;
        break;
      case "JSET32_IMM":
        if ((value & immediate) !== 0) at += offset;
        break;
      case "JA":
        at += offset;
        break;
      case "EXIT":
        return registers[0] === 1;
    }
  }
  throw new Error("the program does not end");
}

/** What the kernel's verifier would refuse: jumps out of the program or backwards, and code that is never reached. */
function checkStructure(program: readonly BpfInstruction[]): void {
  const reached = new Set<number>(program.length === 0 ? [] : [0]);
  program.forEach(({ code, offset }, index) => {
    if (!reached.has(index)) throw new Error(`${index} is never reached\n${printBpf(program)}`);
    if (code.startsWith("J")) {
      const target = index + 1 + offset;
      if (target <= index || target >= program.length) throw new Error(printBpf(program));
      reached.add(target);
    }
    if (code !== "JA" && code !== "EXIT") reached.add(index + 1);
  });
}

const builtIn: readonly DeviceRule[] = [
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  ...[3, 5, 7, 8, 9].map((minor) => ({ allow: true, type: "c", major: 1, minor, access: "rwm" })),
  { allow: true, type: "c", major: 5, minor: 0, access: "rwm" },
  { allow: true, type: "c", major: 136, access: "rwm" },
  { allow: true, type: "c", major: 5, minor: 2, access: "rwm" },
  { allow: true, type: "c", major: 10, minor: 200, access: "rwm" },
];

/** Each part of the access by itself: the last rule that matches decides, and what none decides is denied. */
function bruteForce(rules: readonly DeviceRule[], probe: Probe): boolean {
  const letters = { m: 1, r: 2, w: 4 };
  return Object.entries(letters).every(([letter, bit]) => {
    if ((probe.access & bit) === 0) return true;
    const last = [...rules, ...builtIn].findLast(
      ({ type = "a", major = -1, minor = -1, access = "rwm" }) =>
        (type === "a" || type === probe.type) &&
        (major === -1 || major === probe.major) &&
        (minor === -1 || minor === probe.minor) &&
        access.includes(letter),
    );
    return last?.allow ?? false;
  });
}

function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function randomRules(random: (below: number) => number): DeviceRule[] {
  const accesses = ["r", "w", "m", "rw", "wm", "rwm", "rwm"];
  return Array.from({ length: random(8) }, () => ({
    allow: random(2) === 0,
    type: ["a", "b", "c"][random(3)] ?? "a",
    major: random(4) - 1,
    minor: random(4) - 1,
    access: accesses[random(7)] ?? "rwm",
  }));
}

function randomDevice(random: (below: number) => number): Probe {
  const access = random(7) + 1;
  if (random(8) === 0) return { type: "c", major: 1, minor: 3, access };
  return { type: ["b", "c"][random(2)] ?? "b", major: random(4), minor: random(4), access };
}

test.run();
