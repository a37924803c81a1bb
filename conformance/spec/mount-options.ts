// The mount options that config.md lists for Linux, with how each is seen from inside; not how they are tested.

export type MountOption = {
  readonly name: string;
  readonly level: "MUST" | "SHOULD";
  /** The options of the mount, this one among them. */
  readonly options: readonly string[];
  /** Words that the mount's line in mountinfo has. */
  readonly shows: readonly string[];
  /** Words that it lacks. */
  readonly lacks: readonly string[];
  /** What is mounted: a new tmpfs, or a bind mount of a tree of two mounts of the host, of which the lower one is looked at. */
  readonly of: "tmpfs" | "tree";
};

type Seen = { readonly shows?: readonly string[]; readonly lacks?: readonly string[] };

/** An option of a new tmpfs; `before` comes first in the list, so that there is something to take back. */
function plain(name: string, seen: Seen, before: readonly string[] = []): MountOption {
  const level = /^(no)?symfollow$/.test(name) ? "SHOULD" : "MUST";
  const options = [...before, name];
  return { name, level, options, shows: [], lacks: [], of: "tmpfs", ...seen };
}

/** An option that reaches the mounts below. */
function deep(name: string, seen: Seen, before: readonly string[] = []): MountOption {
  const options = ["rbind", ...before, name];
  return { name, level: "SHOULD", options, shows: [], lacks: [], of: "tree", ...seen };
}

export const mountOptions: readonly MountOption[] = [
  plain("async", { lacks: ["sync"] }, ["sync"]),
  plain("atime", { lacks: ["noatime"] }, ["noatime"]),
  plain("defaults", {}),
  plain("dev", { lacks: ["nodev"] }, ["nodev"]),
  plain("diratime", { lacks: ["nodiratime"] }, ["nodiratime"]),
  plain("dirsync", { shows: ["dirsync"] }),
  plain("exec", { lacks: ["noexec"] }, ["noexec"]),
  plain("iversion", {}),
  plain("lazytime", { shows: ["lazytime"] }),
  plain("loud", {}, ["silent"]),
  plain("noatime", { shows: ["noatime"] }),
  plain("nodev", { shows: ["nodev"] }),
  plain("nodiratime", { shows: ["nodiratime"] }),
  plain("noexec", { shows: ["noexec"] }),
  plain("noiversion", {}),
  plain("nolazytime", { lacks: ["lazytime"] }, ["lazytime"]),
  plain("norelatime", {}, ["relatime"]),
  plain("nostrictatime", {}, ["strictatime"]),
  plain("nosuid", { shows: ["nosuid"] }),
  plain("nosymfollow", { shows: ["nosymfollow"] }),
  plain("relatime", { shows: ["relatime"] }),
  plain("ro", { shows: ["ro"] }),
  plain("rw", { shows: ["rw"] }, ["ro"]),
  plain("silent", {}),
  plain("strictatime", { lacks: ["relatime", "noatime"] }),
  plain("suid", { lacks: ["nosuid"] }, ["nosuid"]),
  plain("symfollow", { lacks: ["nosymfollow"] }, ["nosymfollow"]),
  plain("sync", { shows: ["sync"] }),
  deep("ratime", { lacks: ["noatime"] }, ["rnoatime"]),
  deep("rdev", { lacks: ["nodev"] }, ["rnodev"]),
  deep("rdiratime", { lacks: ["nodiratime"] }, ["rnodiratime"]),
  deep("rexec", { lacks: ["noexec"] }, ["rnoexec"]),
  deep("rnoatime", { shows: ["noatime"] }),
  deep("rnodev", { shows: ["nodev"] }),
  deep("rnodiratime", { shows: ["nodiratime"] }),
  deep("rnoexec", { shows: ["noexec"] }),
  deep("rnorelatime", {}),
  deep("rnostrictatime", {}, ["rstrictatime"]),
  deep("rnosuid", { shows: ["nosuid"] }),
  deep("rnosymfollow", { shows: ["nosymfollow"] }),
  deep("rrelatime", { shows: ["relatime"] }, ["rnoatime"]),
  deep("rro", { shows: ["ro"] }),
  deep("rrw", { shows: ["rw"] }, ["rro"]),
  deep("rstrictatime", { lacks: ["relatime", "noatime"] }),
  deep("rsuid", { lacks: ["nosuid"] }, ["rnosuid"]),
  deep("rsymfollow", { lacks: ["nosymfollow"] }, ["rnosymfollow"]),
];
