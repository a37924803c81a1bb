// Making a mount point that a symbolic link of the image stands for and that is not there: link by link, from the root's
// descriptor. As with runc, what the link leads to is made; unlike a path, a link cannot lead out of the root here.

import { atFlags, fileTypes, openFlags } from "../abi/file.ts";
import { readField, statxBuffer } from "../abi/struct.ts";
import { raise } from "../base/fault.ts";
import { type Findings, ignore, type Stages, type Step, step } from "../program/step.ts";
import { close, mkdirat, mknodat, openat, readlinkat, statx } from "../syscall/files.ts";
import { type Fd, slot } from "../syscall/value.ts";

const { O_CLOEXEC, O_NOFOLLOW, O_PATH } = openFlags;

/** As many as the kernel follows in one path; path_resolution(7). */
const linksMax = 40;
/** Each holds a descriptor on the way. */
const depthMax = 255;
const targetMaxBytes = 4096;

/** What is on the way, in the place of what the kernel's own resolution would hold. */
type Way = {
  /** Descriptors of the directories from the root to where we are. */
  readonly directories: number[];
  /** Names that lie ahead, the next one last. */
  readonly ahead: string[];
  links: number;
};

/**
 * Walks the path from `root` as openat2 with RESOLVE_IN_ROOT does, and makes what is missing: directories, and in the end
 * `kind`. Each name is opened by itself without following it, so that nothing that a neighbour swaps leads anywhere else.
 *
 * @throws `refused` fault for more links, or names, than a path may have
 */
export function* makeThroughLinks(
  doing: string,
  names: readonly string[],
  options: { readonly root: Fd; readonly kind: "directory" | "file" },
): Stages {
  const way: Way = { directories: [], ahead: [...names].reverse(), links: 0 };
  for (let name = way.ahead.pop(); name !== undefined; name = way.ahead.pop()) {
    if (name === "..") {
      const left = way.directories.pop();
      if (left !== undefined) yield [step(doing, close(left))];
      continue;
    }
    if (way.directories.length === depthMax) refuse(doing, `more than ${depthMax} directories`);
    const here = way.directories.at(-1) ?? options.root;
    let found = yield lookAt(doing, here, name);
    if ((found.results.get("way") ?? -1) < 0) {
      const kind = way.ahead.length === 0 ? options.kind : "directory";
      yield [makeName(doing, here, { name, kind })];
      found = yield lookAt(doing, here, name);
    }
    yield* goOn(doing, way, found);
  }
  if (way.directories.length > 0) yield way.directories.map((fd) => step(doing, close(fd)));
}

/** Opens a name, whatever it is, without following it. */
function lookAt(doing: string, directory: Fd, name: string): Step[] {
  const how = { flags: O_PATH | O_NOFOLLOW | O_CLOEXEC };
  return [
    step(doing, openat(directory, name, how), {
      slot: "way",
      recovery: ignore("ENOENT"),
      onSuccess: [
        step(doing, statx(slot("way"), "", atFlags.AT_EMPTY_PATH), {
          slot: "way.stat",
        }),
      ],
    }),
  ];
}

function makeName(
  doing: string,
  directory: Fd,
  { name, kind }: { readonly name: string; readonly kind: "directory" | "file" },
): Step {
  const call =
    kind === "directory"
      ? mkdirat(directory, name, 0o755)
      : mknodat(directory, name, { type: fileTypes.S_IFREG, mode: 0o644 });
  // A neighbour on the same rootfs was faster.
  return step(doing, call, { recovery: ignore("EEXIST") });
}

/** Behind a name that was opened: into the directory, or along the link. */
function* goOn(doing: string, way: Way, { results, outputs }: Findings): Stages {
  const fd = results.get("way") ?? -1;
  const stat = outputs.get("way.stat");
  if (fd < 0 || stat === undefined) {
    return refuse(doing, "a mount point goes as fast as it is made");
  }
  const type = readField(statxBuffer, stat, "stx_mode") & fileTypes.S_IFMT;
  if (type !== fileTypes.S_IFLNK) {
    way.directories.push(fd);
    return;
  }
  way.links += 1;
  if (way.links > linksMax) refuse(doing, `more than ${linksMax} symbolic links`);
  const read = yield [
    step(doing, readlinkat(fd, "", targetMaxBytes), { slot: "way.link" }),
    step(doing, close(fd)),
  ];
  const target = new TextDecoder().decode(
    read.outputs.get("way.link")?.subarray(0, read.results.get("way.link") ?? 0),
  );
  // What is no text in UTF-8 could not be opened by the same name.
  if (target.includes("\ufffd")) refuse(doing, "a symbolic link that is no text");
  if (target.startsWith("/")) {
    const left = way.directories.splice(0);
    if (left.length > 0) yield left.map((each) => step(doing, close(each)));
  }
  const names = target.split("/").filter((name) => name !== "" && name !== ".");
  if (names.length > depthMax) refuse(doing, `more than ${depthMax} names in a symbolic link`);
  way.ahead.push(...names.reverse());
}

function refuse(doing: string, what: string): never {
  return raise({ kind: "refused", message: `${doing}: ${what}` });
}
