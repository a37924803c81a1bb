// Writes the id maps of a new user namespace; user_namespaces(7).

import { raiseErrno } from "../ffi/execute.ts";
import type { IDMapping } from "../spec/types.ts";
import { call } from "../syscall/value.ts";
import { tryWrite } from "./files.ts";

/**
 * Writes uid_map and gid_map of the process that has made the namespace. Run by the runtime.
 *
 * Spec: config-linux.md#user-namespace-mappings.
 *
 * @throws `syscall` fault
 */
export function writeIdMaps(
  pid: number,
  maps: { readonly uids: readonly IDMapping[]; readonly gids: readonly IDMapping[] },
): void {
  writeMap(`/proc/${pid}/uid_map`, maps.uids);
  writeMap(`/proc/${pid}/gid_map`, maps.gids);
}

function writeMap(path: string, mappings: readonly IDMapping[]): void {
  const lines = mappings.map(
    ({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`,
  );
  const result = tryWrite(path, lines.join(""));
  if (result < 0) raiseErrno(call("write"), `writing the id map ${path}`, result);
}
