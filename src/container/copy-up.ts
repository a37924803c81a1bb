// Has init copy what a new tmpfs covers into it (`tmpcopyup`): a walk through the covered directory, decided here, done there.

import { fileTypes } from "../abi/file.ts";
import { readField, statxBuffer } from "../abi/struct.ts";
import { present } from "../base/assert.ts";
import { raise } from "../base/fault.ts";
import type { Answer } from "../init/answer.ts";
import { drive, type LiveInit } from "../init/drive.ts";
import {
  beginCopy,
  type CopiedEntry,
  endCopy,
  goOnCopying,
  lookAt,
  openBoth,
  type SeenEntry,
  type Sides,
} from "../inside/mounts/copy-up.ts";
import { batch } from "../program/program.ts";
import { type Step, step } from "../program/step.ts";
import { close, getdents64, umask } from "../syscall/files.ts";

/** So many entries are copied at a time: each takes up to three descriptors of init. */
const entriesAtOnce = 32;
/** The image may be hostile: a walk has an end, and init has two descriptors for each level. */
const entriesMax = 1_000_000;
const depthMax = 400;
const listBytes = 32 * 1024;

type Walk = {
  /** Has init execute the steps. */
  readonly run: (steps: readonly Step[]) => Answer;
  copied: number;
};

type Directory = Sides & {
  /** For messages. */
  readonly path: string;
  readonly doing: string;
  readonly depth: number;
};

/**
 * Copies. Run by the runtime between two batches of init, in whose slots `NAME.from` and `NAME.into` the two directories are.
 *
 * Modes, owners, links and nodes are kept, as with runc; times, hard links and extended attributes are not.
 *
 * @throws `syscall` fault, ENOSPC when the tmpfs is too small for instance; `refused` beyond the limits
 */
export function copyUp(
  init: LiveInit,
  mount: { readonly doing: string; readonly name: string; readonly destination: string },
): void {
  const walk: Walk = {
    run: (steps) => drive(init, { parts: [batch("copy up", steps)] }),
    copied: 0,
  };
  const doing = `${mount.doing}: tmpcopyup: failed to copy`;
  const known = (side: string): number =>
    present(init.results.get(`${mount.name}.${side}`), `the side ${side}`);
  const directory = { from: known("from"), into: known("into"), doing, depth: 0 };
  // Modes are those of the originals.
  const { results } = walk.run([step(doing, umask(0), { slot: "umask" })]);
  copyDirectory(walk, { ...directory, path: mount.destination });
  walk.run([step(doing, umask(results.get("umask") ?? 0)), ...closeBoth(directory)]);
}

function closeBoth({ doing, from, into }: Omit<Directory, "path">): Step[] {
  return [step(doing, close(from)), step(doing, close(into))];
}

/** Depth first: the directories above are the only ones that are open. */
function copyDirectory(walk: Walk, directory: Directory): void {
  const below = listNames(walk, directory);
  walk.copied += below.length;
  if (walk.copied > entriesMax) refuse(directory, `more than ${entriesMax} entries`);
  const directories: CopiedEntry[] = [];
  for (let at = 0; at < below.length; at += entriesAtOnce) {
    const seen = copyEntries(walk, directory, below.slice(at, at + entriesAtOnce));
    directories.push(...seen.filter(isDirectory));
  }
  for (const entry of directories) {
    if (directory.depth === depthMax) refuse(directory, `more than ${depthMax} levels`);
    const { results } = walk.run(openBoth(entry, directory));
    const inner = {
      from: present(results.get(`${entry.key}.from`), "the directory"),
      into: present(results.get(`${entry.key}.into`), "its copy"),
      path: pathOf(directory, entry.name),
      doing: directory.doing,
      depth: directory.depth + 1,
    };
    copyDirectory(walk, inner);
    walk.run(closeBoth(inner));
  }
}

function refuse({ doing, path }: Directory, what: string): never {
  return raise({ kind: "refused", message: `${doing} ${path}: ${what}` });
}

function isDirectory({ mode }: SeenEntry): boolean {
  return (mode & fileTypes.S_IFMT) === fileTypes.S_IFDIR;
}

const decoder = new TextDecoder();

function pathOf({ path }: Directory, name: Uint8Array): string {
  return `${path.replace(/\/+$/, "")}/${decoder.decode(name)}`;
}

function listNames(walk: Walk, { doing, path, from }: Directory): readonly Uint8Array[] {
  const names: Uint8Array[] = [];
  while (names.length <= entriesMax) {
    const list = step(`${doing} ${path}`, getdents64(from, listBytes), { slot: "list" });
    const { results, outputs } = walk.run([list]);
    const lengthBytes = results.get("list") ?? 0;
    if (lengthBytes === 0) break;
    names.push(...readNames(present(outputs.get("list"), "the list").subarray(0, lengthBytes)));
  }
  return names;
}

/** The names of `struct linux_dirent64` records, but "." and ".."; getdents64(2). */
function readNames(records: Uint8Array): readonly Uint8Array[] {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  const names: Uint8Array[] = [];
  for (let at = 0; at < records.byteLength; at += view.getUint16(at + 16, true)) {
    const name = records.slice(at + 19, records.indexOf(0, at + 19));
    const dots = name.every((byte) => byte === 0x2e) && name.byteLength <= 2;
    if (!dots) names.push(name);
  }
  return names;
}

/** Copies some entries, of a directory that which is in it stays to be copied. */
function copyEntries(
  { run }: Walk,
  directory: Directory,
  names: readonly Uint8Array[],
): readonly SeenEntry[] {
  const entries = names.map((name, index) => ({
    key: `copy${index}`,
    doing: `${directory.doing} ${pathOf(directory, name)}`,
    name,
  }));
  const looked = run(entries.map((entry) => lookAt(entry, directory.from)));
  const seen = entries.map((entry) => readSeen(entry, looked)).flat();
  if (seen.length === 0) return seen;
  const begin = seen.map((entry) => beginCopy(entry, directory.into)).flat();
  const begun = begin.length > 0 ? run(begin) : undefined;
  for (let rest = unfinished(seen, begun); rest.length > 0; ) {
    rest = unfinished(rest, run(rest.map(goOnCopying).flat()));
  }
  run(seen.map((entry) => endCopy(entry, directory.into, linkTarget(entry, begun))).flat());
  return seen;
}

function readSeen(entry: CopiedEntry, { results, outputs }: Answer): readonly SeenEntry[] {
  const stat = outputs.get(`${entry.key}.stat`);
  const fd = results.get(entry.key);
  if (stat === undefined || fd === undefined) return [];
  const field = (name: string): number => readField(statxBuffer, stat, name);
  return [
    {
      ...entry,
      fd,
      mode: field("stx_mode"),
      uid: field("stx_uid"),
      gid: field("stx_gid"),
      device: { major: field("stx_rdev_major"), minor: field("stx_rdev_minor") },
    },
  ];
}

/** Those whose contents have not come to their end. */
function unfinished(
  entries: readonly SeenEntry[],
  answer: Answer | undefined,
): readonly SeenEntry[] {
  return entries.filter(({ key }) => (answer?.results.get(`${key}.sent`) ?? 0) > 0);
}

function linkTarget({ key }: SeenEntry, answer: Answer | undefined): Uint8Array | undefined {
  const lengthBytes = answer?.results.get(`${key}.link`);
  const output = answer?.outputs.get(`${key}.link`);
  return lengthBytes === undefined ? undefined : output?.slice(0, lengthBytes);
}
