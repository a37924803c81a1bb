// What init sets for the whole of its uts, network and ipc namespaces: names, the loopback device, sysctls.

import { AT_FDCWD, fileSystemMagic, openFlags, resolveFlags } from "../abi/file.ts";
import { interfaceFlags, socketFamilies, socketTypes } from "../abi/socket.ts";
import { type Step, step } from "../program/step.ts";
import { close, fstatfs, openat, openat2, writeText } from "../syscall/files.ts";
import { fsconfigCreate, fsmount, fsopen } from "../syscall/mounts.ts";
import { setdomainname, sethostname } from "../syscall/processes.ts";
import { setInterfaceFlags, socket } from "../syscall/sockets.ts";
import { slot } from "../syscall/value.ts";

/** Spec: config.md#hostname: the hostname as seen by processes in the container. */
export function planHostname(hostname: string | undefined): Step[] {
  return hostname === undefined || hostname === ""
    ? []
    : [step("setting the hostname", sethostname(hostname))];
}

/** Spec: config.md#domainname. */
export function planDomainname(domainname: string | undefined): Step[] {
  return domainname === undefined || domainname === ""
    ? []
    : [step("setting the domainname", setdomainname(domainname))];
}

/** Brings up `lo` in a network namespace that was just made; nothing else is in it. */
export function loopbackUp(): Step[] {
  const doing = "bringing up the loopback device";
  const { IFF_UP, IFF_RUNNING } = interfaceFlags;
  const { SOCK_DGRAM, SOCK_CLOEXEC } = socketTypes;
  return [
    step(doing, socket(socketFamilies.AF_INET, SOCK_DGRAM | SOCK_CLOEXEC), { slot: "lo" }),
    step(doing, setInterfaceFlags(slot("lo"), "lo", IFF_UP | IFF_RUNNING)),
    step(doing, close(slot("lo"))),
  ];
}

/** The root of a procfs that no container can have changed. */
export const procSlot = "proc";

/**
 * Steps that open the host's procfs as the private one, while it is in sight: in a user namespace no other can be made
 * for a pid namespace that is not owned by it.
 */
export function openHostProc(): Step[] {
  const doing = "opening the host's procfs";
  const flags = openFlags.O_PATH | openFlags.O_DIRECTORY | openFlags.O_CLOEXEC;
  return [step(doing, openat(AT_FDCWD, "/proc", { flags }), { slot: procSlot }), isProc(doing)];
}

function isProc(doing: string): Step {
  return step(doing, fstatfs(slot(procSlot)), {
    slot: "proc.stat",
    verify: { kind: "file-system", magic: fileSystemMagic.PROC_SUPER_MAGIC },
  });
}

/**
 * Steps that make a procfs of our own, which no container can have put something over (CVE-2025-52881), in slot `proc`.
 * Run by init in its pid namespace, before the root is entered: in a user namespace the kernel only allows it while the
 * host's proc is in sight.
 */
export function openPrivateProc(): Step[] {
  const doing = "making a private procfs";
  return [
    step(doing, fsopen("proc"), { slot: "proc.context" }),
    step(doing, fsconfigCreate(slot("proc.context"))),
    step(doing, fsmount(slot("proc.context"), 0), { slot: procSlot }),
    step(doing, close(slot("proc.context"))),
    isProc(doing),
  ];
}

/**
 * Steps that write the sysctls. Needs the private procfs. Run by init.
 *
 * Spec: config-linux.md#sysctl: kernel parameters modified at runtime for the container.
 */
export function planSysctls(sysctls: Readonly<Record<string, string>>): Step[] {
  const { RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV } =
    resolveFlags;
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return Object.entries(sysctls)
    .map(([key, value], index) => {
      const doing = `setting the sysctl ${key} to ${JSON.stringify(value)}`;
      const here = `sysctl${index}`;
      const path = sysctlPath(key);
      const flags = openFlags.O_WRONLY | openFlags.O_CLOEXEC;
      return [
        step(doing, openat2(slot(procSlot), path, { flags, resolve }), { slot: here }),
        step(doing, writeText(slot(here), value), { target: JSON.stringify(path) }),
        step(doing, close(slot(here))),
      ];
    })
    .flat();
}

/** Closes the private procfs, once the last sysctl is set. */
export function closePrivateProc(): Step[] {
  return [step("closing the private procfs", close(slot(procSlot)))];
}

/** sysctl.d(5): the first separator decides; in the form with slashes a dot is part of a name. */
function sysctlPath(key: string): string {
  const dot = key.indexOf(".");
  const slash = key.indexOf("/");
  const slashed = slash !== -1 && (dot === -1 || slash < dot);
  return `sys/${slashed ? key : key.replace(/[./]/g, (c) => (c === "." ? "/" : "."))}`;
}
