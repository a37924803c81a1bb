// bpf(2) as values: only what loads and attaches a cgroup device program.

import {
  BPF_CGROUP_DEVICE,
  BPF_PROG_TYPE_CGROUP_DEVICE,
  bpfAttachAttribute,
  bpfAttachFlags,
  bpfCommands,
  bpfInstructionBytes,
  bpfLoadAttribute,
  bpfProgramIdAttribute,
  bpfQueryAttribute,
} from "../abi/bpf.ts";
import type { StructLayout } from "../abi/struct.ts";
import { bytes, call, flags, number, type Syscall, struct, text } from "./value.ts";

/** Where the verifier writes its reasons; the memory is the caller's. */
export type VerifierLog = { readonly address: number; readonly sizeBytes: number };

/** BPF_PROG_LOAD of a device program; the result is its descriptor, which is close-on-exec. */
export function bpfLoadDeviceProgram(instructions: Uint8Array, log?: VerifierLog): Syscall {
  const block: StructLayout = {
    name: "struct bpf_insn[]",
    header: "linux/bpf.h",
    sizeBytes: instructions.byteLength,
    fields: { instructions: { offset: 0, sizeBytes: instructions.byteLength } },
  };
  return bpf("BPF_PROG_LOAD", bpfLoadAttribute, {
    prog_type: number(BPF_PROG_TYPE_CGROUP_DEVICE),
    insn_cnt: number(instructions.byteLength / bpfInstructionBytes),
    insns: struct(block, { instructions: bytes(instructions) }),
    // The program uses no helper functions, so that any licence would do.
    license: text("Apache"),
    ...(log === undefined
      ? {}
      : {
          log_level: number(1),
          log_size: number(log.sizeBytes),
          log_buf: number(log.address),
        }),
  });
}

/** BPF_PROG_ATTACH to a cgroup directory; `replaced` is the program whose place it takes. */
export function bpfAttachDeviceProgram(
  cgroup: number,
  program: number,
  replaced?: number,
): Syscall {
  const { BPF_F_ALLOW_MULTI, BPF_F_REPLACE } = bpfAttachFlags;
  return bpf("BPF_PROG_ATTACH", bpfAttachAttribute, {
    target_fd: number(cgroup),
    attach_bpf_fd: number(program),
    attach_type: number(BPF_CGROUP_DEVICE),
    attach_flags: flags(
      bpfAttachFlags,
      replaced === undefined ? BPF_F_ALLOW_MULTI : BPF_F_ALLOW_MULTI | BPF_F_REPLACE,
    ),
    ...(replaced === undefined ? {} : { replace_bpf_fd: number(replaced) }),
  });
}

export function bpfDetachDeviceProgram(cgroup: number, program: number): Syscall {
  return bpf("BPF_PROG_DETACH", bpfAttachAttribute, {
    target_fd: number(cgroup),
    attach_bpf_fd: number(program),
    attach_type: number(BPF_CGROUP_DEVICE),
  });
}

export function bpfProgramFd(id: number): Syscall {
  return bpf("BPF_PROG_GET_FD_BY_ID", bpfProgramIdAttribute, { prog_id: number(id) });
}

/**
 * BPF_PROG_QUERY of the device programs attached to a cgroup directory itself.
 * The kernel answers in the attribute, whose memory is therefore the caller's: `bpfQueryAttribute`, filled in.
 */
export function bpfQueryPrograms(attributeAddress: number): Syscall {
  return call(
    "bpf",
    flags({ BPF_PROG_QUERY: bpfCommands.BPF_PROG_QUERY }, bpfCommands.BPF_PROG_QUERY),
    number(attributeAddress),
    number(bpfQueryAttribute.sizeBytes),
  );
}

function bpf(
  command: keyof typeof bpfCommands,
  layout: StructLayout,
  values: Parameters<typeof struct>[1],
): Syscall {
  return call(
    "bpf",
    flags({ [command]: bpfCommands[command] }, bpfCommands[command]),
    struct(layout, values),
    number(layout.sizeBytes),
  );
}
