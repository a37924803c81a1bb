// The container's terminal: a pseudoterminal of its own devpts, whose slave becomes the standard streams and /dev/console.

import { AT_FDCWD, atFlags, fileSystemMagic, fileTypes, openFlags } from "../abi/file.ts";
import { openTreeFlags } from "../abi/mount.ts";
import { ignore, type Step, step } from "../program/step.ts";
import type { Process } from "../spec/types.ts";
import { close, dup3, fstatfs, mknodat, openat, statx } from "../syscall/files.ts";
import { moveMount, openTree } from "../syscall/mounts.ts";
import {
  openPeer,
  setControllingTerminal,
  setWindowSize,
  unlockPeer,
} from "../syscall/terminals.ts";
import { slot } from "../syscall/value.ts";
import { inRootWithoutLinks, openInRoot } from "./root-paths.ts";

const { AT_EMPTY_PATH } = atFlags;
const { O_CLOEXEC, O_DIRECTORY, O_NOCTTY, O_PATH, O_RDWR } = openFlags;
const doing = "allocating the terminal";

/** Number of a multiplexer of pseudoterminals: /dev/ptmx, and ptmx of each devpts. */
const ptmxDevice = { major: 5, minor: 2 } as const;

/**
 * Steps that find the multiplexer of the container's devpts and leave it, unopened, as descriptor `relayFd`. That it is
 * one is verified before the batch that opens it is sent (CVE-2025-52565). Run by init, once everything is mounted.
 */
export function findMultiplexer(relayFd: number): Step[] {
  const found = slot("ptmx.path");
  return [
    openInRoot(doing, "/dev/pts/ptmx", { slot: found.value, resolve: inRootWithoutLinks }),
    step(doing, statx(found, "", AT_EMPTY_PATH), {
      slot: "ptmx.stat",
      verify: { kind: "device", type: "character", ...ptmxDevice },
    }),
    step(doing, fstatfs(found), {
      slot: "ptmx.statfs",
      verify: { kind: "file-system", magic: fileSystemMagic.DEVPTS_SUPER_MAGIC },
    }),
    step(doing, dup3(found, relayFd, O_CLOEXEC)),
    step(doing, close(found)),
  ];
}

const descriptorsSlot = "descriptors";

/**
 * Opens the directory of our own descriptors while the host's proc is in sight: the container's need not be one. Run by the
 * process of exec, before it joins the mount namespace.
 */
export function openDescriptors(): Step[] {
  const how = { flags: O_PATH | O_DIRECTORY | O_CLOEXEC };
  return [step(doing, openat(AT_FDCWD, "/proc/self/fd", how), { slot: descriptorsSlot })];
}

/**
 * Steps that make the pseudoterminal: its master as descriptor `masterFd`, where the runtime fetches it, its slave in slot
 * `terminal`. Run by init before the root is entered, while the host's proc is in sight.
 *
 * Spec: config.md#process (terminal, consoleSize).
 *
 * @param options.descriptors whether `openDescriptors` has been there, since the host's proc is out of sight
 */
export function openTerminal(
  process: Process,
  options: {
    readonly relayFd: number;
    readonly masterFd: number;
    readonly descriptors?: boolean;
  },
): Step[] {
  const { relayFd, masterFd, descriptors = false } = options;
  const reopened = descriptors
    ? openat(slot(descriptorsSlot), `${relayFd}`, multiplexerFlags)
    : openat(AT_FDCWD, `/proc/self/fd/${relayFd}`, multiplexerFlags);
  return [
    step(doing, reopened, { slot: "ptmx" }),
    step(doing, close(relayFd)),
    ...makeTerminal(process, masterFd),
  ];
}

/**
 * The same by the host's multiplexer, for a container that has the host's mounts and so no devpts of its own. Run by init before
 * it changes its root.
 */
export function openHostTerminal(process: Process, masterFd: number): Step[] {
  return [
    step(doing, openat(AT_FDCWD, "/dev/ptmx", multiplexerFlags), { slot: "ptmx" }),
    ...makeTerminal(process, masterFd),
  ];
}

const multiplexerFlags = { flags: O_RDWR | O_NOCTTY | O_CLOEXEC };

/** From the opened multiplexer to the slave. */
function makeTerminal(process: Process, masterFd: number): Step[] {
  const { width = 0, height = 0 } = process.consoleSize ?? {};
  return [
    step(doing, dup3(slot("ptmx"), masterFd, O_CLOEXEC)),
    step(doing, close(slot("ptmx"))),
    step(doing, unlockPeer(masterFd)),
    step(doing, openPeer(masterFd), { slot: "terminal" }),
    ...(width > 0 && height > 0
      ? [step(doing, setWindowSize(masterFd, { rows: height, columns: width }))]
      : []),
  ];
}

/**
 * Steps that bind the terminal over /dev/console. Run by init, behind `openTerminal`.
 *
 * Spec: runtime-linux.md and config-linux.md#default-devices: /dev/console is set up if the terminal is enabled, by binding
 * its pseudoterminal.
 */
export function bindConsole(): Step[] {
  const clone = openTreeFlags.OPEN_TREE_CLONE | openTreeFlags.OPEN_TREE_CLOEXEC;
  return [
    openInRoot("making /dev/console", "/dev", {
      slot: "console.directory",
      flags: O_DIRECTORY,
      resolve: inRootWithoutLinks,
    }),
    step(
      "making /dev/console",
      mknodat(slot("console.directory"), "console", { type: fileTypes.S_IFREG, mode: 0o620 }),
      { recovery: ignore("EEXIST") },
    ),
    step("making /dev/console", close(slot("console.directory"))),
    openInRoot("making /dev/console", "/dev/console", {
      slot: "console.target",
      resolve: inRootWithoutLinks,
    }),
    step("making /dev/console", openTree(slot("terminal"), "", clone | AT_EMPTY_PATH), {
      slot: "console",
    }),
    step("making /dev/console", moveMount(slot("console"), slot("console.target"))),
    step("making /dev/console", close(slot("console.target"))),
    step("making /dev/console", close(slot("console"))),
  ];
}

/** Steps that make the slave the standard streams and the terminal of init's session. Run by init. */
export function takeTerminal(): Step[] {
  return [
    ...[0, 1, 2].map((fd) => step(doing, dup3(slot("terminal"), fd))),
    step(doing, setControllingTerminal(0)),
    step(doing, close(slot("terminal"))),
  ];
}
