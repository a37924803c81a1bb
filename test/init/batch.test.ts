// Batches against a direct reading of their steps: the same calls, with the same operands, to the same end.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type ErrnoName, errnos } from "../../src/abi/errno.ts";
import { syscallNumber } from "../../src/abi/syscall-numbers.ts";
import { present } from "../../src/base/assert.ts";
import { FaultError } from "../../src/base/fault.ts";
import { readAnswer } from "../../src/init/answer.ts";
import { encodeBatch, encodeRest, notExecuted } from "../../src/init/batch.ts";
import {
  areaAddress,
  areaMaxBytes,
  endOfBatch,
  header,
  record,
  recordsMax,
} from "../../src/init/layout.ts";
import { ignore, type Recovery, type Step, step } from "../../src/program/step.ts";
import { chdir, close, openat, read, statx, write } from "../../src/syscall/files.ts";
import { getpid } from "../../src/syscall/processes.ts";
import { answerOperand, call, fdOperand, number, slot } from "../../src/syscall/value.ts";
import { type Random, seeded } from "../support/random.ts";
import {
  type End,
  encodeAndRun,
  numbered,
  numbers,
  type Options,
  same,
  type World,
} from "../support/step-model.ts";
import { runBatch, textAt } from "../support/stub-model.ts";

const test = suite("init/batch");

const { ENOENT, EEXIST, EPERM } = errnos;

/** Fails the first `times` executions of the step with the errno; everything else gives 7. */
function failing(id: number, errno: number, times = 1): World {
  return (at, nth) => (at === id && nth < times ? -errno : 7);
}

const trace = (end: End): readonly number[] => end.calls.map(({ id }) => id);

test("encodeBatch() executes steps in order, and stops at the first failure", () => {
  const steps = [numbered(1), numbered(2), numbered(3)];
  assert.equal(trace(same(steps, () => 0)), [1, 2, 3]);
  const end = same(steps, failing(2, EPERM));
  assert.equal(trace(end), [1, 2]);
  assert.is(end.fault, "step 2 EPERM");
});

test("encodeBatch() skips what follows on success, or tries again, as the recovery says", () => {
  const repair = (next: Recovery["next"], extra: Options = {}): Step[] => [
    numbered(1, {
      recovery: { errnos: ["ENOENT"], steps: [numbered(2, extra)], next },
      onSuccess: [numbered(3)],
    }),
    numbered(4),
  ];
  assert.equal(trace(same(repair("skip"), () => 5)), [1, 3, 4]);
  assert.equal(trace(same(repair("skip"), failing(1, ENOENT))), [1, 2, 4]);
  assert.equal(trace(same(repair("retry"), failing(1, ENOENT, 2))), [1, 2, 1, 2, 1, 3, 4]);
  assert.is(same(repair("skip"), failing(1, EPERM)).fault, "step 1 EPERM");
  const twice: World = (id, nth) => (id === 1 && nth === 0 ? -ENOENT : id === 2 ? -EEXIST : 7);
  assert.is(same(repair("retry"), twice).fault, "step 2 EEXIST");
  assert.equal(
    trace(same(repair("retry", { recovery: ignore("EEXIST") }), twice)),
    [1, 2, 1, 3, 4],
  );
});

test("encodeBatch() goes on without steps of recovery, also at the very end", () => {
  const steps = [numbered(1, { recovery: ignore("ENOENT"), onSuccess: [numbered(2)] })];
  assert.equal(trace(same(steps, failing(1, ENOENT))), [1]);
  assert.equal(trace(same([...steps, numbered(3)], failing(1, ENOENT))), [1, 3]);
  const again = [numbered(1, { recovery: { errnos: ["ENOENT"], steps: [], next: "retry" } })];
  assert.equal(trace(same(again, failing(1, ENOENT, 3))), [1, 1, 1, 1]);
});

test("encodeBatch() sends the child of a clone past what its parent does", () => {
  const steps = [numbered(1, { onZero: "skip", onSuccess: [numbered(2)] }), numbered(3)];
  assert.equal(trace(same(steps, () => 0)), [1, 3]);
  assert.equal(trace(same(steps, () => 9)), [1, 2, 3]);
  const last = [numbered(1, { onZero: "skip", onSuccess: [numbered(2)] })];
  assert.equal(trace(same(last, () => 0)), [1]);
});

test("encodeBatch() hands results on, also into and out of recoveries", () => {
  const recovery = {
    errnos: ["ENOENT"],
    steps: [numbered(3, { uses: ["a"] })],
    next: "retry",
  } as const;
  const steps = [
    numbered(1, { slot: "a" }),
    numbered(2, { slot: "b", uses: ["a"], recovery }),
    numbered(4, { uses: ["b", "a", "b"] }),
  ];
  const world: World = (id, nth) => (id === 2 && nth === 0 ? -ENOENT : 10 * id + nth);
  const { calls } = same(steps, world);
  assert.equal(calls.at(-1), { id: 4, used: [21, 10, 21] });
});

/** Random steps that checkProgram accepts; `defined` are the slots that may be used here. */
function randomSteps(
  random: Random,
  place: { defined: Set<string>; depth: number; ids: { next: number } },
): Step[] {
  const { defined, depth, ids } = place;
  return Array.from({ length: 1 + random.below(4) }, () => {
    const id = ids.next++;
    const isClone = random.below(6) === 0;
    const known = [...defined];
    const uses = known.filter(() => random.below(3) === 0).slice(0, 3);
    const named = random.below(2) === 0 ? `slot${id}` : undefined;
    const recovery = random.below(2) === 0 ? undefined : randomRecovery(random, place);
    const certain = recovery === undefined || recovery.next === "retry";
    const inner = certain && !isClone ? defined : new Set(defined);
    if (named !== undefined) inner.add(named);
    if (named !== undefined && certain) defined.add(named);
    const onSuccess =
      depth > 0 && random.below(2) === 0
        ? randomSteps(random, { defined: inner, depth: depth - 1, ids })
        : [];
    return numbered(id, {
      uses,
      onSuccess,
      ...(isClone ? { onZero: "skip" } : {}),
      ...(named === undefined ? {} : { slot: named }),
      ...(recovery === undefined ? {} : { recovery }),
    });
  });
}

function randomRecovery(
  random: Random,
  { defined, depth, ids }: { defined: Set<string>; depth: number; ids: { next: number } },
): Recovery {
  const steps =
    depth > 0 && random.below(3) > 0
      ? randomSteps(random, { defined: new Set(defined), depth: depth - 1, ids })
      : [];
  const errno = random.pick<ErrnoName>(["ENOENT", "EEXIST"]);
  const next = random.pick<Recovery["next"]>(["retry", "skip"]);
  const errnos = next === "skip" && random.below(3) === 0 ? "any" : ([errno] as const);
  return { errnos, steps, next, ...(random.below(3) === 0 ? { rare: true } : {}) };
}

test("encodeBatch() does for random steps in random worlds what they say", () => {
  let faults = 0;
  let longest = 0;
  for (let seed = 0; seed < 4000; seed++) {
    const random = seeded(seed);
    const steps = randomSteps(random, { defined: new Set(), depth: 3, ids: { next: 1 } });
    const salt = random.below(1_000_000);
    // Nothing fails more than three times, so that every retry ends.
    const world: World = (id, nth) => {
      const luck = seeded(salt + 1000 * id + nth).below(20);
      if (nth < 3 && luck < 3) return -ENOENT;
      if (nth < 3 && luck === 3 && seed % 3 === 0) return -EEXIST;
      if (seed % 5 === 0 && luck === 4) return -EPERM;
      return luck < 9 ? 0 : 100 + id;
    };
    const { calls, fault } = same(steps, world, `of seed ${seed}`);
    if (fault !== undefined) faults += 1;
    longest = Math.max(longest, calls.length);
  }
  assert.ok(faults > 500 && faults < 3500 && longest > 30, `${faults} faults, ${longest} calls`);
});

test("encodeRest() goes on where a rare recovery has interrupted, also the first record", () => {
  const rare = (next: Recovery["next"]): Step[] => [
    numbered(1, {
      slot: "a",
      recovery: { errnos: ["ENOENT"], steps: [numbered(2), numbered(3)], next, rare: true },
      onSuccess: [numbered(4, { uses: ["a"] })],
    }),
    numbered(5),
  ];
  assert.equal(trace(same(rare("retry"), failing(1, ENOENT, 2))), [1, 2, 3, 1, 2, 3, 1, 4, 5]);
  assert.equal(trace(same(rare("skip"), failing(1, ENOENT))), [1, 2, 3, 5]);
  assert.is(same(rare("skip"), failing(1, EPERM)).fault, "step 1 EPERM");
});

test("encodeRest() lets a loop around the interruption take the newest results", () => {
  const inner = numbered(2, {
    recovery: { errnos: ["EEXIST"], steps: [numbered(3)], next: "skip", rare: true },
  });
  const steps = [
    numbered(1, { slot: "a", recovery: { errnos: ["ENOENT"], steps: [inner], next: "retry" } }),
    numbered(4, { uses: ["a"] }),
  ];
  const world: World = (id, nth) => (id === 1 && nth < 2 ? -ENOENT : id === 2 ? -EEXIST : 10 + nth);
  const { calls } = same(steps, world);
  assert.equal(
    calls,
    [1, 2, 3, 1, 2, 3, 1, 4].map((id) => ({ id, used: id === 4 ? [12] : [] })),
  );
});

test("encodeRest() keeps the outputs of what has been executed", () => {
  const steps = [
    step("looking", read(0, 16), { slot: "look" }),
    numbered(1, {
      recovery: { errnos: ["ENOENT"], steps: [numbered(2)], next: "retry", rare: true },
    }),
    step("using", call("close", fdOperand(slot("look", 8)))),
  ];
  const encoded = encodeBatch(steps, new Map());
  const answer = runBatch(encoded.bytes, (called) =>
    called === numbers.getpid ? BigInt(-ENOENT) : 16n,
  );
  answer[present(encoded.lines[0], "the first").outputOffset + 8] = 77;
  const { interrupted, outputs } = readAnswer(encoded, answer);
  assert.is(interrupted?.at, 1);
  assert.is(outputs.get("look")?.[8], 77);
  const rest = encodeRest(encoded, { from: 1, answer, known: new Map() });
  const closed: bigint[] = [];
  const end = runBatch(rest.bytes, (called, [fd = 0n]) => {
    if (called === syscallNumber("close")) closed.push(fd);
    return fd === -1n ? BigInt(-errnos.EBADF) : 1n;
  });
  assert.equal(closed, [-1n, 77n]);
  assert.is(readAnswer(rest, end).outputs.get("look")?.[8], 77);
});

test("encodeBatch() lets several errnos through, and the answer refuses the others", () => {
  const recovery = ignore("ENOENT", "EEXIST");
  const steps = [numbered(1, { recovery }), numbered(2)];
  assert.equal(trace(same(steps, failing(1, EEXIST))), [1, 2]);
  assert.is(encodeAndRun(steps, failing(1, EPERM)).fault, "step 1 EPERM");
});

test("encodeBatch() puts the results of earlier batches in as numbers", () => {
  const steps = [step("closing", close(slot("old")))];
  const seen: bigint[] = [];
  runBatch(encodeBatch(steps, new Map([["old", 42]])).bytes, (_, [fd = 0n]) => {
    seen.push(fd);
    return 0n;
  });
  assert.equal(seen, [42n]);
  assert.throws(() => encodeBatch(steps, new Map()), /old is missing/);
});

test("encodeBatch() prefers the result of the same batch to that of an earlier one", () => {
  const steps = [step("asking", getpid(), { slot: "a" }), step("closing", close(slot("a")))];
  const seen: bigint[] = [];
  runBatch(encodeBatch(steps, new Map([["a", 1]])).bytes, (_, [fd = 0n]) => {
    seen.push(fd);
    return 5n;
  });
  assert.equal(seen, [0n, 5n]);
});

test("encodeBatch() gives each output a place of its own in the answer, which later calls can use", () => {
  const output = slot("second", 8);
  const steps = [
    step("first", read(0, 13), { slot: "first" }),
    step("second", statx(-100, "/x"), { slot: "second" }),
    step("third", call("close", fdOperand(output))),
  ];
  const encoded = encodeBatch(steps, new Map());
  const places = encoded.lines.map(({ outputOffset }) => outputOffset);
  const start = header.sizeBytes + 8 * 3;
  assert.equal(places, [start, start + 16, 0]);
  assert.is(encoded.answerBytes, start + 16 + 256);
  const addresses: bigint[] = [];
  runBatch(encoded.bytes, (called, operands) => {
    if (called === syscallNumber("close")) addresses.push(operands[0] ?? -1n);
    if (called === syscallNumber("read")) addresses.push(operands[1] ?? 0n);
    if (called === syscallNumber("statx")) {
      assert.is(textAt(encoded.bytes, operands[1] ?? 0n), "/x");
      addresses.push(operands[4] ?? 0n);
    }
    return 1n;
  });
  assert.equal(addresses, [BigInt(areaAddress + start), BigInt(areaAddress + start + 16), 0n]);
});

test("encodeBatch() says how large everything is, and what has not been executed", () => {
  const encoded = encodeBatch([numbered(1), numbered(2)], new Map());
  const bytes = Buffer.from(encoded.bytes);
  assert.is(bytes.readUInt32LE(header.count), 2);
  assert.is(bytes.readUInt32LE(header.answerBytes), encoded.answerBytes);
  assert.is(bytes.readUInt32LE(header.totalBytes), bytes.length);
  assert.is(bytes.readBigInt64LE(header.sizeBytes + 8), BigInt(notExecuted));
  const first = encoded.answerBytes;
  assert.is(bytes.readUInt32LE(first + record.onError), endOfBatch);
  assert.is(bytes.readUInt32LE(first + record.onZero), 1);
  assert.is(bytes.length % 8, 0);
});

test("encodeBatch() has every address where its operand is, however often the area has grown", () => {
  const paths = Array.from({ length: 400 }, (_, index) => `/${String(index).padStart(200, "x")}`);
  const { bytes } = encodeBatch(
    paths.map((path) => step("going there", chdir(path))),
    new Map(),
  );
  const seen: string[] = [];
  runBatch(bytes, (_, [address = 0n]) => {
    const at = Number(address) - areaAddress;
    seen.push(Buffer.from(bytes.subarray(at, bytes.indexOf(0, at))).toString());
    return 0n;
  });
  assert.equal(seen, paths);
});

test("encodeBatch() can place the answer itself as an operand", () => {
  const steps = [
    step("telling", call("write", number(3), answerOperand("address"), answerOperand("length"))),
  ];
  const encoded = encodeBatch(steps, new Map());
  const seen: bigint[] = [];
  runBatch(encoded.bytes, (_, operands) => {
    seen.push(...operands.slice(0, 3));
    return 1n;
  });
  assert.equal(seen, [3n, BigInt(areaAddress), BigInt(encoded.answerBytes)]);
});

test("encodeBatch() refuses more records or more bytes than the stub takes, and takes many", () => {
  const refuses = (steps: readonly Step[]): void =>
    assert.throws(
      () => encodeBatch(steps, new Map()),
      (error: unknown) =>
        error instanceof FaultError &&
        error.fault.kind === "refused" &&
        /more than init takes/.test(error.fault.message),
    );
  const one = numbered(1);
  refuses(Array.from({ length: recordsMax + 1 }, () => one));
  refuses([step("writing", write(1, new Uint8Array(areaMaxBytes)))]);
  const binds = Array.from({ length: 25_000 }, () =>
    step("opening", openat(-100, "/a", { flags: 0 })),
  );
  assert.is(encodeBatch(binds, new Map()).lines.length, 25_000);
});

test.run();
