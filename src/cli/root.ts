// Where the containers' state lies: --root, or the default for who is calling; not what lies there (container/store.ts).

import { openFlags } from "../abi/file.ts";
import { raise } from "../base/fault.ts";
import { must } from "../ffi/execute.ts";
import { makeDirectories, openFile } from "../host/files.ts";
import { isInMappedNamespace, isOrdinaryUser } from "../host/rootless.ts";
import { fchmodat } from "../syscall/files.ts";
import { absolutePath } from "./absolute-path.ts";

const defaultRoot = "/run/ts-runc";

/**
 * Finds the state root and, for a rootless caller's default, makes it with the sticky bit that keeps cleaners of
 * $XDG_RUNTIME_DIR away.
 *
 * @param given the value of --root; undefined when it was not given
 * @throws FaultError `refused` for `/` and the empty path
 */
export function findRoot(given: string | undefined): string {
  if (given === undefined) return findDefaultRoot(process.env);
  const root = given === "" ? "/" : absolutePath(given);
  // An empty text is what a script's unset variable yields: runc takes the current directory for it.
  if (root === "/") {
    raise({ kind: "refused", message: "Option --root argument should not be set to /" });
  }
  return root;
}

function findDefaultRoot(environment: Readonly<Record<string, string | undefined>>): string {
  const runtimeDirectory = environment["XDG_RUNTIME_DIR"] ?? "";
  if (runtimeDirectory === "" || !isRootless(environment["USER"])) return defaultRoot;
  const root = absolutePath(`${runtimeDirectory}/ts-runc`);
  const doing = "making the state directory in $XDG_RUNTIME_DIR";
  makeDirectories(root, 0o700, doing);
  // Through a descriptor, and not through a link: the variable may be somebody else's.
  const { O_DIRECTORY, O_NOFOLLOW } = openFlags;
  using directory = openFile(root, { flags: O_DIRECTORY | O_NOFOLLOW, doing });
  must(fchmodat(directory.fd, ".", 0o1700), doing);
  return root;
}

/** Not root, or root only inside a user namespace whose environment does not say that it means to be root. */
function isRootless(user: string | undefined): boolean {
  return isOrdinaryUser() || (user !== "root" && isInMappedNamespace());
}
