// Device nodes and the links of /dev, made through the descriptor of the directory that holds them.

import { AT_FDCWD, atFlags, type DeviceNumber, fileTypes, openFlags } from "../abi/file.ts";
import { openTreeFlags } from "../abi/mount.ts";
import {
  ignore,
  rarelyInStages,
  type Stages,
  type Step,
  step,
  type Verification,
} from "../program/step.ts";
import type { Device } from "../spec/types.ts";
import {
  close,
  fchownat,
  mknodat,
  openat,
  statx,
  symlinkat,
  umask,
  unlinkat,
} from "../syscall/files.ts";
import { moveMount, openTree } from "../syscall/mounts.ts";
import { call, fdOperand, flags, octal, type Syscall, slot, text } from "../syscall/value.ts";
import { inRootWithoutLinks, openInRoot, openTarget } from "./root-paths.ts";

const { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } = atFlags;
const { O_CLOEXEC, O_NOFOLLOW, O_PATH } = openFlags;

/** Spec: config-linux.md#default-devices: the runtime MUST supply these. */
const defaultDevices: readonly Device[] = [
  { type: "c", path: "/dev/null", major: 1, minor: 3 },
  { type: "c", path: "/dev/zero", major: 1, minor: 5 },
  { type: "c", path: "/dev/full", major: 1, minor: 7 },
  { type: "c", path: "/dev/random", major: 1, minor: 8 },
  { type: "c", path: "/dev/urandom", major: 1, minor: 9 },
  { type: "c", path: "/dev/tty", major: 5, minor: 0 },
];

/** Spec: runtime-linux.md#dev-symbolic-links: MUST be provided. */
const deviceLinks: readonly (readonly [name: string, target: string])[] = [
  ["fd", "/proc/self/fd"],
  ["stdin", "/proc/self/fd/0"],
  ["stdout", "/proc/self/fd/1"],
  ["stderr", "/proc/self/fd/2"],
];

/** The devices of config.json, without slashes that mean nothing, and the default ones that it does not list itself. */
export function effectiveDevices(listed: readonly Device[]): readonly Device[] {
  const clean = listed.map((device) => ({
    ...device,
    path: device.path.replace(/\/+/g, "/").replace(/(?<=.)\/$/, ""),
  }));
  const paths = new Set(clean.map(({ path }) => path));
  return [...defaultDevices.filter(({ path }) => !paths.has(path)), ...clean];
}

/**
 * Steps that make the devices and the links of /dev. Run by init before the root is entered.
 *
 * @param options.bind bind the host's nodes instead of making new ones: in a user namespace mknod(2) is refused
 */
export function planDevices(
  devices: readonly Device[],
  options: { readonly bind: boolean; readonly hostHasKcore: boolean },
): Step[] {
  const make = options.bind ? bindDevice : makeDevice;
  return [
    // Modes are given exactly.
    step("making devices", umask(0)),
    ...groupByDirectory(devices)
      .map(({ directory, entries }, index) => {
        const here = `devices${index}`;
        return [
          openTarget(`opening ${directory} for devices`, directory, {
            slot: here,
            kind: "directory",
            ...(directory === "/dev" ? { resolve: inRootWithoutLinks } : {}),
          }),
          ...entries
            .map(({ name, device }, number) =>
              make(device, { name, directory: here, slotName: `${here}.${number}` }),
            )
            .flat(),
          ...(directory === "/dev" ? linkSteps(here, options.hostHasKcore) : []),
          step(`making devices in ${directory}`, close(slot(here))),
        ];
      })
      .flat(),
    step("making devices", umask(0o022)),
  ];
}

function groupByDirectory(devices: readonly Device[]): readonly {
  readonly directory: string;
  readonly entries: readonly { readonly name: string; readonly device: Device }[];
}[] {
  const groups = new Map<string, { name: string; device: Device }[]>([["/dev", []]]);
  for (const device of devices) {
    const at = device.path.lastIndexOf("/");
    const directory = device.path.slice(0, at) || "/";
    const entry = { name: device.path.slice(at + 1), device };
    const group = groups.get(directory);
    if (group === undefined) groups.set(directory, [entry]);
    else group.push(entry);
  }
  return [...groups].map(([directory, entries]) => ({ directory, entries }));
}

type Place = { readonly name: string; readonly directory: string; readonly slotName: string };

/** mknod(2). */
function makeDevice(device: Device, { name, directory, slotName }: Place): Step[] {
  const doing = `making the device ${device.path}`;
  const mode = (device.fileMode ?? 0o666) & 0o7777;
  const node = { type: nodeType(device), mode, device: deviceNumber(device) };
  const { uid = 0, gid = 0 } = device;
  const named = { uid, gid, flags: AT_SYMLINK_NOFOLLOW };
  const place = { name, directory, slotName };
  return [
    step(doing, mknodat(slot(directory), name, node), {
      ...(uid === 0 && gid === 0
        ? {}
        : { onSuccess: [step(doing, fchownat(slot(directory), name, named))] }),
      recovery: rarelyInStages("EEXIST", "skip", () => takeDevice(device, mode, place)),
    }),
  ];
}

/**
 * Takes a node that is there already: once it is verified to be the right one its mode and owner are changed. By the descriptor: by
 * its name it could be another one by then. Kernels before 6.6 leave the mode as it is.
 */
function* takeDevice(device: Device, mode: number, { name, directory, slotName }: Place): Stages {
  const doing = `making the device ${device.path}`;
  const found = `${slotName}.found`;
  const { uid = 0, gid = 0 } = device;
  yield [
    step(doing, openat(slot(directory), name, { flags: O_PATH | O_NOFOLLOW | O_CLOEXEC }), {
      slot: found,
    }),
    step(doing, statx(slot(found), "", AT_EMPTY_PATH), {
      slot: `${found}.stat`,
      target: device.path,
      verify: demandDevice(device),
    }),
  ];
  yield [
    step(doing, changeMode(found, mode), { recovery: ignore("ENOSYS", "EOPNOTSUPP", "EROFS") }),
    ...(uid === 0 && gid === 0
      ? []
      : [step(doing, fchownat(slot(found), "", { uid, gid, flags: AT_EMPTY_PATH }))]),
    step(doing, close(slot(found))),
  ];
}

function demandDevice(device: Device): Verification {
  const types = { c: "character", u: "character", b: "block", p: "fifo" } as const;
  return { kind: "device", type: types[device.type], ...deviceNumber(device) };
}

/** fchmodat2(2) on an O_PATH descriptor. */
function changeMode(fd: string, mode: number): Syscall {
  return call(
    "fchmodat2",
    fdOperand(slot(fd)),
    text(""),
    octal(mode),
    flags(atFlags, AT_EMPTY_PATH),
  );
}

/** The host's node, found by its path and verified by its number, bound over an empty file. */
function bindDevice(device: Device, { name, directory, slotName }: Place): Step[] {
  const doing = `binding the device ${device.path}`;
  const source = `${slotName}.source`;
  const target = `${slotName}.target`;
  const flags = openTreeFlags.OPEN_TREE_CLONE | openTreeFlags.OPEN_TREE_CLOEXEC;
  const file = { type: fileTypes.S_IFREG, mode: 0o666 };
  return [
    step(doing, openTree(AT_FDCWD, device.path, flags), { slot: source }),
    step(doing, statx(slot(source), "", AT_EMPTY_PATH), {
      slot: `${source}.stat`,
      target: device.path,
      verify: demandDevice(device),
    }),
    step(doing, mknodat(slot(directory), name, file), { recovery: ignore("EEXIST") }),
    step(doing, openat(slot(directory), name, { flags: O_PATH | O_NOFOLLOW | O_CLOEXEC }), {
      slot: target,
    }),
    step(doing, moveMount(slot(source), slot(target))),
    step(doing, close(slot(target))),
    step(doing, close(slot(source))),
  ];
}

function linkSteps(directory: string, hostHasKcore: boolean): Step[] {
  const doing = "making the links of /dev";
  const links = hostHasKcore ? [...deviceLinks, ["core", "/proc/kcore"] as const] : deviceLinks;
  return [
    ...links.map(([name, target]) =>
      step(doing, symlinkat(target, slot(directory), name), { recovery: ignore("EEXIST") }),
    ),
    // An image's own ptmx would be the host's multiplexer, or a trap; ours is that of the container's devpts. What
    // cannot be removed here (a directory, a mount) makes the next step fail.
    step(doing, unlinkat(slot(directory), "ptmx"), { recovery: ignore("ENOENT") }),
    step(doing, symlinkat("pts/ptmx", slot(directory), "ptmx")),
  ];
}

/** Opens the container's /dev/null, verified, for use as a source of binds; slot `null`. */
export function openNull(): Step[] {
  const doing = "opening the container's /dev/null";
  return [
    openInRoot(doing, "/dev/null", {
      slot: nullSlot,
      flags: O_NOFOLLOW,
      resolve: inRootWithoutLinks,
    }),
    step(doing, statx(slot(nullSlot), "", AT_EMPTY_PATH), {
      slot: "null.stat",
      verify: { kind: "device", type: "character", major: 1, minor: 3 },
    }),
  ];
}

export const nullSlot = "null";

function nodeType(device: Device): number {
  switch (device.type) {
    case "b":
      return fileTypes.S_IFBLK;
    case "p":
      return fileTypes.S_IFIFO;
    case "c":
    case "u":
      return fileTypes.S_IFCHR;
  }
}

function deviceNumber(device: Device): DeviceNumber {
  return { major: device.major ?? 0, minor: device.minor ?? 0 };
}
