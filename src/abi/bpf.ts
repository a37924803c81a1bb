// Constants and instruction encoding of bpf(2): only what a cgroup device program needs.

import type { StructLayout } from "./struct.ts";

export const bpfCommands = {
  BPF_PROG_LOAD: 5,
  BPF_PROG_ATTACH: 8,
  BPF_PROG_DETACH: 9,
  BPF_PROG_GET_FD_BY_ID: 13,
  BPF_PROG_QUERY: 16,
} as const;

export const BPF_PROG_TYPE_CGROUP_DEVICE = 15;
export const BPF_CGROUP_DEVICE = 6;
export const bpfAttachFlags = { BPF_F_ALLOW_MULTI: 2, BPF_F_REPLACE: 4 } as const;

/** Types and accesses in `struct bpf_cgroup_dev_ctx`; the access is in the upper half of `access_type`. */
export const bpfDevice = {
  BPF_DEVCG_DEV_BLOCK: 1,
  BPF_DEVCG_DEV_CHAR: 2,
  BPF_DEVCG_ACC_MKNOD: 1,
  BPF_DEVCG_ACC_READ: 2,
  BPF_DEVCG_ACC_WRITE: 4,
} as const;

/** Offsets in `struct bpf_cgroup_dev_ctx`, whose address is in r1 at entry. */
export const bpfDeviceContext = { access_type: 0, major: 4, minor: 8 } as const;

/** Operation codes, each with the class, the operation and where the second operand comes from. */
export const bpfCodes = {
  /** `wN = imm` and so on: 32-bit arithmetic with a constant. */
  MOV32_IMM: 0xb4,
  MOV32_REG: 0xbc,
  AND32_IMM: 0x54,
  RSH32_IMM: 0x74,
  /** `wN = *(u32 *)(rM + offset)` */
  LOAD32: 0x61,
  /** `if wN == imm goto`: 32-bit comparison with a constant (Linux 5.1). */
  JEQ32_IMM: 0x16,
  JNE32_IMM: 0x56,
  JSET32_IMM: 0x46,
  JA: 0x05,
  EXIT: 0x95,
} as const;

/** Bytes of one `struct bpf_insn`. */
export const bpfInstructionBytes = 8;

/** Jumps have a signed 16-bit offset. */
export const bpfJumpMax = 32767;

/** Members of `union bpf_attr` by command: the kernel takes the rest of the union as zero. */
export const bpfLoadAttribute: StructLayout = {
  name: "union bpf_attr",
  header: "linux/bpf.h",
  sizeBytes: 72,
  fields: {
    prog_type: { offset: 0, sizeBytes: 4 },
    insn_cnt: { offset: 4, sizeBytes: 4 },
    insns: { offset: 8, sizeBytes: 8 },
    license: { offset: 16, sizeBytes: 8 },
    log_level: { offset: 24, sizeBytes: 4 },
    log_size: { offset: 28, sizeBytes: 4 },
    log_buf: { offset: 32, sizeBytes: 8 },
  },
};

/** BPF_PROG_ATTACH and BPF_PROG_DETACH. */
export const bpfAttachAttribute: StructLayout = {
  name: "union bpf_attr",
  header: "linux/bpf.h",
  sizeBytes: 20,
  fields: {
    target_fd: { offset: 0, sizeBytes: 4 },
    attach_bpf_fd: { offset: 4, sizeBytes: 4 },
    attach_type: { offset: 8, sizeBytes: 4 },
    attach_flags: { offset: 12, sizeBytes: 4 },
    replace_bpf_fd: { offset: 16, sizeBytes: 4 },
  },
};

/** BPF_PROG_GET_FD_BY_ID. */
export const bpfProgramIdAttribute: StructLayout = {
  name: "union bpf_attr",
  header: "linux/bpf.h",
  sizeBytes: 12,
  fields: { prog_id: { offset: 0, sizeBytes: 4 } },
};

/** BPF_PROG_QUERY. */
export const bpfQueryAttribute: StructLayout = {
  name: "union bpf_attr",
  header: "linux/bpf.h",
  sizeBytes: 32,
  fields: {
    target_fd: { offset: 0, sizeBytes: 4 },
    attach_type: { offset: 4, sizeBytes: 4 },
    prog_ids: { offset: 16, sizeBytes: 8 },
    prog_cnt: { offset: 24, sizeBytes: 4 },
  },
};
