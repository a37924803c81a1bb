// run.oci.seccomp_bpf_data: a filter that the config brings along instead of a profile, beside crun. Needs root.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { architecture } from "../../src/abi/architecture.ts";
import { classicBpf, seccompReturns } from "../../src/abi/seccomp.ts";
import { syscallNumber } from "../../src/abi/syscall-numbers.ts";
import { hasCrun, runCrun } from "../support/crun.ts";
import { openRoom, type Room, statusField } from "../support/room.ts";
import { deny } from "../support/seccomp-profile.ts";

const test = suite("kernel/seccomp-raw");
const room = openRoom("seccomp-raw");
if (!hasCrun) console.log("skip: beside crun: it is not installed");

type Instruction = readonly [code: number, jt: number, jf: number, k: number];

const { LD_ABS, JEQ, JA, LD_MEM, RET_K, LD_IMM } = classicBpf;
const { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO } = seccompReturns;
const allow: Instruction = [RET_K, 0, 0, SECCOMP_RET_ALLOW];

function encode(...instructions: readonly Instruction[]): string {
  const view = new DataView(new ArrayBuffer(instructions.length * 8));
  instructions.forEach(([code, jt, jf, k], index) => {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jt);
    view.setUint8(index * 8 + 3, jf);
    view.setUint32(index * 8 + 4, k, true);
  });
  return new Uint8Array(view.buffer).toBase64();
}

/** Answers a call with an error, and lets the others through. */
function denies(call: number, errno: number): string {
  return encode(
    [LD_ABS, 0, 0, 0],
    [JEQ, 0, 1, call],
    [RET_K, 0, 0, SECCOMP_RET_ERRNO + errno],
    allow,
  );
}

const look = "grep ^Seccomp /proc/self/status; mkdir /tmp/made; echo $?";
const eXdev = 18;
/** The number of the call that mkdir(1) makes. */
const mkdir = architecture === "x86_64" ? 83 : 34;

function bundleWith(text: string, change: Parameters<Room["makeBundle"]>[0] = {}): string {
  const annotations = { "run.oci.seccomp_bpf_data": text };
  const process = { args: ["sh", "-c", `{ ${look}; } 2>&1`], noNewPrivileges: true };
  const { directory } = room.makeBundle({
    annotations,
    ...change,
    process: { ...process, ...change.process },
  });
  return directory;
}

/** Runs the bundle with both, which have to agree on status and output. */
function runBeside(bundle: string): { readonly status: number; readonly stdout: string } {
  const ours = room.tsRunc(["run", "-b", bundle, room.newId()]);
  if (hasCrun) {
    const theirs = runCrun(room, "run", "-b", bundle, room.newId());
    assert.is(ours.status, theirs.status, `${ours.stderr}${theirs.stderr}`);
    assert.is(ours.stdout, theirs.stdout);
  }
  return ours;
}

const denied =
  "Seccomp:\t2\nSeccomp_filters:\t1\nmkdir: can't create directory '/tmp/made': Invalid cross-device link\n1\n";

test("the filter is loaded as by crun, without and with a profile, whose calls do not count then", () => {
  const filter = denies(mkdir, eXdev);
  for (const linux of [{}, { seccomp: deny("SCMP_ACT_ERRNO", 44) }]) {
    for (const noNewPrivileges of [true, false]) {
      const bundle = bundleWith(filter, { linux, process: { noNewPrivileges } });
      const { status, stdout } = runBeside(bundle);
      assert.is(status, 0);
      assert.is(stdout, denied);
    }
  }
});

test("a created, a started and another process have it", () => {
  const bundle = bundleWith(denies(mkdir, eXdev), { process: { args: ["sleep", "1000"] } });
  const id = room.newId();
  const made = room.tsRunc(["create", "-b", bundle, id]);
  assert.is(made.status, 0, made.stderr);
  const { pid = 0 } = room.state(id) ?? {};
  assert.is(statusField(pid, "Seccomp"), "2");
  assert.is(room.tsRunc(["start", id]).status, 0);
  assert.is(statusField(pid, "Seccomp_filters"), "1");
  assert.is(room.tsRunc(["exec", id, "sh", "-c", `{ ${look}; } 2>&1`]).stdout, denied);
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
});

test("one that forbids what init does while it waits is loaded by start", () => {
  const bundle = bundleWith(denies(syscallNumber("accept4"), 1), {
    process: { args: ["sleep", "1000"] },
  });
  const id = room.newId();
  assert.is(room.tsRunc(["create", "-b", bundle, id]).status, 0);
  const { pid = 0 } = room.state(id) ?? {};
  assert.is(statusField(pid, "Seccomp"), "0");
  assert.is(room.tsRunc(["start", id]).status, 0);
  assert.is(statusField(pid, "Seccomp"), "2");
  assert.is(room.tsRunc(["delete", "--force", id]).status, 0);
});

test("flags are the profile's", () => {
  const flags = (list: readonly string[]): string => {
    const seccomp = { ...deny("SCMP_ACT_ERRNO"), flags: list };
    const process = { args: ["grep", "Speculation_Store_Bypass", "/proc/self/status"] };
    return runBeside(bundleWith(encode(allow), { linux: { seccomp }, process })).stdout;
  };
  // Without a word about flags the filter does not slow the processor down.
  const none = runBeside(
    bundleWith(encode(allow), {
      process: { args: ["grep", "Speculation_Store_Bypass", "/proc/self/status"] },
    }),
  ).stdout;
  assert.is(flags(["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]), none);
  assert.match(flags(["SECCOMP_FILTER_FLAG_LOG"]), /Speculation_Store_Bypass/);
});

test("4096 instructions are taken as by crun", () => {
  const many = Array.from({ length: 4095 }, (): Instruction => [LD_IMM, 0, 0, 7]);
  const process = { args: ["grep", "^Seccomp:", "/proc/self/status"] };
  assert.is(runBeside(bundleWith(encode(...many, allow), { process })).stdout, "Seccomp:\t2\n");
});

const four097 = Array.from({ length: 4097 }, () => allow);
const wrong: readonly (readonly [name: string, text: string, error: RegExp])[] = [
  ["nothing", "", /must be 1 to 4096 instructions of BPF of 8 bytes, got 0 bytes/],
  ["no base64", "!!!!", /must be the base64 of at most 4096 instructions of BPF, got "!!!!"/],
  ["base64 that is cut", "AAA", /must be the base64/],
  ["half an instruction", "AAAAAA==", /got 4 bytes/],
  ["too many instructions", encode(...four097), /must be the base64 of at most 4096/],
  ["an unknown code", encode([0xff, 0, 0, 0], allow), /instruction 0 of 2 has the code 0xff/],
  ["a load beyond the data", encode([LD_ABS, 0, 0, 64], allow), /loads a word at 64/],
  ["a load of half words", encode([LD_ABS, 0, 0, 2], allow), /loads a word at 2/],
  ["a jump out", encode([JA, 0, 0, 1], allow), /instruction 0 of 2 jumps over 1 .* and 1 follow/],
  ["a conditional jump out", encode([JEQ, 0, 1, 1], allow), /jumps over 1/],
  ["a jump at the end", encode(allow, [JA, 0, 0, 0]), /jumps over 0 instructions, and 0 follow/],
  ["no return", encode(allow, [LD_IMM, 0, 0, 0]), /instruction 1 of 2 is the last one/],
  ["memory beyond its end", encode([LD_MEM, 0, 0, 16], allow), /uses word 16 of its memory/],
  ["memory that was not written", encode([LD_MEM, 0, 0, 1], allow), /loading the seccomp filter/],
  ["a division by 0", encode([0x34, 0, 0, 0], allow), /divides by 0/],
  ["a shift too far", encode([0x64, 0, 0, 32], allow), /shifts by 32 bits/],
];

for (const [name, text, error] of wrong) {
  test(`${name} is refused with the annotation's name, and by crun`, () => {
    const bundle = bundleWith(text);
    const { status, stderr } = room.tsRunc(["create", "-b", bundle, room.newId()]);
    assert.is(status, 1);
    assert.match(stderr.replaceAll('\\"', '"'), error);
    assert.match(stderr, /run\.oci\.seccomp_bpf_data|seccomp: invalid argument/);
    if (hasCrun) assert.is(runCrun(room, "run", "-b", bundle, room.newId()).status, 1);
  });
}

test("nothing is left", async () => {
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
