// The options of `exec` as the container room wants them; what the container is like is not known here.

import { raise } from "../base/fault.ts";
import type { ExecOptions } from "../foreground/exec.ts";
import { parseSubCgroups } from "../plan/exec-cgroup.ts";
import { parseContainerId } from "../spec/container-id.ts";
import type { ProcessChanges } from "../spec/exec-process.ts";
import { absolutePath } from "./absolute-path.ts";
import { readPreserveFds } from "./creation-options.ts";
import type { Invocation } from "./invocation.ts";
import { flag, integers, type OptionValues, text, texts } from "./options.ts";

/**
 * Reads the options.
 *
 * @throws FaultError where one of them cannot be meant
 */
export function readExecOptions(invocation: Invocation): ExecOptions {
  const { globals, values, positionals, log } = invocation;
  const [id = "", ...args] = positionals;
  const processFile = readPath(values, "process");
  return {
    root: globals.root,
    id: parseContainerId(id),
    process:
      processFile === undefined
        ? { kind: "changes", changes: readChanges(values, args) }
        : { kind: "file", path: processFile },
    detach: flag(values, "detach"),
    consoleSocket: readPath(values, "console-socket"),
    pidfdSocket: readPath(values, "pidfd-socket"),
    pidFile: readPath(values, "pid-file"),
    preserveFds: readPreserveFds(values),
    subCgroups: parseSubCgroups(texts(values, "cgroup")),
    ignorePaused: flag(values, "ignore-paused"),
    warn: log.warning,
  };
}

function readPath(values: OptionValues, name: string): string | undefined {
  const path = text(values, name);
  return path === undefined ? undefined : absolutePath(path);
}

function readChanges(values: OptionValues, args: readonly string[]): ProcessChanges {
  if (args.length === 0) raise({ kind: "refused", message: "exec args cannot be empty" });
  const user = values.get("user");
  return {
    args,
    cwd: text(values, "cwd"),
    env: texts(values, "env"),
    terminal: flag(values, "tty"),
    user: typeof user === "string" ? parseUser(user) : undefined,
    additionalGids: integers(values, "additional-gids").map((gid) => requireId(gid)),
    capabilities: texts(values, "cap"),
    noNewPrivileges: values.has("no-new-privs") ? flag(values, "no-new-privs") : undefined,
    apparmorProfile: text(values, "apparmor"),
    selinuxLabel: text(values, "process-label"),
  };
}

/**
 * Parses `UID` or `UID:GID`, decimal numbers and nothing else: a part that is taken for 0 would be root (CVE-2026-30892).
 *
 * @throws `refused` fault
 */
function parseUser(given: string): { readonly uid: number; readonly gid: number | undefined } {
  const [, uid, gid] = /^(\d+)(?::(\d+))?$/.exec(given) ?? [];
  if (uid === undefined) {
    return raise({
      kind: "refused",
      message: `invalid --user ${JSON.stringify(given)}: want UID or UID:GID, in digits`,
    });
  }
  return {
    uid: requireId(uid),
    gid: gid === undefined ? undefined : requireId(gid),
  };
}

/** The last number of 32 bits means "leave it as it is" to the kernel. */
const idMax = 0xffff_fffe;

function requireId(given: string | number): number {
  const id = Number(given);
  if (id >= 0 && id <= idMax) return id;
  return raise({ kind: "refused", message: `${given} is not an id: want 0 to ${idMax}` });
}
