// The binary layout of a batch, which the runtime writes and the init stub executes; not its meaning (program/) nor its making (batch.ts).
//
//   offset
//   0             header    u32 count         number of records
//                           u32 answerBytes   the first so many bytes of the area are the answer
//                           u32 totalBytes    size of the whole batch
//                           u32 stopped       set by the stub: index of the record that ended the batch, or count
//   16            results   i64 [count]       what each system call returned (-errno on failure)
//                 outputs   bytes             buffers that system calls fill, for instance statx
//   answerBytes   records   [count]           72 bytes each, below
//                 data      bytes             strings, structures, argument vectors
//   totalBytes
//
// A record:
//   0   u32 number      system call number of the stub's architecture
//   4   u32 indirect    bit i set: operand i is not the value but the offset in the area of the 8 bytes that hold it
//   8   u32 onError     index of the next record when the call failed
//   12  u32 onZero      index of the next record when the call returned 0 (the child of a clone, for instance)
//   16  u32 errno       0: every error goes to onError; otherwise only this one does, and any other error ends the batch
//   20  u32 reserved    0
//   24  u64 operand [6]
// After a positive result the next record follows. An index of `count` or more ends the batch.
//
// The stub maps the batch at the fixed address `areaAddress`, so operands that are pointers are absolute when they are written.
// It reads the header, refuses one that does not fit (exit 1), unmaps the area, maps a fresh one, reads the rest, executes,
// writes the first `answerBytes` bytes of the area back, and reads the next header. End of file means that the runtime is
// gone: it exits (1). An indirect offset outside the area also ends the process. A value fetched indirectly that lies in
// -4095..-1, the failed result of an earlier record, is never used: it becomes the result of the record, and the batch ends.

/** Where the stub maps a batch: below the kernel's mmap range and above the stub's own segment, on all architectures. */
export const areaAddress = 0x1000_0000;

/** The largest batch; the stub unmaps this much before it maps the next one. */
export const areaMaxBytes = 0x0400_0000;

/** The most records in a batch. Bounded so that count times record size cannot overflow 32 bits. */
export const recordsMax = 0x0008_0000;

export const header = {
  sizeBytes: 16,
  count: 0,
  answerBytes: 4,
  totalBytes: 8,
  stopped: 12,
} as const;

export const resultBytes = 8;

export const record = {
  sizeBytes: 72,
  number: 0,
  indirect: 4,
  onError: 8,
  onZero: 12,
  errno: 16,
  operands: 24,
} as const;

/** As `onError` or `onZero`: end the batch. Larger than any count. */
export const endOfBatch = 0xffff_ffff;

/** The descriptor of the stub's socket unless the caller's preserved descriptors need the number. */
export const defaultDoorbellFd = 3;
