// Constants of seccomp(2) and of the classic BPF that its filters are written in; not libseccomp's own.

export const seccompOperations = {
  SECCOMP_SET_MODE_FILTER: 1,
  SECCOMP_GET_ACTION_AVAIL: 2,
} as const;

export const seccompFilterFlags = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_NEW_LISTENER: 8,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
} as const;

/** What a filter returns; the low 16 bits are the action's data. */
export const seccompReturns = {
  SECCOMP_RET_KILL_PROCESS: 0x8000_0000,
  SECCOMP_RET_KILL_THREAD: 0,
  SECCOMP_RET_TRAP: 0x0003_0000,
  SECCOMP_RET_ERRNO: 0x0005_0000,
  SECCOMP_RET_USER_NOTIF: 0x7fc0_0000,
  SECCOMP_RET_TRACE: 0x7ff0_0000,
  SECCOMP_RET_LOG: 0x7ffc_0000,
  SECCOMP_RET_ALLOW: 0x7fff_0000,
} as const;

/** Offsets in `struct seccomp_data`, which a filter looks at in words of 32 bits. */
export const seccompData = { nr: 0, arch: 4, instruction_pointer: 8, args: 16 } as const;

/** The architectures that the kernel knows a call by. */
export const auditArchitectures = {
  AUDIT_ARCH_I386: 0x4000_0003,
  AUDIT_ARCH_X86_64: 0xc000_003e,
  AUDIT_ARCH_ARM: 0x4000_0028,
  AUDIT_ARCH_AARCH64: 0xc000_00b7,
  AUDIT_ARCH_LOONGARCH64: 0xc000_0102,
  AUDIT_ARCH_M68K: 4,
  AUDIT_ARCH_MIPS: 8,
  AUDIT_ARCH_MIPSEL: 0x4000_0008,
  AUDIT_ARCH_MIPS64: 0x8000_0008,
  AUDIT_ARCH_MIPS64N32: 0xa000_0008,
  AUDIT_ARCH_MIPSEL64: 0xc000_0008,
  AUDIT_ARCH_MIPSEL64N32: 0xe000_0008,
  AUDIT_ARCH_PARISC: 15,
  AUDIT_ARCH_PARISC64: 0x8000_000f,
  AUDIT_ARCH_PPC: 20,
  AUDIT_ARCH_PPC64: 0x8000_0015,
  AUDIT_ARCH_PPC64LE: 0xc000_0015,
  AUDIT_ARCH_RISCV64: 0xc000_00f3,
  AUDIT_ARCH_S390: 22,
  AUDIT_ARCH_S390X: 0x8000_0016,
  AUDIT_ARCH_SH: 42,
  AUDIT_ARCH_SHEL: 0x4000_002a,
} as const;

/** Set in the number of a call of the x32 ABI, whose architecture is that of x86-64. */
export const X32_SYSCALL_BIT = 0x4000_0000;

/** The codes of a filter's instructions that are written or read here, each with class, operation and operand. */
export const classicBpf = {
  /** `A = the word at k` */
  LD_ABS: 0x20,
  LD_IMM: 0x00,
  LDX_IMM: 0x01,
  LD_MEM: 0x60,
  LDX_MEM: 0x61,
  LD_LEN: 0x80,
  LDX_LEN: 0x81,
  ST: 0x02,
  STX: 0x03,
  JA: 0x05,
  JEQ: 0x15,
  JGT: 0x25,
  JGE: 0x35,
  JSET: 0x45,
  AND: 0x54,
  RET_K: 0x06,
  RET_A: 0x16,
  TAX: 0x07,
  TXA: 0x87,
} as const;

/** The arithmetic that only programs of others use; `AND` is above. */
export const classicBpfAlu = {
  ADD: 0x04,
  SUB: 0x14,
  MUL: 0x24,
  DIV: 0x34,
  OR: 0x44,
  LSH: 0x64,
  RSH: 0x74,
  NEG: 0x84,
  XOR: 0xa4,
} as const;

/** Bytes of one `struct sock_filter`. */
export const classicBpfInstructionBytes = 8;

/** The most instructions that the kernel takes, BPF_MAXINSNS. */
export const classicBpfMaxInstructions = 4096;
