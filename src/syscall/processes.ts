// System calls that make, place, limit, shape and signal processes, as values.

import {
  CLONE_INTO_CGROUP,
  cloneFlags,
  NS_GET_NSTYPE,
  prctlOptions,
  rlimitResources,
  signalSetBytes,
  waitOptions,
} from "../abi/process.ts";
import { cloneArgs, kernelSigaction, rlimit64, siginfo, timespec } from "../abi/struct.ts";
import {
  call,
  type Fd,
  fdOperand,
  flags,
  hex,
  number,
  outputOperand,
  type Syscall,
  struct,
  text,
  textBytes,
  texts,
} from "./value.ts";

export function unshare(namespaces: number): Syscall {
  return call("unshare", flags(cloneFlags, namespaces));
}

export function setns(fd: Fd, namespaces: number): Syscall {
  return call("setns", fdOperand(fd), flags(cloneFlags, namespaces));
}

/** The type of the namespace behind a descriptor, as its flag; ENOTTY for what is none. ioctl_ns(2). */
export function namespaceType(fd: Fd): Syscall {
  return call("ioctl", fdOperand(fd), flags({ NS_GET_NSTYPE }, NS_GET_NSTYPE));
}

/**
 * clone(2) as fork with flags: no new stack, no shared memory. Returns 0 in the child.
 * The signal that tells the parent of the end is part of the flags; with CLONE_PARENT it is inherited.
 */
export function clone(options: { readonly flags: number; readonly exitSignal: number }): Syscall {
  // All operands but the first are 0, so that their order, which differs between architectures, does not matter.
  return call(
    "clone",
    flags({ ...cloneFlags, SIGCHLD: 17 }, options.flags | options.exitSignal),
    number(0),
    number(0),
    number(0),
    number(0),
  );
}

/** clone3(2) as fork into a cgroup of the v2 tree, given by the descriptor of its directory. Returns 0 in the child. */
export function cloneIntoCgroup(options: {
  readonly flags: number;
  readonly exitSignal: number;
  readonly cgroupFd: number;
}): Syscall {
  return call(
    "clone3",
    struct(cloneArgs, {
      flags: flags({ ...cloneFlags, CLONE_INTO_CGROUP }, options.flags + CLONE_INTO_CGROUP),
      exit_signal: number(options.exitSignal),
      cgroup: number(options.cgroupFd),
    }),
    number(cloneArgs.sizeBytes),
  );
}

export function execve(path: string, argv: readonly string[], env: readonly string[]): Syscall {
  return call("execve", text(path), texts(argv), texts(env));
}

export function exitGroup(status: number): Syscall {
  return call("exit_group", number(status));
}

/** prctl(2). What is not given is zero: so are the operands of a call that it does not name. */
export function prctl(
  option: (typeof prctlOptions)[keyof typeof prctlOptions],
  second: number | string,
  third?: number,
): Syscall {
  // Options are numbers, not bits, but each is in the table and prints by its name.
  const name = flags(prctlOptions, option);
  const argument = typeof second === "string" ? text(second) : number(second);
  if (third === undefined) return call("prctl", name, argument);
  return call("prctl", name, argument, number(third));
}

export function prlimit(
  pid: Fd,
  limit: {
    readonly type: keyof typeof rlimitResources;
    readonly soft: number | bigint;
    readonly hard: number | bigint;
  },
): Syscall {
  const resource = rlimitResources[limit.type];
  return call(
    "prlimit64",
    fdOperand(pid),
    resource === 0 ? number(0) : flags({ [limit.type]: resource }, resource),
    struct(rlimit64, { rlim_cur: number(limit.soft), rlim_max: number(limit.hard) }),
    number(0),
  );
}

export function prlimitRead(pid: Fd, type: keyof typeof rlimitResources): Syscall {
  return call(
    "prlimit64",
    fdOperand(pid),
    number(rlimitResources[type]),
    number(0),
    outputOperand(rlimit64.sizeBytes),
  );
}

export function setsid(): Syscall {
  return call("setsid");
}

export function sethostname(name: string): Syscall {
  return call("sethostname", text(name), textBytes(name));
}

export function setdomainname(name: string): Syscall {
  return call("setdomainname", text(name), textBytes(name));
}

export function rtSigaction(
  signal: number,
  action: { readonly handler: number; readonly flags?: number; readonly restorer?: number },
): Syscall {
  return call(
    "rt_sigaction",
    number(signal),
    struct(kernelSigaction, {
      handler: number(action.handler),
      flags: number(action.flags ?? 0),
      restorer: number(action.restorer ?? 0),
    }),
    number(0),
    number(signalSetBytes),
  );
}

export function kill(pid: Fd, signal: number): Syscall {
  return call("kill", fdOperand(pid), number(signal));
}

export function pidfdOpen(pid: Fd): Syscall {
  return call("pidfd_open", fdOperand(pid), number(0));
}

export function pidfdSendSignal(pidfd: Fd, signal: number): Syscall {
  return call("pidfd_send_signal", fdOperand(pidfd), number(signal), number(0), number(0));
}

/** waitid(2); the output is a siginfo. */
export function waitid(idType: number, id: Fd, options: number): Syscall {
  return call(
    "waitid",
    number(idType),
    fdOperand(id),
    outputOperand(siginfo.sizeBytes),
    flags(waitOptions, options),
    number(0),
  );
}

/** madvise(2) with MADV_DONTNEED: the pages of a mapping are let go, and come back from where they were mapped. */
export function madviseDontNeed(address: number, sizeBytes: number): Syscall {
  const MADV_DONTNEED = 4;
  return call("madvise", hex(address), number(sizeBytes), flags({ MADV_DONTNEED }, MADV_DONTNEED));
}

export function getpid(): Syscall {
  return call("getpid");
}

export function getppid(): Syscall {
  return call("getppid");
}

export function geteuid(): Syscall {
  return call("geteuid");
}

export function getegid(): Syscall {
  return call("getegid");
}

export function nanosleep(milliseconds: number): Syscall {
  return call(
    "nanosleep",
    struct(timespec, {
      tv_sec: number(Math.floor(milliseconds / 1000)),
      tv_nsec: number(Math.round((milliseconds % 1000) * 1e6)),
    }),
    number(0),
  );
}
