// What surrounds the container's program: signals, standard streams, working directory, the search for the program, execve.

import { AT_FDCWD, accessModes, atFlags, closeRangeFlags, lastFd, openFlags } from "../abi/file.ts";
import { prctlOptions, signals } from "../abi/process.ts";
import { withoutEndSlashes } from "../base/path.ts";
import { ignore, ignoreAny, type Step, step } from "../program/step.ts";
import {
  chdir,
  close,
  closeRange,
  dup3,
  faccessat2,
  fchownat,
  getcwd,
  openat2,
  read,
  statx,
  umask,
} from "../syscall/files.ts";
import { execve, getpid, getppid, prctl, rtSigaction } from "../syscall/processes.ts";
import { schedSetaffinity } from "../syscall/scheduling.ts";
import { accept4 } from "../syscall/sockets.ts";
import { answerOperand, call, fdOperand, slot } from "../syscall/value.ts";
import { inRoot, openTarget, rootSlot } from "./root-paths.ts";

const { PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_PDEATHSIG } = prctlOptions;

/** What `ps` shows for a container that has been created but not started, and of every stub until execve. */
export const initName = "ts-runc:init";

/**
 * The stub's first steps: nobody may look into it (CVE-2016-9962), it dies with the runtime, and it has no descriptors
 * but those that it was promised.
 */
export function settleStub(facts: {
  readonly runtimePid: number;
  /** The first descriptor that is neither the container's nor the stub's. */
  readonly firstForeignFd: number;
}): Step[] {
  return [
    ...hideFromContainer(),
    step("binding init's life to the runtime's", prctl(PR_SET_PDEATHSIG, signals.SIGKILL)),
    // The runtime may have died before: then the signal will never come.
    step("binding init's life to the runtime's", getppid(), {
      verify: { kind: "result", value: facts.runtimePid },
    }),
    step("closing what the runtime has open", closeRange(facts.firstForeignFd, lastFd)),
    step("naming init", prctl(PR_SET_NAME, initName)),
  ];
}

/** Nobody in the container may look into init, at its memory or its descriptors; ptrace(2), proc(5). */
export function hideFromContainer(): Step[] {
  return [step("hiding init from the container", prctl(PR_SET_DUMPABLE, 0))];
}

/** The user may look into init, which holds nothing of anybody else's yet, until it is hidden again. */
export function showToUser(): Step[] {
  return [step("showing init to the user", prctl(PR_SET_DUMPABLE, 1))];
}

/** Sets the mode mask of the container's process. Spec: config.md#posix-platform-user, 0022 when absent. */
export function planUmask(mask: number | undefined): Step[] {
  return [step("setting the umask", umask(mask ?? 0o022))];
}

/** An id that chown leaves as it is. */
const unchanged = 0xffff_ffff;

/**
 * Gives the standard streams to the container's user, so that it can open /dev/stdout; pipes and terminals only obey. Their group
 * stays: that of terminals is a devpts' option. The null device stays root's: it is not this process's alone.
 */
export function ownStandardStreams(
  user: { readonly uid: number },
  nullStreams: readonly number[],
): Step[] {
  if (user.uid === 0) return [];
  const streams = [0, 1, 2].filter((fd) => !nullStreams.includes(fd));
  return streams.map((fd) =>
    // A read-only file, a stream that is closed: not worth failing.
    step(
      "giving the standard streams to the user",
      fchownat(fd, "", { uid: user.uid, gid: unchanged, flags: atFlags.AT_EMPTY_PATH }),
      { recovery: ignoreAny },
    ),
  );
}

/**
 * Puts the container's own null device where a standard stream is the host's: its node would otherwise be a way to a
 * device of the host that the container's rules do not cover.
 */
export function reopenNullStreams(streams: readonly number[]): Step[] {
  if (streams.length === 0) return [];
  const doing = "reopening /dev/null for the standard streams";
  const { O_CLOEXEC, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = openFlags;
  const how = { flags: O_RDWR | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC, resolve: inRoot };
  return [
    step(doing, openat2(slot(rootSlot), "/dev/null", how), {
      slot: "stream",
      recovery: ignore("ENOENT"),
      onSuccess: [
        // A /dev of the image's, or a volume, can hold anything; init is still root, the program need not be
        // (CVE-2026-88265).
        step(doing, statx(slot("stream"), "", atFlags.AT_EMPTY_PATH), {
          slot: "stream.stat",
          verify: { kind: "device", type: "character", major: 1, minor: 3 },
        }),
        ...streams.map((fd) => step(doing, dup3(slot("stream"), fd))),
        step(doing, close(slot("stream"))),
      ],
    }),
  ];
}

/** Lets init run on every processor that its cgroup has: the caller's own mask is not for the container. */
export function resetAffinity(): Step[] {
  const everywhere = new Uint8Array(1024).fill(0xff);
  return [
    step("resetting the processor affinity", schedSetaffinity(0, everywhere), {
      recovery: ignoreAny,
    }),
  ];
}

/** Makes the working directory where it is missing. Run by init, before the root is entered. */
export function makeWorkingDirectory(cwd: string): Step[] {
  if (withoutEndSlashes(cwd) === "") return [];
  const doing = `making the working directory ${cwd}`;
  return [
    openTarget(doing, cwd, { slot: "cwd", kind: "directory" }),
    step(doing, close(slot("cwd"))),
  ];
}

/** Enters the working directory, if root may; `checkWorkingDirectory` says the last word as the user. */
export function enterWorkingDirectory(cwd: string): Step[] {
  return [
    step(`entering the working directory ${cwd}`, chdir(cwd), {
      recovery: ignore("EACCES", "EPERM"),
    }),
  ];
}

/**
 * Enters the working directory as the container's user, and makes sure that it is inside the root (CVE-2024-21626).
 *
 * Where root was let in and the user is not, root's place counts, as with runc.
 */
export function checkWorkingDirectory(cwd: string): Step[] {
  return [
    step(`entering the working directory ${cwd}`, chdir(cwd), {
      recovery: ignore("EACCES", "EPERM"),
    }),
    step(`entering the working directory ${cwd}`, getcwd(4096), {
      slot: "getcwd",
      verify: { kind: "path-inside" },
    }),
  ];
}

/** A place where the program may be, with the slots that tell whether it is. */
export type Candidate = {
  readonly path: string;
  readonly accessSlot: string;
  readonly statSlot: string;
};

/** The places where execvp(3) would look: the path itself if it has a slash, otherwise below each directory of PATH. */
export function programCandidates(program: string, env: readonly string[]): readonly Candidate[] {
  const paths = program.includes("/")
    ? [program]
    : searchPath(env).map((directory) => `${directory}/${program}`);
  return paths.map((path, index) => ({
    path,
    accessSlot: `program${index}.access`,
    statSlot: `program${index}.stat`,
  }));
}

function lastEntry(env: readonly string[], start: string): string | undefined {
  let last: string | undefined;
  for (const item of env) if (item.startsWith(start)) last = item;
  return last;
}

/** The directories of the last PATH in the environment; an empty entry is the working directory. */
function searchPath(env: readonly string[]): readonly string[] {
  const entry = lastEntry(env, "PATH=");
  if (entry === undefined) return [];
  return entry
    .slice("PATH=".length)
    .split(":")
    .map((directory) => (directory === "" ? "." : directory));
}

/** Slot of the pid that the process has in its own pid namespace. */
export const ownPidSlot = "pid";

/** Lets the runtime know what to write into LISTEN_PID; sd_listen_fds(3). Run by the process of exec. */
export function tellPid(): Step[] {
  return [step("asking for the own pid", getpid(), { slot: ownPidSlot })];
}

/** Asks about every candidate as the container's user; the runtime picks (container/find-program.ts). */
export function lookUpProgram(candidates: readonly Candidate[]): Step[] {
  const doing = "looking for the program";
  const { AT_EACCESS } = atFlags;
  return candidates
    .map(({ path, accessSlot, statSlot }) => [
      step(doing, statx(AT_FDCWD, path), { slot: statSlot, recovery: ignoreAny }),
      step(doing, faccessat2(AT_FDCWD, path, { mode: accessModes.X_OK, flags: AT_EACCESS }), {
        slot: accessSlot,
        recovery: ignoreAny,
      }),
    ])
    .flat();
}

/**
 * The last steps of create: from here on init lives without the runtime, and waits for `start` on the socket in the
 * state directory.
 *
 * SIGTERM gets a handler that ends the stub: pid 1 of a pid namespace would not feel it otherwise.
 */
export function park(facts: {
  readonly doorbell: number;
  readonly listener: number;
  /** Address of the stub's own exit. */
  readonly exitAddress: number;
  /** Whether init may be looked at again: in a pid namespace of its own with no descriptor of the host left. */
  readonly dumpable: boolean;
}): Step[] {
  const doing = "parking init";
  const { doorbell, listener } = facts;
  return [
    // What setting up has opened, and the runtime could not have closed.
    step(doing, closeRange(listener + 1, lastFd)),
    step(doing, rtSigaction(signals.SIGTERM, endingHandler(facts.exitAddress))),
    ...(facts.dumpable ? [step(doing, prctl(PR_SET_DUMPABLE, 1))] : []),
    ...leaveRuntime(),
    step(
      "telling that init is parked",
      call("write", fdOperand(doorbell), answerOperand("address"), answerOperand("length")),
    ),
    step("waiting for start", accept4(listener, openFlags.O_CLOEXEC), {
      slot: "caller",
      recovery: { errnos: ["EINTR"], steps: [], next: "retry" },
    }),
    step("waiting for start", dup3(slot("caller"), doorbell, openFlags.O_CLOEXEC)),
    step("waiting for start", close(slot("caller"))),
  ];
}

/** From here on the container lives on without the runtime, as with runc. */
export function leaveRuntime(): Step[] {
  return [step("letting the container outlive the runtime", prctl(PR_SET_PDEATHSIG, 0))];
}

const SA_RESTORER = 0x0400_0000;

function endingHandler(exitAddress: number): {
  readonly handler: number;
  readonly flags: number;
  readonly restorer: number;
} {
  // The handler does not return, so what restores does not matter, but x86-64 refuses to deliver without one.
  return { handler: exitAddress, flags: SA_RESTORER, restorer: exitAddress };
}

/** Has execve close every descriptor but the container's, which are those below `firstPrivateFd`. */
export function closeAtExecve(path: string, firstPrivateFd: number): Step[] {
  const { CLOSE_RANGE_CLOEXEC } = closeRangeFlags;
  return [step(startingProgram(path), closeRange(firstPrivateFd, lastFd, CLOSE_RANGE_CLOEXEC))];
}

/**
 * The last step of all. That the doorbell closes tells the runtime that it worked. Signals need nothing: posix_spawn gave the
 * stub default dispositions, and execve takes back the one handler.
 */
export function executeProgram(program: {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
}): Step[] {
  const { path, args, env } = program;
  return [step(startingProgram(path), execve(path, args, env))];
}

function startingProgram(path: string): string {
  return `starting ${JSON.stringify(path)}`;
}

/** How much of /etc/passwd is read for HOME; a user that stands behind it gets `/`. Root's line is the first. */
const passwdBytes = { root: 4 * 1024, others: 32 * 1024 } as const;

/** Slot of the text of the container's /etc/passwd. */
export const passwdSlot = "passwd.text";

/**
 * Reads the container's /etc/passwd, for HOME where the environment has none: without waiting for anything, and through links
 * only as they lead inside the root. Run by init, inside the root.
 */
export function readPasswd(env: readonly string[], uid: number): Step[] {
  // Of two entries the last one counts.
  const home = lastEntry(env, "HOME=");
  if (home !== undefined && home !== "HOME=") return [];
  const doing = "reading the container's /etc/passwd";
  const { O_CLOEXEC, O_NOCTTY, O_NONBLOCK } = openFlags;
  const how = { flags: O_NONBLOCK | O_NOCTTY | O_CLOEXEC, resolve: inRoot };
  return [
    step(doing, openat2(slot(rootSlot), "/etc/passwd", how), {
      slot: "passwd",
      recovery: ignoreAny,
      onSuccess: [
        step(doing, read(slot("passwd"), uid === 0 ? passwdBytes.root : passwdBytes.others), {
          slot: passwdSlot,
          recovery: ignoreAny,
        }),
        step(doing, close(slot("passwd"))),
      ],
    }),
  ];
}
