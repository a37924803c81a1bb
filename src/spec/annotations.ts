// The annotations of crun and of runc that mean something to this version too; every other one is only handed on.

import type { Spec } from "./types.ts";

/** Keeps the supplementary groups of the caller instead of setting those of the config, whatever its value is. */
export const keepOriginalGroups = "run.oci.keep_original_groups";
/** A unix socket that is to get the pidfd of init, as the one of `--pidfd-socket` does. */
export const pidfdReceiver = "run.oci.pidfd_receiver";
/** A file with settings for CRIU, which stand above what checkpoint and restore ask. */
export const criuConfig = "org.criu.config";

/** The base64 of an array of `struct sock_filter`, which is loaded in place of what linux.seccomp says of calls. */
export const seccompBpfData = "run.oci.seccomp_bpf_data";

/** A group below the unit of systemd: the container's own group then, with its limits. */
export const systemdSubgroup = "run.oci.systemd.subgroup";
/** A group below the container's own, without limits, into which init goes once its cgroup namespace is there. */
export const delegateCgroup = "run.oci.delegate-cgroup";

/** Those of which features says that a caller should not take them from a stranger. */
export const obeyedAnnotations: readonly string[] = [
  keepOriginalGroups,
  pidfdReceiver,
  criuConfig,
  seccompBpfData,
  systemdSubgroup,
  delegateCgroup,
];

/** Whether the container's processes keep the groups of who starts them. */
export function keepsGroups({ annotations }: Spec): boolean {
  return annotations?.[keepOriginalGroups] !== undefined;
}

/** Where the pidfd of init is to be sent besides the command line's wish; undefined without one. */
export function pidfdReceiverOf({ annotations }: Spec): string | undefined {
  const path = annotations?.[pidfdReceiver] ?? "";
  return path === "" ? undefined : path;
}

/** Which groups a config asks for beside the usual one; an empty name asks for none, as with crun. */
export function subgroupsOf({ annotations }: Pick<Spec, "annotations">): {
  readonly subgroup: string;
  readonly delegated: string;
} {
  return {
    subgroup: annotations?.[systemdSubgroup] ?? "",
    delegated: annotations?.[delegateCgroup] ?? "",
  };
}

/** Whether a config has a seccomp filter, by profile or brought along. */
export function hasFilter({ linux, annotations }: Spec): boolean {
  return linux?.seccomp !== undefined || annotations?.[seccompBpfData] !== undefined;
}

/** The filter that a config brings along; undefined without one. */
export function rawFilterOf({ annotations }: Spec): Uint8Array | undefined {
  const text = annotations?.[seccompBpfData];
  return text === undefined ? undefined : Uint8Array.fromBase64(text);
}
