// The init stub for x86-64, instruction by instruction; what a batch is made of stands in ../layout.ts.
//
//   nextBatch   receive a header, check it, map a fresh area, receive the rest into it
//   advance     go to a record, or to the answer when there is none
//   execute     fetch the operands, make the call, store the result, choose the next record
//   answer      send the first bytes of the area back
//   transfer    the subroutine that reads or writes until all is done
//   exit        the end of a stub without a runtime, or with one that makes no sense
//
// What the registers hold; a system call overwrites only rax, rcx and r11:
//   r12  address of the area     r15  count          rbx  index of the current record
//   rbp  totalBytes              r13  answerBytes    r14  address of the current record
// and in `transfer`: rbx the call, r14 the address of the next byte, r9 how many bytes are left.

import { errnoMax, errnos } from "../../abi/errno.ts";
import { syscallNumberOn } from "../../abi/syscall-numbers.ts";
import { areaAddress, areaMaxBytes, header, record, recordsMax, resultBytes } from "../layout.ts";
import type { Line } from "./assembler.ts";
import * as shared from "./frame.ts";
import * as x86 from "./x86_64-instructions.ts";

const { add, bt, call, cmove, cmp, dec, imul, lea, memory, mov, movLabelled } = x86;
const { movupsLoad, movupsStore, ret, sub, syscall, test, ud2, xor } = x86;
const { ja, jae, jb, je, jle, jmp, jne, jns } = x86;
const { frame } = shared;

const number = {
  read: syscallNumberOn("x86_64", "read"),
  write: syscallNumberOn("x86_64", "write"),
  ppoll: syscallNumberOn("x86_64", "ppoll"),
  mmap: syscallNumberOn("x86_64", "mmap"),
  munmap: syscallNumberOn("x86_64", "munmap"),
  exit_group: syscallNumberOn("x86_64", "exit_group"),
};
/** Where the result of the current record goes. */
const result = memory("r12", header.sizeBytes, "rbx");
const headerField = (offset: number): x86.Memory => memory("rsp", frame.header + offset);

/** The stub's code. The word at the label `doorbell`, the descriptor number, follows it. */
export const x86_64Stub: readonly Line[] = [
  "entry:",
  [sub("rsp", frame.sizeBytes), "all the stack there is, but for one return address"],
  [mov("r12d", areaAddress), "the address that all pointers in batches are made for"],

  "nextBatch:",
  [mov("ebx", number.read), "transfer is to read"],
  [mov(memory("rsp", frame.pollfdEvents), shared.POLLIN), "and where it must wait, for input"],
  [lea("r14", headerField(0)), "onto the stack: there is no area for it yet"],
  [mov("r9d", header.sizeBytes), "the header and not a byte more"],
  [call("transfer"), "an idle stub waits in here"],

  // All that follows trusts these three, so they are checked first; with 64 bits no sum overflows.
  [mov("r15d", headerField(header.count)), "the upper half becomes 0, here and below"],
  [mov("r13d", headerField(header.answerBytes)), "kept in a register: records may err"],
  [mov("ebp", headerField(header.totalBytes)), "but never move the bounds"],
  [cmp("ebp", areaMaxBytes), "larger than what the next batch unmaps?"],
  [ja("exit"), "refuse"],
  [cmp("r15d", recordsMax), "more records than the layout allows?"],
  [ja("exit"), "refuse"],
  [lea("rax", { index: "r15", offset: header.sizeBytes }), "where the last result ends"],
  [cmp("r13", "rax"), "records that results would overwrite?"],
  [jb("exit"), "refuse"],
  [imul("rax", "r15", record.sizeBytes), "how long the records are"],
  [add("rax", "r13"), "and where they end"],
  [cmp("rax", "rbp"), "records that lie behind the batch?"],
  [ja("exit"), "refuse"],
  [test("r13d", resultBytes - 1), "records that are not aligned?"],
  [jne("exit"), "refuse"],

  // A fresh area: nothing of an earlier batch is left, and a small batch after a large one is small.
  [mov("eax", number.munmap), "give the memory of the last batch back"],
  [mov("rdi", "r12"), "from where it began"],
  [mov("esi", areaMaxBytes), "as far as any batch can reach"],
  [syscall, "a failure does no harm: bounds hold, mmap replaces"],
  [mov("eax", number.mmap), "rdi still is the address of the area"],
  [mov("esi", "ebp"), "exactly this batch"],
  [mov("edx", shared.PROT_READ_WRITE), "never executable"],
  [mov("r10d", shared.MAP_PRIVATE_FIXED_ANONYMOUS), "private: nobody else can change records"],
  [mov("r8", -1), "no file"],
  [xor("r9d", "r9d"), "and no offset in it"],
  [syscall, "may fail for want of memory"],
  [cmp("rax", "r12"), "did it?"],
  [jne("exit"), "there is no place to put the batch"],
  [movupsLoad(headerField(0)), "the header, all 16 bytes"],
  [movupsStore(memory("r12", 0)), "as the answer begins with it"],
  [lea("r14", memory("r12", header.sizeBytes)), "the rest goes behind it"],
  [lea("r9", memory("rbp", -header.sizeBytes)), "can be empty"],
  [call("transfer"), "rbx still says read"],
  [xor("ecx", "ecx"), "the first record is next"],

  // ecx is the record to go to. Beyond count, the current record ends the batch and stays in rbx.
  "advance:",
  [cmp("ecx", "r15d"), "is there such a record?"],
  [ja("answer"), "no: ended by the current one"],
  [mov("ebx", "ecx"), "flags stay as they are"],
  [je("answer"), "no: the end was reached, stopped is count"],

  "execute:",
  [imul("r14", "rbx", record.sizeBytes), "offset among the records"],
  [add("r14", "r13"), "which begin where the answer ends"],
  [add("r14", "r12"), "as an address"],
  [mov("ecx", shared.operandCount - 1), "from the last operand to the first"],
  "operand:",
  [mov("rax", memory("r14", record.operands, "rcx")), "the operand as written"],
  [bt(memory("r14", record.indirect), "ecx"), "is it an offset of the value?"],
  [jae("fetched"), "no: it is the value"],
  [lea("rdx", memory("rbp", -resultBytes)), "the last offset at which 8 bytes fit"],
  [cmp("rax", "rdx"), "unsigned, so that nothing lies below 0"],
  [ja("exit"), "a corrupt batch: do not go on"],
  [mov("rax", memory("rax", areaAddress)), "for instance the result of an earlier record"],
  [cmp("rax", -errnoMax), "which may have failed"],
  [jae("failedOperand"), "-100 is an errno, and AT_FDCWD: never use it"],
  "fetched:",
  [mov(memory("rsp", frame.operands, "rcx"), "rax"), "aside: the record stays as it is"],
  [dec("ecx"), "the one before it"],
  [jns("operand"), "until operand 0 is done"],
  [mov("eax", memory("r14", record.number)), "the call"],
  [mov("rdi", memory("rsp", frame.operands)), "operands where the kernel wants them"],
  [mov("rsi", memory("rsp", frame.operands + 8)), "the second"],
  [mov("rdx", memory("rsp", frame.operands + 16)), "the third"],
  [mov("r10", memory("rsp", frame.operands + 24)), "not rcx: syscall puts rip there"],
  [mov("r8", memory("rsp", frame.operands + 32)), "the fifth"],
  [mov("r9", memory("rsp", frame.operands + 40)), "the sixth"],
  [syscall, "after a clone, two go on from here"],
  [mov(result, "rax"), "each of the two in memory of its own"],
  [cmp("rax", -errnoMax), "-4095 to -1 are errnos"],
  [jae("failed"), "everything else is success"],
  [lea("ecx", memory("rbx", 1)), "the next record follows"],
  [test("rax", "rax"), "unless this is 0, as for the child of a clone"],
  [cmove("ecx", memory("r14", record.onZero)), "which has a place of its own"],
  [jmp("advance"), "onwards, or back"],
  "failed:",
  [mov("ecx", memory("r14", record.onError)), "where to go on error"],
  [mov("edx", memory("r14", record.errno)), "on this error only"],
  [test("edx", "edx"), "or on any?"],
  [je("advance"), "on any"],
  [add("edx", "eax"), "the errno and the negated errno make 0"],
  [je("advance"), "the expected error"],
  "failedOperand:",
  [mov(result, "rax"), "a failed call has stored it already"],

  "answer:",
  [mov(memory("r12", header.stopped), "ebx"), "who ended it"],
  [mov("ebx", number.write), "transfer is to write"],
  [mov(memory("rsp", frame.pollfdEvents), shared.POLLOUT), "and where it must wait, for room"],
  [mov("r14", "r12"), "from the header on"],
  [mov("r9", "r13"), "results and outputs, but no records"],
  [call("transfer"), "does not return when nobody is there"],
  [jmp("nextBatch"), "until the doorbell is closed"],

  // The doorbell may be non-blocking: its other descriptors share that flag, and need not be ours.
  "wait:",
  [mov(memory("rsp", 8 + frame.pollfd), "edi"), "the frame lies behind our return address"],
  [lea("rdi", memory("rsp", 8 + frame.pollfd)), "with the events that were set before"],
  [mov("esi", 1), "one descriptor"],
  [xor("edx", "edx"), "for as long as it takes"],
  [xor("r10d", "r10d"), "with the signal mask as it is"],
  [mov("eax", number.ppoll), "not poll, which arm64 lacks"],
  [syscall, "whatever comes out, the next try tells"],
  "transfer:",
  [test("r9", "r9"), "all done?"],
  [je("transferred"), "also when there was nothing to do"],
  [mov("eax", "ebx"), "read or write"],
  [movLabelled("edi", "doorbell"), "set in the image before it was started"],
  [mov("rsi", "r14"), "the next byte"],
  [mov("rdx", "r9"), "as many as are left; often it is fewer"],
  [syscall, "a signal can interrupt it"],
  [cmp("eax", -errnos.EINTR), "did one, before any byte?"],
  [je("transfer"), "again"],
  [cmp("eax", -errnos.EAGAIN), "would it block?"],
  [je("wait"), "until it would not"],
  [test("rax", "rax"), "the end of the file, or an error?"],
  [jle("exit"), "the runtime is gone, or this is no socket"],
  [add("r14", "rax"), "behind what is done"],
  [sub("r9", "rax"), "and what is left"],
  [jmp("transfer"), "go on"],
  "transferred:",
  [ret, "to the one of three places that called"],

  "exit:",
  [mov("eax", number.exit_group), "also as a signal handler, by StubImage.exitAddress"],
  [mov("edi", shared.exitStatus), "nothing that a program could have returned"],
  [syscall, "a filter of the container may deny even this"],
  [ud2, "SIGILL cannot be ignored"],
  [jmp("exit"), "but handled"],

  // The four bytes of the descriptor number.
  "doorbell:",
];
