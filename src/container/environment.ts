// The environment of the container's program: the config's, with what the runtime has to add; pure.

import type { Answer } from "../init/answer.ts";
import { passwdSlot } from "../inside/process.ts";
import { notifyAddress } from "../plan/host-facts.ts";

/**
 * Completes the environment. Of two entries with the same name the last one counts.
 *
 * @param additions.home used when the config gives no HOME, or an empty one
 * @param additions.listenFds descriptors of socket activation, which the program is told of
 * @param additions.notifies whether it finds a notify socket, in the place of any that the config names
 * @param additions.pid the program's in its own pid namespace, when it is not the first there
 */
export function completeEnvironment(
  env: readonly string[],
  additions: {
    readonly home: string;
    readonly listenFds: number;
    readonly notifies?: boolean;
    readonly pid?: number;
  },
): string[] {
  const entries = new Map<string, string>();
  for (const item of env) {
    const at = item.indexOf("=");
    entries.set(at === -1 ? item : item.slice(0, at), item);
  }
  const home = entries.get("HOME");
  if (home === undefined || home === "HOME=") entries.set("HOME", `HOME=${additions.home}`);
  if (additions.notifies === true) {
    entries.set("NOTIFY_SOCKET", `NOTIFY_SOCKET=${notifyAddress}`);
  }
  if (additions.listenFds > 0) {
    entries.set("LISTEN_FDS", `LISTEN_FDS=${additions.listenFds}`);
    entries.set("LISTEN_PID", `LISTEN_PID=${additions.pid ?? 1}`);
  }
  const complete: string[] = [];
  for (const [, entry] of entries) complete.push(entry);
  return complete;
}

/** The home directory of a user by the /etc/passwd that init has read (inside/process.ts). */
export function homeIn(answer: Answer, uid: number): string {
  const passwd = answer.outputs.get(passwdSlot);
  const size = answer.results.get(passwdSlot) ?? 0;
  if (passwd === undefined || size <= 0) return "/";
  return findHome(new TextDecoder().decode(passwd.subarray(0, size)), uid);
}

/** The home directory of a user by /etc/passwd; `/` when it does not say. */
function findHome(passwd: string, uid: number): string {
  for (const line of passwd.split("\n")) {
    const fields = line.split(":");
    if (fields.length >= 7 && fields[2] === String(uid)) return fields[5] || "/";
  }
  return "/";
}
