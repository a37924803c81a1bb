// Names of sysctls: their two spellings and which namespace holds them; not their writing.

import type { NamespaceType } from "./types.ts";

const ipcSysctls: ReadonlySet<string> = new Set([
  "msgmax",
  "msgmnb",
  "msgmni",
  "sem",
  "shmall",
  "shmmax",
  "shmmni",
  "shm_rmid_forced",
]);

/**
 * The components of a sysctl's path below /proc/sys. The first separator decides: in `net.ipv4.conf.eth0/1.mtu` a slash
 * stands for a dot within a name, in `net/ipv4/conf/eth0.1/mtu` a dot is just a dot (sysctl(8)).
 */
export function sysctlComponents(key: string): readonly string[] {
  const first = /[./]/.exec(key)?.[0];
  if (first === "/") return key.split("/");
  return key.split(".").map((component) => component.replaceAll("/", "."));
}

/** The namespace that must not be the host's for a sysctl to be set in it; undefined for those of the whole host. */
export function sysctlNamespace(components: readonly string[]): NamespaceType | undefined {
  const [first, second = "", ...rest] = components;
  if (first === "net" && second !== "") return "network";
  if (first === "user" && second !== "") return "user";
  if (first === "fs" && second === "mqueue" && rest.length > 0) return "ipc";
  if (first !== "kernel" || rest.length > 0) return undefined;
  if (ipcSysctls.has(second)) return "ipc";
  return second === "domainname" || second === "hostname" ? "uts" : undefined;
}
