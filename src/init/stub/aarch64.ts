// The init stub for arm64, instruction by instruction; what a batch is made of stands in ../layout.ts.
//
// The labels, and what stands between them, are those of x86_64.ts: read the two side by side.
//
// What the registers hold; a system call overwrites only x0:
//   x19  address of the area     w24  count          w20  index of the current record
//   x26  totalBytes              x25  answerBytes    x22  address of the current record
//   x27  size of a record                            x28  8 * index behind the area's address
// and in `transfer`: w20 the call, w21 the event to wait for, x22 the address of the next byte,
// x23 how many bytes are left.

import { errnoMax, errnos } from "../../abi/errno.ts";
import { syscallNumberOn } from "../../abi/syscall-numbers.ts";
import { areaAddress, areaMaxBytes, header, record, recordsMax, resultBytes } from "../layout.ts";
import * as arm from "./aarch64-instructions.ts";
import type { Line } from "./assembler.ts";
import * as shared from "./frame.ts";

const { add, brk, cmn, cmp, indexed, ldp, ldr, ldrLabelled, lsr, madd, memory, mov } = arm;
const { ret, stp, str, sub, subs, svc, tst } = arm;
const { b, beq, bhi, bhs, bl, ble, blo, bne, bpl, cbz, tbz0 } = arm;
const { frame } = shared;

const number = {
  read: syscallNumberOn("aarch64", "read"),
  write: syscallNumberOn("aarch64", "write"),
  ppoll: syscallNumberOn("aarch64", "ppoll"),
  mmap: syscallNumberOn("aarch64", "mmap"),
  munmap: syscallNumberOn("aarch64", "munmap"),
  exit_group: syscallNumberOn("aarch64", "exit_group"),
};
/** Where the result of the current record goes. */
const result = memory("x28", header.sizeBytes);
const headerField = (offset: number): arm.Memory => memory("sp", frame.header + offset);
const times8 = (register: arm.Register) => ({ register, shift: 3 }) as const;
const once = (register: arm.Register) => ({ register, shift: 0 }) as const;

/** The stub's code. The word at the label `doorbell`, the descriptor number, follows it. */
export const aarch64Stub: readonly Line[] = [
  "entry:",
  [sub("sp", "sp", frame.sizeBytes), "all the stack there is"],
  [mov("x19", areaAddress), "the address that all pointers in batches are made for"],
  [mov("x27", record.sizeBytes), "madd takes no numbers"],

  "nextBatch:",
  [mov("w20", number.read), "transfer is to read"],
  [mov("w21", shared.POLLIN), "and where it must wait, for input"],
  [add("x22", "sp", frame.header), "onto the stack: there is no area for it yet"],
  [mov("x23", header.sizeBytes), "the header and not a byte more"],
  [bl("transfer"), "an idle stub waits in here"],

  // All that follows trusts these three, so they are checked first; with 64 bits no sum overflows.
  [ldp(["w24", "w25"], headerField(header.count)), "count and answerBytes, upper halves 0"],
  [ldr("w26", headerField(header.totalBytes)), "registers: records that err cannot move bounds"],
  [mov("x1", areaMaxBytes), "for munmap too"],
  [cmp("x26", "x1"), "larger than what the next batch unmaps?"],
  [bhi("exit"), "refuse"],
  [cmp("w24", recordsMax), "more records than the layout allows?"],
  [bhi("exit"), "refuse"],
  [mov("x9", header.sizeBytes), "where results begin"],
  [add("x9", "x9", times8("x24")), "where the last result ends"],
  [cmp("x25", "x9"), "records that results would overwrite?"],
  [blo("exit"), "refuse"],
  [madd("x9", "x24", { factor: "x27", addend: "x25" }), "where the records end"],
  [cmp("x9", "x26"), "records that lie behind the batch?"],
  [bhi("exit"), "refuse"],
  [tst("w25", resultBytes - 1), "records that are not aligned?"],
  [bne("exit"), "refuse"],

  // A fresh area: nothing of an earlier batch is left, and a small batch after a large one is small.
  [mov("x8", number.munmap), "give the memory of the last batch back"],
  [mov("x0", "x19"), "from where it began, x1 bytes: as far as any batch can reach"],
  [svc, "a failure does no harm: bounds hold, mmap replaces"],
  [mov("x8", number.mmap), "in its place"],
  [mov("x0", "x19"), "at the same address"],
  [mov("x1", "x26"), "exactly this batch"],
  [mov("x2", shared.PROT_READ_WRITE), "never executable"],
  [mov("x3", shared.MAP_PRIVATE_FIXED_ANONYMOUS), "private: nobody else can change records"],
  [mov("x4", -1), "no file"],
  [mov("x5", 0), "and no offset in it"],
  [svc, "may fail for want of memory"],
  [cmp("x0", "x19"), "did it?"],
  [bne("exit"), "there is no place to put the batch"],
  [ldp(["x9", "x10"], headerField(0)), "the header, all 16 bytes"],
  [stp(["x9", "x10"], memory("x19", 0)), "as the answer begins with it"],
  [add("x22", "x19", header.sizeBytes), "the rest goes behind it"],
  [sub("x23", "x26", header.sizeBytes), "can be empty"],
  [bl("transfer"), "w20 still says read"],
  [mov("w9", 0), "the first record is next"],

  // w9 is the record to go to. Beyond count, the current record ends the batch and stays in w20.
  "advance:",
  [cmp("w9", "w24"), "is there such a record?"],
  [bhi("answer"), "no: ended by the current one"],
  [mov("w20", "w9"), "flags stay as they are"],
  [beq("answer"), "no: the end was reached, stopped is count"],

  "execute:",
  [madd("x22", "x20", { factor: "x27", addend: "x25" }), "records begin where the answer ends"],
  [add("x22", "x22", once("x19")), "as an address"],
  [add("x28", "x19", times8("x20")), "and where the result will go"],
  [ldr("w10", memory("x22", record.indirect)), "which operands are offsets of the value"],
  [add("x11", "x22", record.operands), "ldr takes an index or an offset, not both"],
  [mov("w9", shared.operandCount - 1), "from the last operand to the first"],
  "operand:",
  [ldr("x0", indexed("x11", "x9", 3)), "the operand as written"],
  [lsr("w12", "w10", "w9"), "its bit becomes the lowest"],
  [tbz0("w12", "fetched"), "it is the value itself"],
  [sub("x12", "x26", resultBytes), "the last offset at which 8 bytes fit"],
  [cmp("x0", "x12"), "unsigned, so that nothing lies below 0"],
  [bhi("exit"), "a corrupt batch: do not go on"],
  [ldr("x0", indexed("x19", "x0", 0)), "for instance the result of an earlier record"],
  [cmn("x0", errnoMax), "which may have failed"],
  [bhs("failedOperand"), "-100 is an errno, and AT_FDCWD: never use it"],
  "fetched:",
  [str("x0", indexed("sp", "x9", 3)), "aside: the record stays as it is"],
  [subs("w9", "w9", 1), "the one before it"],
  [bpl("operand"), "until operand 0 is done"],
  [ldr("w8", memory("x22", record.number)), "the call"],
  [ldp(["x0", "x1"], memory("sp", frame.operands)), "operands where the kernel wants them"],
  [ldp(["x2", "x3"], memory("sp", frame.operands + 16)), "the third and the fourth"],
  [ldp(["x4", "x5"], memory("sp", frame.operands + 32)), "the fifth and the sixth"],
  [svc, "after a clone, two go on from here"],
  [str("x0", result), "each of the two in memory of its own"],
  [cmn("x0", errnoMax), "-4095 to -1 are errnos"],
  [bhs("failed"), "everything else is success"],
  [ldr("w9", memory("x22", record.onZero)), "the child of a clone has a place of its own"],
  [cbz("x0", "advance"), "for it, the result is 0"],
  [add("w9", "w20", 1), "for all others the next record follows"],
  [b("advance"), "onwards, or back"],
  "failed:",
  [ldr("w9", memory("x22", record.onError)), "where to go on error"],
  [ldr("w10", memory("x22", record.errno)), "on this error only"],
  [cbz("w10", "advance"), "or on any"],
  [cmn("w10", "w0"), "the errno and the negated errno make 0"],
  [beq("advance"), "the expected error"],
  "failedOperand:",
  [str("x0", result), "a failed call has stored it already"],

  "answer:",
  [str("w20", memory("x19", header.stopped)), "who ended it"],
  [mov("w20", number.write), "transfer is to write"],
  [mov("w21", shared.POLLOUT), "and where it must wait, for room"],
  [mov("x22", "x19"), "from the header on"],
  [mov("x23", "x25"), "results and outputs, but no records"],
  [bl("transfer"), "does not return when nobody is there"],
  [b("nextBatch"), "until the doorbell is closed"],

  // The doorbell may be non-blocking: its other descriptors share that flag, and need not be ours.
  "wait:",
  [ldrLabelled("w9", "doorbell"), "x0 holds the error by now"],
  [stp(["w9", "w21"], memory("sp", frame.pollfd)), "descriptor and event"],
  [add("x0", "sp", frame.pollfd), "ppoll wants a pointer"],
  [mov("x1", 1), "one descriptor"],
  [mov("x2", 0), "for as long as it takes"],
  [mov("x3", 0), "with the signal mask as it is"],
  [mov("x8", number.ppoll), "there is no poll on arm64"],
  [svc, "whatever comes out, the next try tells"],
  "transfer:",
  [cbz("x23", "transferred"), "all done, also when there was nothing to do"],
  [mov("w8", "w20"), "read or write"],
  [ldrLabelled("w0", "doorbell"), "set in the image before it was started"],
  [mov("x1", "x22"), "the next byte"],
  [mov("x2", "x23"), "as many as are left; often it is fewer"],
  [svc, "a signal can interrupt it"],
  [cmn("w0", errnos.EINTR), "did one, before any byte?"],
  [beq("transfer"), "again"],
  [cmn("w0", errnos.EAGAIN), "would it block?"],
  [beq("wait"), "until it would not"],
  [cmp("x0", 0), "the end of the file, or an error?"],
  [ble("exit"), "the runtime is gone, or this is no socket"],
  [add("x22", "x22", once("x0")), "behind what is done"],
  [sub("x23", "x23", "x0"), "and what is left"],
  [b("transfer"), "go on"],
  "transferred:",
  [ret, "to the one of three places that called"],

  "exit:",
  [mov("x8", number.exit_group), "also as a signal handler, by StubImage.exitAddress"],
  [mov("x0", shared.exitStatus), "nothing that a program could have returned"],
  [svc, "a filter of the container may deny even this"],
  [brk, "SIGTRAP, forced: it cannot be ignored"],
  [b("exit"), "but handled"],

  // The four bytes of the descriptor number.
  "doorbell:",
];
