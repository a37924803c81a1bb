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

function layout(
  name: string,
  header: string,
  sizeBytes: number,
  fields: Readonly<Record<string, Field>>,
): StructLayout {
  return { name, header, sizeBytes, fields };
}

function at(offset: number, sizeBytes: number): Field {
  return { offset, sizeBytes };
}

export const openHow = layout("struct open_how", "linux/openat2.h", 24, {
  flags: at(0, 8),
  mode: at(8, 8),
  resolve: at(16, 8),
});

export const mountAttr = layout("struct mount_attr", "linux/mount.h", 32, {
  attr_set: at(0, 8),
  attr_clr: at(8, 8),
  propagation: at(16, 8),
  userns_fd: at(24, 8),
});

export const statxBuffer = layout("struct statx", "linux/stat.h", 256, {
  stx_mask: at(0, 4),
  stx_nlink: at(16, 4),
  stx_uid: at(20, 4),
  stx_gid: at(24, 4),
  stx_mode: at(28, 2),
  stx_ino: at(32, 8),
  stx_size: at(40, 8),
  "stx_ctime.tv_sec": at(96, 8),
  "stx_ctime.tv_nsec": at(104, 4),
  stx_rdev_major: at(128, 4),
  stx_rdev_minor: at(132, 4),
  stx_dev_major: at(136, 4),
  stx_dev_minor: at(140, 4),
  stx_mnt_id: at(144, 8),
});

export const statfsBuffer = layout("struct statfs", "asm/statfs.h", 120, {
  f_type: at(0, 8),
  f_flags: at(80, 8),
});

export const rlimit64 = layout("struct rlimit64", "linux/resource.h", 16, {
  rlim_cur: at(0, 8),
  rlim_max: at(8, 8),
});

export const capHeader = layout("struct __user_cap_header_struct", "linux/capability.h", 8, {
  version: at(0, 4),
  pid: at(4, 4),
});

/** Two consecutive `struct __user_cap_data_struct`: the low and the high halves of the three sets. */
export const capData = layout("struct __user_cap_data_struct[2]", "linux/capability.h", 24, {
  effective_low: at(0, 4),
  permitted_low: at(4, 4),
  inheritable_low: at(8, 4),
  effective_high: at(12, 4),
  permitted_high: at(16, 4),
  inheritable_high: at(20, 4),
});

export const cloneArgs = layout("struct clone_args", "linux/sched.h", 88, {
  flags: at(0, 8),
  pidfd: at(8, 8),
  child_tid: at(16, 8),
  parent_tid: at(24, 8),
  exit_signal: at(32, 8),
  stack: at(40, 8),
  stack_size: at(48, 8),
  tls: at(56, 8),
  set_tid: at(64, 8),
  set_tid_size: at(72, 8),
  cgroup: at(80, 8),
});

export const sockaddrUn = layout("struct sockaddr_un", "linux/un.h", 110, {
  sun_family: at(0, 2),
  sun_path: at(2, 108),
});

/** The request of SIOCSIFFLAGS: only the members we use. */
export const ifreq = layout("struct ifreq", "linux/if.h", 40, {
  ifr_name: at(0, 16),
  ifr_flags: at(16, 2),
});

/** The kernel's own `struct sigaction`, not libc's. */
export const kernelSigaction = layout("struct kernel_sigaction", "", 32, {
  handler: at(0, 8),
  flags: at(8, 8),
  restorer: at(16, 8),
  mask: at(24, 8),
});

export const pollfd = layout("struct pollfd", "linux/poll.h", 8, {
  fd: at(0, 4),
  events: at(4, 2),
  revents: at(6, 2),
});

export const timespec = layout("struct __kernel_timespec", "linux/time_types.h", 16, {
  tv_sec: at(0, 8),
  tv_nsec: at(8, 8),
});

export const siginfo = layout("siginfo_t", "signal.h", 128, {
  si_signo: at(0, 4),
  si_code: at(8, 4),
  si_pid: at(16, 4),
  si_status: at(24, 4),
});

/** The kernel's `struct termios`, which is not libc's: 19 control characters. */
export const termios = layout("struct termios", "asm/termbits.h", 36, {
  c_iflag: at(0, 4),
  c_oflag: at(4, 4),
  c_cflag: at(8, 4),
  c_lflag: at(12, 4),
  c_line: at(16, 1),
  c_cc: at(17, 19),
});

export const ioVector = layout("struct iovec", "linux/uio.h", 16, {
  iov_base: at(0, 8),
  iov_len: at(8, 8),
});

export const messageHeader = layout("struct msghdr", "sys/socket.h", 56, {
  msg_name: at(0, 8),
  msg_namelen: at(8, 4),
  msg_iov: at(16, 8),
  msg_iovlen: at(24, 8),
  msg_control: at(32, 8),
  msg_controllen: at(40, 8),
  msg_flags: at(48, 4),
});

/** A control message with one descriptor, and the bytes that align it: `CMSG_SPACE(sizeof(int))`. */
export const controlMessage = layout(
  "struct { struct cmsghdr header; int descriptor; int padding; }",
  "sys/socket.h",
  24,
  {
    "header.cmsg_len": at(0, 8),
    "header.cmsg_level": at(8, 4),
    "header.cmsg_type": at(12, 4),
    descriptor: at(16, 4),
  },
);

export const schedAttr = layout("struct sched_attr", "linux/sched/types.h", 56, {
  size: at(0, 4),
  sched_policy: at(4, 4),
  sched_flags: at(8, 8),
  sched_nice: at(16, 4),
  sched_priority: at(20, 4),
  sched_runtime: at(24, 8),
  sched_deadline: at(32, 8),
  sched_period: at(40, 8),
});

/** A classic BPF program; seccomp(2). */
export const sockFprog = layout("struct sock_fprog", "linux/filter.h", 16, {
  len: at(0, 2),
  filter: at(8, 8),
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
  termios,
  ioVector,
  messageHeader,
  controlMessage,
  schedAttr,
  sockFprog,
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
