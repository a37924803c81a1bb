// The rules for a process, whether it is config.json's or stands alone for `exec`; pointers are relative to the process.

import { capabilityNames } from "../capability-names.ts";
import { judgeIndexList } from "../index-list.ts";
import type { Process } from "../types.ts";
import {
  type Finding,
  findDuplicates,
  findEach,
  findNul,
  findNuls,
  findWhen,
  type Rule,
  show,
} from "./rule.ts";

/** Resource limits of Linux, getrlimit(2). */
const rlimitTypes: ReadonlySet<string> = new Set(
  (
    "AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING " +
    "STACK"
  )
    .split(" ")
    .map((name) => `RLIMIT_${name}`),
);

/** The most groups that a process can have, NGROUPS_MAX of setgroups(2). */
const groupsMax = 65_536;

/** The id that setresuid(2) and chown(2) take for "leave it as it is". */
const noId = 0xffff_ffff;

export const processRules: readonly Rule<Process>[] = [
  {
    // Spec: config.md#process MUST (cwd is absolute).
    section: "config.md#process",
    pointer: "/cwd",
    find: ({ cwd }) => [
      ...findWhen(!cwd.startsWith("/"), () => `Cwd must be an absolute path, got ${show(cwd)}`),
      ...findNul(cwd),
    ],
  },
  {
    // Spec: config.md#posix-process (args has at least one entry).
    section: "config.md#posix-process",
    pointer: "/args",
    minds: "absence",
    find: ({ args }) => [
      ...findWhen((args ?? []).length === 0, "args must not be empty"),
      ...findNuls(args),
    ],
  },
  {
    section: "config.md#posix-process",
    pointer: "/env",
    find: ({ env }) => findNuls(env),
  },
  {
    section: "config.md#process",
    pointer: "/consoleSize",
    *find({ terminal, consoleSize }) {
      if (terminal !== true || consoleSize === undefined) return;
      for (const side of ["height", "width"] as const) {
        const size = consoleSize[side];
        yield* findWhen(size > 0xffff, () => `must be at most 65535, got ${size}`, `/${side}`);
      }
    },
  },
  {
    section: "config.md#posix-platform-user",
    pointer: "/user",
    *find({ user }) {
      for (const kind of ["uid", "gid"] as const) {
        yield* findWhen(user?.[kind] === noId, () => `${noId} is not an id`, `/${kind}`);
      }
      for (const { at, message } of findEach(user?.additionalGids, (gid) =>
        gid === noId ? `${noId} is not an id` : undefined,
      )) {
        yield { at: `/additionalGids${at}`, message };
      }
      const groups = user?.additionalGids?.length ?? 0;
      yield* findWhen(
        groups > groupsMax,
        () => `must have at most ${groupsMax} entries, got ${groups}`,
        "/additionalGids",
      );
    },
  },
  {
    // capset(2) refuses it, without a word about which.
    section: "config.md#linux-process",
    pointer: "/capabilities/effective",
    find: ({ capabilities: { effective, permitted = [] } = {} }) =>
      findEach(effective, (name) =>
        capabilityNames.includes(name) && !permitted.includes(name)
          ? `${show(name)} is not among the permitted ones`
          : undefined,
      ),
  },
  {
    // Spec: config.md#posix-process MUST (an error for limits without a kernel interface).
    section: "config.md#posix-process",
    pointer: "/rlimits",
    find: ({ rlimits }) => [
      ...findEach(rlimits, ({ type }) =>
        rlimitTypes.has(type) ? undefined : `has the unknown type ${show(type)}`,
      ),
      ...findEach(rlimits, ({ soft, hard }) =>
        soft > hard ? `has a soft limit (${soft}) above the hard one (${hard})` : undefined,
      ),
      // Spec: config.md#posix-process MUST (an error for duplicate types).
      ...findDuplicates(rlimits, { key: ({ type }) => type, what: "type" }),
    ],
  },
  {
    section: "config.md#linux-process",
    pointer: "/apparmorProfile",
    find: ({ apparmorProfile }) => findNul(apparmorProfile),
  },
  {
    section: "config.md#linux-process",
    pointer: "/selinuxLabel",
    find: ({ selinuxLabel }) => findNul(selinuxLabel),
  },
  {
    section: "config.md#linux-process",
    pointer: "/oomScoreAdj",
    find: ({ oomScoreAdj = 0 }) =>
      findWhen(
        Math.abs(oomScoreAdj) > 1000,
        () => `must be from -1000 to 1000, got ${oomScoreAdj}`,
      ),
  },
  {
    section: "config.md#linux-process",
    pointer: "/scheduler",
    find: findScheduler,
  },
  {
    section: "config.md#linux-process",
    pointer: "/ioPriority",
    find: ({ ioPriority }) => {
      const priority = ioPriority?.priority ?? 0;
      const broken = priority < 0 || priority > 7;
      return findWhen(broken, () => `must be from 0 to 7, got ${priority}`, "/priority");
    },
  },
  {
    section: "config.md#linux-process",
    pointer: "/execCPUAffinity",
    *find({ execCPUAffinity }) {
      for (const point of ["initial", "final"] as const) {
        const message = judgeIndexList(execCPUAffinity?.[point] ?? "");
        if (message !== undefined) yield { at: `/${point}`, message };
      }
    },
  },
];

/** sched_setattr(2): which of its parameters a policy has. */
function* findScheduler({ scheduler }: Process): Generator<Finding> {
  if (scheduler === undefined) return;
  const { policy, nice = 0, priority = 0 } = scheduler;
  const fair = policy === "SCHED_OTHER" || policy === "SCHED_BATCH";
  const realtime = policy === "SCHED_FIFO" || policy === "SCHED_RR";
  yield* findWhen(
    fair && (nice < -20 || nice > 19),
    () => `must be from -20 to 19, got ${nice}`,
    "/nice",
  );
  yield* findWhen(
    realtime && (priority < 1 || priority > 99),
    () => `must be from 1 to 99 with ${policy}, got ${priority}`,
    "/priority",
  );
  yield* findWhen(
    !realtime && priority !== 0,
    () => `can only be specified for SCHED_FIFO and SCHED_RR, got ${priority} with ${policy}`,
    "/priority",
  );
  for (const key of ["runtime", "deadline", "period"] as const) {
    const value = scheduler[key] ?? 0;
    yield* findWhen(
      policy !== "SCHED_DEADLINE" && value !== 0,
      () => `can only be specified for SCHED_DEADLINE, got ${value} with ${policy}`,
      `/${key}`,
    );
  }
}
