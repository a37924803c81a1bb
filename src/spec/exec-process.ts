// The process that `exec` runs in a container, made of the container's own and of what the caller gave; pure.

import { raise } from "../base/fault.ts";
import type { Capabilities, CapabilitySet, Process } from "./types.ts";
import type { ValidatedProcess } from "./validate.ts";

/** A process that can be executed. */
export type ExecProcess = Process & { readonly args: readonly string[] };

/** What the command line changes in the container's process. */
export type ProcessChanges = {
  readonly args: readonly string[];
  readonly cwd: string | undefined;
  /** Appended: of two entries with one name the last one counts. */
  readonly env: readonly string[];
  readonly terminal: boolean;
  readonly user: { readonly uid: number; readonly gid: number | undefined } | undefined;
  /** Appended. */
  readonly additionalGids: readonly number[];
  /** Added to what the process may do. */
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: boolean | undefined;
  readonly apparmorProfile: string | undefined;
  readonly selinuxLabel: string | undefined;
};

/**
 * Changes the container's process as runc's `exec` does; what is not named stays as config.json has it, except for the
 * terminal, which the command line alone decides about.
 *
 * @throws `refused` fault in runc's words when the working directory is relative
 */
export function changeProcess(own: ValidatedProcess, changes: ProcessChanges): ExecProcess {
  const { args, terminal, user, apparmorProfile, selinuxLabel } = changes;
  const cwd = changes.cwd ?? own.cwd;
  if (!cwd.startsWith("/")) raise({ kind: "refused", message: "Cwd must be an absolute path" });
  return {
    ...own,
    args,
    cwd,
    terminal,
    env: [...(own.env ?? []), ...changes.env],
    user: {
      ...own.user,
      ...(user === undefined ? {} : { uid: user.uid }),
      ...(user?.gid === undefined ? {} : { gid: user.gid }),
      additionalGids: [...(own.user?.additionalGids ?? []), ...changes.additionalGids],
    },
    capabilities: addCapabilities(own.capabilities ?? {}, changes.capabilities),
    noNewPrivileges: changes.noNewPrivileges ?? own.noNewPrivileges ?? false,
    ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
    ...(selinuxLabel === undefined ? {} : { selinuxLabel }),
  };
}

/**
 * Adds capabilities to the sets that decide what the program may do, and to the ambient one only where the config asks for
 * inheritable ones: those stay as they are (CVE-2022-29162).
 */
function addCapabilities(sets: Capabilities, added: readonly string[]): Capabilities {
  if (added.length === 0) return sets;
  const extended: readonly CapabilitySet[] = [
    "bounding",
    "effective",
    "permitted",
    ...(sets.inheritable === undefined ? [] : (["ambient"] as const)),
  ];
  return {
    ...sets,
    ...Object.fromEntries(extended.map((set) => [set, [...(sets[set] ?? []), ...added]])),
  };
}

/** What the process of a file has as the container's own has it, unless the file says otherwise: as with runc, no limits. */
const inherited = [
  "capabilities",
  "apparmorProfile",
  "selinuxLabel",
  "oomScoreAdj",
  "scheduler",
  "ioPriority",
  "execCPUAffinity",
] as const satisfies readonly (keyof Process)[];

/** Fills in what a process file leaves to the container, as runc does; an empty text says nothing, either. */
export function completeProcess(given: ValidatedProcess, own: ValidatedProcess): ExecProcess {
  const umask = given.user?.umask ?? own.user?.umask;
  const missing = inherited.filter((property) => isEmpty(given[property]));
  return {
    ...given,
    ...(umask === undefined ? {} : { user: { ...given.user, umask } }),
    ...Object.fromEntries(
      missing.map((property) => (isEmpty(own[property]) ? [] : [[property, own[property]]])).flat(),
    ),
  };
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === "";
}
