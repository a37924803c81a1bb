// The mount entry of type cgroup, which means different things under cgroup v1 and v2, with and without a cgroup namespace.

import { AT_FDCWD, atFlags } from "../../abi/file.ts";
import { mountAttributes, openTreeFlags } from "../../abi/mount.ts";
import { withoutEndSlashes } from "../../base/path.ts";
import { type Step, step } from "../../program/step.ts";
import type { Mount } from "../../spec/types.ts";
import { close, mkdirat, symlinkat } from "../../syscall/files.ts";
import { mountSetattr, moveMount, openTree } from "../../syscall/mounts.ts";
import { slot } from "../../syscall/value.ts";
import { openInRoot } from "../root-paths.ts";
import { attach, mountDoing } from "./attach.ts";
import { bindSteps, changeAttributes } from "./bind.ts";
import { newFileSystemSteps } from "./file-system.ts";
import { type MountOptions, parseMountOptions } from "./options.ts";

const { AT_EMPTY_PATH } = atFlags;

/** One hierarchy of cgroup v1 as the host has mounted it. */
export type CgroupV1Hierarchy = {
  /** Name of its directory: `cpu,cpuacct`, `systemd`. */
  readonly directory: string;
  /** What to ask the kernel for: `cpu,cpuacct`, `name=systemd`. */
  readonly option: string;
  /** The container's group in it, absolute on the host; undefined where it has none. */
  readonly group: string | undefined;
  /** Names of single controllers that are links to the directory: `cpu` and `cpuacct`. */
  readonly links: readonly string[];
};

export type CgroupMountFacts = {
  /** The container has a cgroup namespace of its own. */
  readonly ownNamespace: boolean;
} & (
  | {
      readonly version: "v2";
      /** The directory of the host's that a container without a cgroup namespace is shown. */
      readonly shown: string | undefined;
      /**
       * The container has no group of its own: what it could see is its caller's, who may own it, and whose other processes
       * it could kill or stop there (CVE-2023-25809).
       */
      readonly hidden?: boolean;
    }
  | { readonly version: "v1"; readonly hierarchies: readonly CgroupV1Hierarchy[] }
);

type Entry = {
  readonly mount: Mount;
  readonly name: string;
  readonly options: MountOptions;
  /** Of the tmpfs that holds the hierarchies of v1; empty where there is none. */
  readonly label: string;
  /** Refuses a place in a procfs. */
  readonly guarded: boolean;
};

/** Steps for a mount of type cgroup (or cgroup2). Run by init, once it is in its cgroup and cgroup namespace. */
export function planCgroupMount(entry: Entry, facts: CgroupMountFacts): Step[] {
  return facts.version === "v2" ? planV2(entry, facts) : planV1(entry, facts);
}

/**
 * v2: the one hierarchy, mounted anew so that the namespace shows. Without a namespace it is bound: a mount made anew in the
 * host's would set the flags of the whole hierarchy (`nsdelegate`) anew, too; cgroups(7).
 */
function planV2(
  { mount, name, options, guarded }: Entry,
  facts: CgroupMountFacts & { version: "v2" },
): Step[] {
  const doing = mountDoing(mount);
  const { destination } = mount;
  const { propagations } = options;
  const place = { doing, name, destination, guarded, kind: "directory", propagations } as const;
  if (facts.hidden === true) {
    const empty = { ...mount, type: "tmpfs", source: "tmpfs" };
    const covering = parseMountOptions(["ro", "size=4k", "nr_inodes=1"]);
    return [
      ...newFileSystemSteps({ doing, name, mount: empty, options: covering }),
      // Nothing is to be mounted in it.
      ...changeAttributes(doing, slot(name), covering),
      ...attach(place),
    ];
  }
  if (!facts.ownNamespace && facts.shown !== undefined) {
    return [...bindSteps({ doing, name, source: facts.shown, options }), ...attach(place)];
  }
  const anew = { ...mount, type: "cgroup2", source: "cgroup" };
  return [...newFileSystemSteps({ doing, name, mount: anew, options }), ...attach(place)];
}

/** v1: a tmpfs with one mount for each hierarchy, and links for controllers that share one. */
function planV1(
  { mount, name, options, label, guarded }: Entry,
  facts: CgroupMountFacts & { version: "v1" },
): Step[] {
  const doing = mountDoing(mount);
  const { destination } = mount;
  const readonly = (options.attributes.set & mountAttributes.MOUNT_ATTR_RDONLY) !== 0;
  const context = label === "" ? [] : [`context=${label}`];
  const tmpfs = parseMountOptions(["nosuid", "noexec", "nodev", "mode=755", ...context]);
  const directory = `${name}.directory`;
  const base = withoutEndSlashes(destination);
  const mounted = facts.hierarchies.filter(
    (hierarchy) => facts.ownNamespace || hierarchy.group !== undefined,
  );
  return [
    ...newFileSystemSteps({
      doing,
      name,
      mount: { destination, type: "tmpfs", source: "tmpfs" },
      options: tmpfs,
    }),
    ...attach({
      doing,
      name,
      destination,
      guarded,
      kind: "directory",
      propagations: options.propagations,
    }),
    openInRoot(doing, destination, { slot: directory }),
    ...mounted
      .map((hierarchy, index) => [
        step(doing, mkdirat(slot(directory), hierarchy.directory, 0o755)),
        ...hierarchySteps(`${name}.${index}`, {
          doing,
          hierarchy,
          ownNamespace: facts.ownNamespace,
          destination: `${base}/${hierarchy.directory}`,
          options,
        }),
        ...hierarchy.links.map((link) =>
          step(doing, symlinkat(hierarchy.directory, slot(directory), link)),
        ),
      ])
      .flat(),
    ...(readonly
      ? [
          step(
            doing,
            mountSetattr(slot(directory), "", {
              flags: AT_EMPTY_PATH,
              set: mountAttributes.MOUNT_ATTR_RDONLY,
            }),
          ),
        ]
      : []),
    step(doing, close(slot(directory))),
  ];
}

function hierarchySteps(
  name: string,
  mount: {
    readonly doing: string;
    readonly hierarchy: CgroupV1Hierarchy;
    readonly ownNamespace: boolean;
    readonly destination: string;
    readonly options: MountOptions;
  },
): Step[] {
  const { doing, hierarchy, destination, options } = mount;
  const target = `${name}.target`;
  const source: Step[] = mount.ownNamespace
    ? newFileSystemSteps({
        doing,
        name,
        // As runc names them in the table of mounts.
        mount: {
          destination,
          type: "cgroup",
          source: hierarchy.option === "name=systemd" ? "systemd" : "cgroup",
        },
        options: { ...options, data: hierarchy.option.split(",") },
      })
    : [
        step(
          doing,
          openTree(
            AT_FDCWD,
            hierarchy.group ?? "",
            openTreeFlags.OPEN_TREE_CLONE | openTreeFlags.OPEN_TREE_CLOEXEC,
          ),
          { slot: name },
        ),
        ...changeAttributes(doing, slot(name), options),
      ];
  return [
    ...source,
    openInRoot(doing, destination, { slot: target }),
    step(doing, moveMount(slot(name), slot(target))),
    step(doing, close(slot(target))),
    step(doing, close(slot(name))),
  ];
}
