// Layouts of the kernel's structures as data: field, offset, size; checked against a C compiler by a test.

export type Field = { readonly offset: number; readonly sizeBytes: 1 | 2 | 4 | 8 | number };
export type StructLayout = {
  /** The C name, for instance `struct open_how`. */
  readonly name: string;
  /** The header that declares it. */
  readonly header: string;
  readonly sizeBytes: number;
  readonly fields: Readonly<Record<string, Field>>;
};

/** Declares a layout from fields in order; offsets follow natural alignment unless given. */
function layout(
  name: string,
  header: string,
  sizeBytes: number,
  fields: Readonly<Record<string, readonly [offset: number, sizeBytes: number]>>,
): StructLayout {
  return {
    name,
    header,
    sizeBytes,
    fields: Object.fromEntries(
      Object.entries(fields).map(([field, [offset, size]]) => [field, { offset, sizeBytes: size }]),
    ),
  };
}

export const openHow = layout("struct open_how", "linux/openat2.h", 24, {
  flags: [0, 8],
  mode: [8, 8],
  resolve: [16, 8],
});

export const mountAttr = layout("struct mount_attr", "linux/mount.h", 32, {
  attr_set: [0, 8],
  attr_clr: [8, 8],
  propagation: [16, 8],
  userns_fd: [24, 8],
});

export const statxBuffer = layout("struct statx", "linux/stat.h", 256, {
  stx_mask: [0, 4],
  stx_nlink: [16, 4],
  stx_uid: [20, 4],
  stx_gid: [24, 4],
  stx_mode: [28, 2],
  stx_ino: [32, 8],
  stx_size: [40, 8],
  stx_rdev_major: [128, 4],
  stx_rdev_minor: [132, 4],
  stx_dev_major: [136, 4],
  stx_dev_minor: [140, 4],
  stx_mnt_id: [144, 8],
});

export const statfsBuffer = layout("struct statfs", "asm/statfs.h", 120, {
  f_type: [0, 8],
  f_flags: [80, 8],
});

export const rlimit64 = layout("struct rlimit64", "linux/resource.h", 16, {
  rlim_cur: [0, 8],
  rlim_max: [8, 8],
});

export const capHeader = layout("struct __user_cap_header_struct", "linux/capability.h", 8, {
  version: [0, 4],
  pid: [4, 4],
});

/** Two consecutive `struct __user_cap_data_struct`: the low and the high halves of the three sets. */
export const capData = layout("struct __user_cap_data_struct[2]", "linux/capability.h", 24, {
  effective_low: [0, 4],
  permitted_low: [4, 4],
  inheritable_low: [8, 4],
  effective_high: [12, 4],
  permitted_high: [16, 4],
  inheritable_high: [20, 4],
});

export const cloneArgs = layout("struct clone_args", "linux/sched.h", 88, {
  flags: [0, 8],
  pidfd: [8, 8],
  child_tid: [16, 8],
  parent_tid: [24, 8],
  exit_signal: [32, 8],
  stack: [40, 8],
  stack_size: [48, 8],
  tls: [56, 8],
  set_tid: [64, 8],
  set_tid_size: [72, 8],
  cgroup: [80, 8],
});

export const sockaddrUn = layout("struct sockaddr_un", "linux/un.h", 110, {
  sun_family: [0, 2],
  sun_path: [2, 108],
});

/** The request of SIOCSIFFLAGS: only the members we use. */
export const ifreq = layout("struct ifreq", "linux/if.h", 40, {
  ifr_name: [0, 16],
  ifr_flags: [16, 2],
});

/** The kernel's own `struct sigaction`, not libc's. */
export const kernelSigaction = layout("struct kernel_sigaction", "", 32, {
  handler: [0, 8],
  flags: [8, 8],
  restorer: [16, 8],
  mask: [24, 8],
});

export const pollfd = layout("struct pollfd", "linux/poll.h", 8, {
  fd: [0, 4],
  events: [4, 2],
  revents: [6, 2],
});

export const timespec = layout("struct __kernel_timespec", "linux/time_types.h", 16, {
  tv_sec: [0, 8],
  tv_nsec: [8, 8],
});

export const siginfo = layout("siginfo_t", "signal.h", 128, {
  si_signo: [0, 4],
  si_code: [8, 4],
  si_pid: [16, 4],
  si_status: [24, 4],
});

/** All layouts, for the test that asks a C compiler. */
export const structLayouts: readonly StructLayout[] = [
  openHow,
  mountAttr,
  statxBuffer,
  statfsBuffer,
  rlimit64,
  capHeader,
  capData,
  cloneArgs,
  sockaddrUn,
  ifreq,
  kernelSigaction,
  pollfd,
  timespec,
  siginfo,
];

/** Reads an unsigned field of a structure that the kernel filled. Fields of 8 bytes must fit 53 bits (inode numbers may not). */
export function readField(layoutOf: StructLayout, bytes: Uint8Array, field: string): number {
  return Number(readWideField(layoutOf, bytes, field));
}

/** Reads an unsigned field as a bigint, exactly. */
export function readWideField(layoutOf: StructLayout, bytes: Uint8Array, field: string): bigint {
  const entry = layoutOf.fields[field];
  if (entry === undefined) throw new Error(`ts-runc bug: ${layoutOf.name} has no field ${field}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (entry.sizeBytes) {
    case 2:
      return BigInt(view.getUint16(entry.offset, true));
    case 4:
      return BigInt(view.getUint32(entry.offset, true));
    default:
      return view.getBigUint64(entry.offset, true);
  }
}
