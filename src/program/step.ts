// A step of an init program: a system call with the reason for it, where to go when it fails, and what must come out of it.

import type { ErrnoName } from "../abi/errno.ts";
import type { NamespaceType } from "../spec/types.ts";
import type { Syscall } from "../syscall/value.ts";

/** What to do when a call fails in a way that was expected; every other failure ends the program. */
export type Recovery = {
  /** The errors meant, or every error. */
  readonly errnos: readonly ErrnoName[] | "any";
  /** Run before going on. */
  readonly steps: readonly Step[];
  /** `retry` makes the call again; `skip` goes on behind the step and its `onSuccess`. */
  readonly next: "retry" | "skip";
  /**
   * Hardly ever needed, and therefore not sent along: the batch stops there, the runtime has the steps executed in a
   * batch of their own, and lets the first one go on.
   */
  readonly rare?: true | undefined;
  /** In the place of `steps`, where what has to be done depends on what is found. */
  readonly stages?: (() => Stages) | undefined;
};

/** What has come of steps, by slot. */
export type Findings = {
  readonly results: ReadonlyMap<string, number>;
  readonly outputs: ReadonlyMap<string, Uint8Array>;
};

/** Lists of steps, each executed by itself; what has come of one decides on the next. */
export type Stages = Generator<readonly Step[], void, Findings>;

/** What the runtime demands of a step's output or result when the batch has been answered; nothing of the container ran before. */
export type Verification =
  /** statx: a device of this number, or a fifo, so that a planted file is not used as a source (CVE-2025-31133). */
  | {
      readonly kind: "device";
      readonly type: "character" | "block" | "fifo";
      readonly major: number;
      readonly minor: number;
    }
  /** statx: the file that the runtime looked at itself, before the program ran. */
  | { readonly kind: "same-file"; readonly device: string; readonly inode: bigint }
  /** fstatfs: a file system of this magic number. */
  | { readonly kind: "file-system"; readonly magic: number; readonly words?: string }
  /** fstatfs: a file system of any other magic number; `words` say what is wrong then. */
  | { readonly kind: "other-file-system"; readonly magic: number; readonly words: string }
  /** statx: the root of a procfs, whose inode has this number wherever one is mounted. */
  | { readonly kind: "inode"; readonly inode: bigint; readonly words: string }
  /** getcwd: a path inside the root, which starts with a slash (CVE-2024-21626). */
  | { readonly kind: "path-inside" }
  /** ioctl(NS_GET_NSTYPE): the namespace at a path of linux.namespaces is of the type that stands beside it. */
  | {
      readonly kind: "namespace";
      readonly path: string;
      readonly type: NamespaceType;
      readonly flag: number;
    }
  /** The result itself. */
  | { readonly kind: "result"; readonly value: number };

export type Step = {
  readonly call: Syscall;
  /** What the step is for, as a phrase for faults and readers: `opening the rootfs`. */
  readonly doing: string;
  /** What the call's descriptor means, for faults, where the call itself has no path. */
  readonly target?: string | undefined;
  /** Names the result (and the output, if the call has one) for later steps and for the runtime. */
  readonly slot?: string | undefined;
  readonly recovery?: Recovery | undefined;
  /** Run only when the call succeeded. */
  readonly onSuccess?: readonly Step[] | undefined;
  /** Where a result of 0 goes; `skip` is for the child of a clone, which is not to run `onSuccess`. */
  readonly onZero?: "onSuccess" | "skip" | undefined;
  readonly verify?: Verification | undefined;
};

/** Makes a step; `options` are its slot, recovery, `onSuccess` and verification. */
export function step(doing: string, call: Syscall, options?: Omit<Step, "doing" | "call">): Step {
  // All steps have the same properties in the same order, which the interpreter then finds faster.
  if (options === undefined)
    return {
      doing,
      call,
      slot: undefined,
      recovery: undefined,
      onSuccess: undefined,
      onZero: undefined,
      verify: undefined,
      target: undefined,
    };
  const { slot, recovery, onSuccess, onZero, verify, target } = options;
  return { doing, call, slot, recovery, onSuccess, onZero, verify, target };
}

/** The recovery that goes on as if nothing had happened. */
export function ignore(...errnos: readonly ErrnoName[]): Recovery {
  return { errnos, steps: [], next: "skip", rare: undefined };
}

/** The recovery that goes on whatever the error was. */
export const ignoreAny: Recovery = { errnos: "any", steps: [], next: "skip" };

/**
 * A recovery that is hardly ever needed. Its steps are made when they are: by the runtime once the batch has stopped
 * there, and by who prints or checks the program.
 */
export function rarely(
  errno: ErrnoName,
  next: "retry" | "skip",
  make: () => readonly Step[],
): Recovery {
  return {
    errnos: [errno],
    next,
    rare: true,
    get steps() {
      return make();
    },
  };
}

/** The same where the steps depend on what is found. Who prints or checks the program sees the first of them. */
export function rarelyInStages(
  errno: ErrnoName,
  next: "retry" | "skip",
  stages: () => Stages,
): Recovery {
  return {
    errnos: [errno],
    next,
    rare: true,
    stages,
    get steps() {
      const { done, value } = stages().next();
      return done === true ? [] : value;
    },
  };
}

/** A demanded device in words: `the character device 1:3`. */
export function wordDevice(device: Verification & { readonly kind: "device" }): string {
  const { type, major, minor } = device;
  return type === "fifo" ? "a fifo" : `the ${type} device ${major}:${minor}`;
}
