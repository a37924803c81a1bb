// What /proc/PID/mountinfo says of a mount.

export type SeenMount = {
  /** Flags of the mount and of its file system. */
  readonly words: readonly string[];
  /** Of the mount alone. */
  readonly flags: readonly string[];
  /** Peer groups, masters and the like. */
  readonly propagation: string;
  readonly type: string;
  readonly source: string;
};

/** The uppermost mount at a path; undefined when there is none. */
export function mountAt(mountinfo: string, path: string): SeenMount | undefined {
  const line = mountinfo.split("\n").findLast((each) => each.split(" ")[4] === path);
  if (line === undefined) return undefined;
  const [front = "", back = ""] = line.split(" - ");
  const [, , , , , options = "", ...propagation] = front.split(" ");
  const [type = "", source = "", superOptions = ""] = back.split(" ");
  const flags = options.split(",");
  return {
    flags,
    words: [...flags, ...superOptions.split(",").filter((word) => word !== "rw")],
    propagation: propagation.join(" "),
    type,
    source,
  };
}
