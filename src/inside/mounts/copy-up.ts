// Steps that copy what a new tmpfs covers into it (`tmpcopyup`): one directory's entries at a time, by descriptors; what comes
// next is decided by who has seen the answers (container/copy-up.ts).
//
// Names and targets of links are bytes here: an image may hold what is no text. Contents are moved by the kernel, and
// never pass through the runtime.

import { AT_FDCWD, atFlags, fileTypes, makeDevice, openFlags } from "../../abi/file.ts";
import { ignore, type Step, step } from "../../program/step.ts";
import { close, fchmod, fchownat, openat, readlinkat, statx } from "../../syscall/files.ts";
import {
  bytes,
  call,
  type Fd,
  fdOperand,
  flags,
  hex,
  number,
  type Operand,
  octal,
  type Syscall,
  slot,
} from "../../syscall/value.ts";

const { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } = atFlags;
const { O_CLOEXEC, O_CREAT, O_DIRECTORY, O_EXCL, O_NOCTTY, O_NOFOLLOW, O_NONBLOCK } = openFlags;
const { O_PATH, O_WRONLY } = openFlags;

/** The longest target that a symbolic link can have. */
const linkMaxBytes = 4096;

/** An entry of the covered directory that is being copied. */
export type CopiedEntry = {
  /** Of its slots, different from those of the entries copied at the same time. */
  readonly key: string;
  readonly doing: string;
  readonly name: Uint8Array;
};

/** What is known of it once it has been looked at. */
export type SeenEntry = CopiedEntry & {
  /** Its descriptor, opened with O_PATH. */
  readonly fd: number;
  /** Type and mode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly device: { readonly major: number; readonly minor: number };
};

/** Opens both directories for what follows: the one that is covered in `NAME.from`, the root of the tmpfs in `NAME.into`. */
export function openForCopy(doing: string, name: string): Step[] {
  const how = { flags: O_DIRECTORY | O_CLOEXEC };
  return [
    step(doing, openat(slot(`${name}.target`), ".", how), { slot: `${name}.from` }),
    step(doing, openat(slot(name), ".", how), { slot: `${name}.into` }),
  ];
}

/** Looks at an entry: whatever it is, nothing happens to it. One that has gone meanwhile is passed over. */
export function lookAt(entry: CopiedEntry, from: Fd): Step {
  const { doing, key, name } = entry;
  return step(doing, openName(from, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), {
    slot: key,
    recovery: ignore("ENOENT"),
    onSuccess: [step(doing, statx(slot(key), "", AT_EMPTY_PATH), { slot: `${key}.stat` })],
  });
}

/** Begins the copy: contents, as far as one call moves them (`KEY.sent`), the target of a link (`KEY.link`). */
export function beginCopy(entry: SeenEntry, into: Fd): Step[] {
  const { doing, key, fd, mode, name } = entry;
  const type = mode & fileTypes.S_IFMT;
  if (type === fileTypes.S_IFLNK) {
    return [step(doing, readlinkat(fd, "", linkMaxBytes), { slot: `${key}.link` })];
  }
  if (type !== fileTypes.S_IFREG) return [];
  // The very file that was looked at: by now its name could be that of a device.
  const reading = { flags: O_NONBLOCK | O_NOCTTY | O_CLOEXEC };
  const writing = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  return [
    step(doing, openat(AT_FDCWD, `/proc/self/fd/${fd}`, reading), { slot: `${key}.in` }),
    step(doing, openName(into, name, writing, 0o600), { slot: `${key}.out` }),
    ...goOnCopying(entry),
  ];
}

/** As much as one call moves; there is no more when it is 0. */
const sendMaxBytes = 0x7fff_f000;

/** Moves more of a file's contents; an error that has ended a call halfway is that of the next one. */
export function goOnCopying({ doing, key }: CopiedEntry): Step[] {
  return [
    step(
      doing,
      call("sendfile", slot(`${key}.out`), slot(`${key}.in`), number(0), number(sendMaxBytes)),
      { slot: `${key}.sent` },
    ),
  ];
}

/** Ends the copy: what has no contents is made, and everything gets its owner and then its mode, which a new owner changes. */
export function endCopy(
  entry: SeenEntry,
  into: Fd,
  linkTarget: Uint8Array | undefined,
): readonly Step[] {
  const { doing, key, name, fd, mode, device } = entry;
  const owner = { uid: entry.uid, gid: entry.gid };
  const permissions = mode & ~fileTypes.S_IFMT;
  const done = step(doing, close(fd));
  switch (mode & fileTypes.S_IFMT) {
    case fileTypes.S_IFREG:
      return [
        step(doing, fchownat(slot(`${key}.out`), "", { ...owner, flags: AT_EMPTY_PATH })),
        step(doing, fchmod(slot(`${key}.out`), permissions)),
        step(doing, close(slot(`${key}.out`))),
        step(doing, close(slot(`${key}.in`))),
        done,
      ];
    case fileTypes.S_IFDIR:
      return [
        step(doing, call("mkdirat", fdOperand(into), nameOperand(name), octal(0o700))),
        step(doing, chownName(into, name, owner)),
        step(doing, call("fchmodat", fdOperand(into), nameOperand(name), octal(permissions))),
        done,
      ];
    case fileTypes.S_IFLNK: {
      const target = nameOperand(linkTarget ?? new Uint8Array());
      return [
        step(doing, call("symlinkat", target, fdOperand(into), nameOperand(name))),
        step(doing, chownName(into, name, owner)),
        done,
      ];
    }
    default: {
      const node = hex(makeDevice(device));
      return [
        step(doing, call("mknodat", fdOperand(into), nameOperand(name), octal(mode), node)),
        step(doing, chownName(into, name, owner)),
        done,
      ];
    }
  }
}

/** Opens a directory of both sides, in `KEY.from` and `KEY.into`. */
export function openBoth({ doing, key, name }: CopiedEntry, sides: Sides): Step[] {
  const how = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  return [
    step(doing, openName(sides.from, name, how), { slot: `${key}.from` }),
    step(doing, openName(sides.into, name, how), { slot: `${key}.into` }),
  ];
}

/** A directory that is covered, and its copy. */
export type Sides = { readonly from: number; readonly into: number };

function openName(directory: Fd, name: Uint8Array, how: number, mode = 0): Syscall {
  return call(
    "openat",
    fdOperand(directory),
    nameOperand(name),
    flags(openFlags, how),
    octal(mode),
  );
}

function chownName(
  directory: Fd,
  name: Uint8Array,
  owner: { readonly uid: number; readonly gid: number },
): Syscall {
  return call(
    "fchownat",
    fdOperand(directory),
    nameOperand(name),
    number(owner.uid),
    number(owner.gid),
    flags({ AT_SYMLINK_NOFOLLOW }, AT_SYMLINK_NOFOLLOW),
  );
}

function nameOperand(name: Uint8Array): Operand {
  const ended = new Uint8Array(name.byteLength + 1);
  ended.set(name);
  return bytes(ended);
}
