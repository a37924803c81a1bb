// Writes the id maps of a new user namespace; user_namespaces(7).

import { errnos } from "../abi/errno.ts";
import { execute, raiseErrno } from "../ffi/execute.ts";
import type { IDMapping } from "../spec/types.ts";
import { getegid } from "../syscall/processes.ts";
import { call } from "../syscall/value.ts";
import { tryWrite } from "./files.ts";
import { writeMapByTool } from "./mapping-tool.ts";
import { isOrdinaryUser } from "./rootless.ts";

/**
 * Writes uid_map and gid_map of the process that has made the namespace. Run by the runtime.
 *
 * An ordinary user may map one id, its own, and its group only once nobody in the namespace can leave a group by
 * setgroups(2): that could be the group whose members a file refuses. For more, newuidmap and newgidmap are asked.
 *
 * Spec: config-linux.md#user-namespace-mappings.
 *
 * @throws `syscall` fault; what `writeMapByTool` throws
 */
export function writeIdMaps(
  pid: number,
  maps: { readonly uids: readonly IDMapping[]; readonly gids: readonly IDMapping[] },
): void {
  const ordinary = isOrdinaryUser();
  if (ordinary && isOwnId(maps.gids, execute(getegid()))) {
    const path = `/proc/${pid}/setgroups`;
    const result = tryWrite(path, "deny");
    if (result < 0) raiseErrno(call("write"), `denying setgroups in ${path}`, result);
  }
  writeMap(pid, maps.uids, { file: "uid_map", tool: ordinary ? "newuidmap" : undefined });
  writeMap(pid, maps.gids, { file: "gid_map", tool: ordinary ? "newgidmap" : undefined });
}

function isOwnId([only, ...more]: readonly IDMapping[], id: number): boolean {
  return more.length === 0 && only?.hostID === id && only.size === 1;
}

function writeMap(
  pid: number,
  mappings: readonly IDMapping[],
  how: {
    readonly file: "uid_map" | "gid_map";
    readonly tool: "newuidmap" | "newgidmap" | undefined;
  },
): void {
  const path = `/proc/${pid}/${how.file}`;
  const lines = mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}`);
  const result = tryWrite(path, `${lines.join("\n")}\n`);
  if (result >= 0) return;
  if (result === -errnos.EPERM && how.tool !== undefined) writeMapByTool(how.tool, pid, mappings);
  else raiseErrno(call("write"), `writing the id map ${path} (${lines.join(", ")})`, result);
}
