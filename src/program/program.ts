// An init program: what the stub will do, in batches, and what the runtime does for it between and beside them; only data.

import type { Step } from "./step.ts";

/** What the runtime process does for the container at a fixed place of the program. Served by container/. */
export type HostAction =
  /** Hands the listener of the seccomp filter to the agent of its profile. */
  | "send-listener"
  /** Makes the directories of the cgroup. */
  | "make-cgroup"
  /** Writes setgroups, uid_map and gid_map of the stub that has made a user namespace. */
  | "write-id-maps"
  /** Writes timens_offsets of the stub that has made a time namespace. */
  | "write-time-offsets"
  /** Moves init into the group that the container manages, with the controllers of the group above. */
  | "delegate-cgroup"
  /** Moves network devices into the namespace that init is in. */
  | "move-net-devices"
  /** Makes the group of resctrl, and puts init there. */
  | "enter-resctrl"
  /** Runs the hooks that come before the root is changed. */
  | "run-hooks"
  /** Puts the cgroup's device rules in force. */
  | "apply-device-rules"
  /** Has init copy what the tmpfs of this name covers into it. */
  | "copy-up"
  /** Writes the limits into the cgroup's files. */
  | "apply-limits"
  /** Keeps the config and what is known of init by then, and warns of what is odd. */
  | "keep-config"
  /** Sets the resource limits of init with prlimit. */
  | "set-rlimits"
  /** Sets the policy and the I/O priority of init, which may not do it in its user namespace. */
  | "set-scheduling";

export type Part =
  | {
      readonly kind: "batch";
      readonly name: string;
      readonly steps: readonly Step[];
      /** Done by the runtime while the stub executes the batch; the order between the two is left open. */
      readonly meanwhile: readonly HostAction[];
      /** Uses no result of an earlier batch: it can be prepared while that one is executed. */
      readonly independent: boolean;
      /** Steps that close descriptors are left out: there are few, and one call closes all of them in the end. */
      readonly keepsDescriptors: boolean;
    }
  | {
      readonly kind: "host";
      readonly action: HostAction;
      /** What it is done to, where there can be several. */
      readonly of?: string;
    };

export type InitProgram = { readonly parts: readonly Part[] };

/** Steps that the stub takes in one go. */
export function batch(
  name: string,
  steps: readonly Step[],
  options: {
    readonly meanwhile?: readonly HostAction[];
    readonly independent?: boolean;
    readonly keepsDescriptors?: boolean;
  } = {},
): Part {
  const { meanwhile = [], independent = false, keepsDescriptors = false } = options;
  return { kind: "batch", name, steps, meanwhile, independent, keepsDescriptors };
}

/** Whether a batch that keeps its descriptors leaves the step out. */
export function isClose(step: Step): boolean {
  return step.call.name === "close";
}

/** Something that the runtime does before the program goes on. */
export function host(action: HostAction, of?: string): Part {
  return { kind: "host", action, ...(of === undefined ? {} : { of }) };
}

/** The slot that holds init's pid in the answer of the half that stays outside. */
export const initPidSlot = "init";

/** Name of the batch behind which init waits for `start`, and no longer for this runtime. */
export const parkingBatch = "parking";
