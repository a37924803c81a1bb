// What has to hold of the caller, and of CRIU, before a checkpoint or a restore is tried.

import { during, raise } from "../base/fault.ts";
import { execute } from "../ffi/execute.ts";
import type { readCriuVersion } from "../host/criu/service.ts";
import { isInUserNamespace } from "../host/facts.ts";
import { type JoinedNamespace, namespaceName } from "../plan/checkpoint.ts";
import { readIdmap } from "../spec/idmap.ts";
import type { Spec } from "../spec/types.ts";
import { geteuid } from "../syscall/processes.ts";

/** The first version that says which one it is, 3.0. */
const oldestVersion = 30000;

/**
 * Refuses callers that are not root, and warns those that are only in a user namespace, in runc's words.
 *
 * @throws `refused` fault
 */
export function refuseRootless(
  command: "checkpoint" | "restore",
  warn: (message: string) => void,
): void {
  if (execute(geteuid()) !== 0) {
    raise({
      kind: "refused",
      message: `${command} of rootless containers is not supported: criu has to be root`,
    });
  }
  if (isInUserNamespace()) warn(`runc ${command} is untested with rootless containers`);
}

/**
 * Refuses mounts whose ids are translated: CRIU binds the source as it is, and the container would have other files' rights.
 *
 * @throws `refused` fault
 */
export function refuseIdmapped(spec: Spec): void {
  const { mounts = [] } = spec;
  const index = mounts.findIndex((mount) => readIdmap(mount, spec) !== undefined);
  if (index === -1) return;
  raise({
    kind: "refused",
    message: `criu does not know idmapped mounts, and mounts[${index}] is one`,
  });
}

/**
 * Asks CRIU for its version.
 *
 * @throws `host` fault when there is no CRIU, or one too old
 */
export function requireCriu(readVersion: typeof readCriuVersion): number {
  const version = during("CRIU version check failed", readVersion);
  if (version < oldestVersion) {
    raise({
      kind: "host",
      message: `CRIU version ${version} must be ${oldestVersion} or higher`,
    });
  }
  return version;
}

/**
 * Refuses a namespace of others that this version of CRIU does not know how to leave alone.
 *
 * @throws `host` fault in runc's words
 */
export function requireLeavingAlone(
  namespaces: readonly JoinedNamespace[],
  criu: { readonly version: number; readonly process: "checkpointing" | "the restoration" },
): void {
  for (const { type, sinceVersion } of namespaces) {
    if (criu.version >= sinceVersion) continue;
    raise({
      kind: "host",
      message: `criu lacks support for external ${namespaceName(type)} namespace during ${criu.process} process (old criu version?)`,
    });
  }
}
