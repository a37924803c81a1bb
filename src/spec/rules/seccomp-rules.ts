// The rules for `linux.seccomp` and for a filter in its stead; whether this kernel and libseccomp can do it is asked when the filter is made.

import { seccompBpfData } from "../annotations.ts";
import type { Seccomp, SeccompAction, SeccompRule } from "../seccomp.ts";
import type { Spec } from "../types.ts";
import { type Finding, findNul, findWhen, type Rule, show } from "./rule.ts";

const section = "config-linux.md#seccomp";

export const seccompRules: readonly Rule<Spec>[] = [
  { section, pointer: "/linux/seccomp", find: ({ linux }) => findSeccomp(linux?.seccomp) },
  {
    section,
    pointer: "/linux/seccomp/syscalls",
    *find({ linux }) {
      for (const [index, rule] of (linux?.seccomp?.syscalls ?? []).entries()) {
        for (const { at, message } of findRule(rule)) yield { at: `/${index}${at}`, message };
      }
    },
  },
  {
    section,
    pointer: `/annotations/${seccompBpfData}`,
    *find({ annotations }) {
      const text = annotations?.[seccompBpfData];
      // Another rule is about annotations that are no texts.
      const message = typeof text === "string" ? judgeRawFilter(text) : undefined;
      if (message !== undefined) yield { at: "", message };
    },
  },
];

function* findSeccomp(seccomp: Seccomp | undefined): Generator<Finding> {
  if (seccomp === undefined) return;
  const { defaultAction, defaultErrnoRet, listenerPath = "", listenerMetadata = "" } = seccomp;
  const notifies = seccomp.syscalls?.some(({ action }) => action === "SCMP_ACT_NOTIFY") === true;
  // The listener could not be handed over, because doing that takes system calls.
  yield* findWhen(
    defaultAction === "SCMP_ACT_NOTIFY",
    "SCMP_ACT_NOTIFY cannot be used as default action",
    "/defaultAction",
  );
  yield* findWhen(
    defaultErrnoRet !== undefined && !hasErrno(defaultAction),
    () =>
      `can only be set with SCMP_ACT_ERRNO and SCMP_ACT_TRACE, not with ${defaultAction}, got ${defaultErrnoRet}`,
    "/defaultErrnoRet",
  );
  yield* findErrno(defaultErrnoRet, { action: defaultAction, at: "/defaultErrnoRet" });
  yield* findWhen(
    notifies && listenerPath === "",
    "must be set when SCMP_ACT_NOTIFY is used",
    "/listenerPath",
  );
  // Spec: config-linux.md#seccomp MUST NOT (listenerMetadata without listenerPath).
  yield* findWhen(
    listenerMetadata !== "" && listenerPath === "",
    () => `must not be set without listenerPath, got ${show(listenerMetadata)}`,
    "/listenerMetadata",
  );
  yield* findWhen(
    !notifies && seccomp.flags?.includes("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV") === true,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs SCMP_ACT_NOTIFY",
    "/flags",
  );
  yield* findNul(listenerPath, "/listenerPath");
}

function* findRule({ names, action, errnoRet, args = [] }: SeccompRule): Generator<Finding> {
  // The runtime writes to the engine between loading the filter and execve.
  yield* findWhen(
    action === "SCMP_ACT_NOTIFY" && names.includes("write"),
    "SCMP_ACT_NOTIFY cannot be used for the write syscall",
  );
  yield* findWhen(
    errnoRet !== undefined && !hasErrno(action),
    () =>
      `can only be set with SCMP_ACT_ERRNO and SCMP_ACT_TRACE, not with ${action}, got ${errnoRet}`,
    "/errnoRet",
  );
  yield* findErrno(errnoRet, { action, at: "/errnoRet" });
  for (const [index, { index: argument, value, valueTwo }] of args.entries()) {
    yield* findWhen(
      argument > 5,
      () => `must be from 0 to 5, got ${argument}`,
      `/args/${index}/index`,
    );
    // A double cannot tell 2^63 from 2^63 - 1, and a filter must not be about the other one.
    yield* findWhen(
      value === 2 ** 63 || valueTwo === 2 ** 63,
      `has a number that cannot be held exactly, got ${2n ** 63n} or one less`,
      `/args/${index}`,
    );
  }
}

/** The kernel's largest error number; a tracer gets 16 bits of anything. */
const errnoMax = { SCMP_ACT_ERRNO: 4095, SCMP_ACT_TRACE: 0xffff } as const;

function* findErrno(
  errno: number | undefined,
  { action, at }: { readonly action: SeccompAction; readonly at: string },
): Generator<Finding> {
  if (errno === undefined || (action !== "SCMP_ACT_ERRNO" && action !== "SCMP_ACT_TRACE")) return;
  const max = errnoMax[action];
  yield* findWhen(errno > max, () => `must be at most ${max} with ${action}, got ${errno}`, at);
}

function hasErrno(action: SeccompAction): boolean {
  return action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";
}

const instructionBytes = 8;
/** BPF_MAXINSNS of the kernel. */
const instructionsMax = 4096;
const textMax = Math.ceil((instructionsMax * instructionBytes) / 3) * 4;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function judgeRawFilter(text: string): string | undefined {
  if (text.length > textMax || !base64.test(text)) {
    return `must be the base64 of at most ${instructionsMax} instructions of BPF, got ${show(text)}`;
  }
  const padding = text.endsWith("==") ? 2 : Number(text.endsWith("="));
  const bytes = (text.length / 4) * 3 - padding;
  if (bytes > 0 && bytes <= instructionsMax * instructionBytes && bytes % instructionBytes === 0)
    return undefined;
  return `must be 1 to ${instructionsMax} instructions of BPF of ${instructionBytes} bytes, got ${bytes} bytes: ${show(text)}`;
}
