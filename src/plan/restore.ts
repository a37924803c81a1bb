// What CRIU is asked for a restore: the options as data, from what the caller wants and what the container is to be.

import { raise } from "../base/fault.ts";
import type { Linux } from "../spec/types.ts";
import {
  type CriuChoices,
  externalKey,
  namespaceName,
  namespacesLeftAlone,
  sharedOptions,
} from "./checkpoint.ts";
import type { CriuOptions, ExternalMount } from "./criu.ts";

export type RestoreChoices = CriuChoices & {
  readonly lsmProfile: string | undefined;
  readonly lsmMountContext: string | undefined;
};

export const restoreLog = "restore.log";

export type RestoreFacts = {
  readonly imagesFd: number;
  readonly workFd: number | undefined;
  /** Where the rootfs is a mount whose parent nothing covers. */
  readonly root: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: Linux;
  /** Our cgroups, which the container's come to lie in. */
  readonly cgroupRoots: readonly { readonly ctrl: string; readonly path: string }[];
  readonly mounts: readonly ExternalMount[];
  /** The standard streams as they were at the checkpoint. */
  readonly descriptors: readonly string[];
  /** Where CRIU has the first of the namespaces that are left alone. */
  readonly firstNamespaceFd: number;
};

/**
 * Plans the options of a restore.
 *
 * @throws `refused` fault for a namespace that CRIU cannot join
 */
export function planRestore(choices: RestoreChoices, facts: RestoreFacts): CriuOptions {
  const { lsmProfile, lsmMountContext } = choices;
  return {
    ...sharedOptions(choices, facts),
    log_file: restoreLog,
    root: facts.root,
    evasive_devices: true,
    // Init becomes a child of ours, as if we had made it.
    rst_sibling: true,
    cg_root: facts.cgroupRoots,
    ext_mnt: facts.mounts,
    join_ns: joinedByCriu(facts.linux),
    inherit_fd: [
      ...namespacesLeftAlone(facts.linux).map(({ type }, index) => ({
        key: externalKey(type),
        fd: facts.firstNamespaceFd + index,
      })),
      // Pipes of the former caller give way to whatever ours has given us in their place.
      ...facts.descriptors.map((key, fd) => (key.includes("pipe:") ? [{ key, fd }] : [])).flat(),
    ],
    ...(lsmProfile === undefined ? {} : { lsm_profile: lsmProfile }),
    ...(lsmMountContext === undefined ? {} : { lsm_mount_context: lsmMountContext }),
  };
}

function joinedByCriu({ namespaces = [] }: Linux): NonNullable<CriuOptions["join_ns"]> {
  return namespaces
    .map(({ type, path = "" }) => {
      if (path === "" || type === "network" || type === "pid") return [];
      if (type === "cgroup") {
        raise({ kind: "refused", message: "Do not know how to handle namespace NEWCGROUP" });
      }
      return [{ ns: namespaceName(type), ns_file: path }];
    })
    .flat();
}

/** Parses /proc/PID/cgroup for CRIU, controller by controller; cgroups(7). */
export function parseCgroupRoots(
  text: string,
): readonly { readonly ctrl: string; readonly path: string }[] {
  return text
    .split("\n")
    .map((line) => {
      const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      if (controllers === undefined || path === undefined) return [];
      return controllers.split(",").map((ctrl) => ({ ctrl, path }));
    })
    .flat();
}
