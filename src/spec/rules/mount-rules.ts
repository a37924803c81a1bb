// The rules for mounts that the config alone decides; what is at a destination is looked at when it is mounted.

import { pathNames } from "../../base/path.ts";
import { isIdmapOption, readIdmap } from "../idmap.ts";
import { hasNamespace } from "../namespaces.ts";
import type { IDMapping, Mount, Spec } from "../types.ts";
import { findBadMapping, isMapped } from "./namespace-rules.ts";
import {
  type Finding,
  findNul,
  findNuls,
  nothing,
  type Rule,
  type SpecFacts,
  show,
} from "./rule.ts";

/** Files of /proc that may be covered, because lxcfs and the like emulate them. */
const coverableProcFiles: ReadonlySet<string> = new Set(
  [
    "cpuinfo",
    "diskstats",
    "meminfo",
    "stat",
    "swaps",
    "uptime",
    "loadavg",
    "slabinfo",
    "sys/kernel/ns_last_pid",
    "sys/crypto/fips_enabled",
  ].map((name) => `/proc/${name}`),
);

/** What is wrong with one mount; a list and no generator, because there can be thousands of mounts. */
type Judge = (mount: Mount, spec: Spec, facts: SpecFacts) => readonly Finding[];

export const mountRules: readonly Rule<Spec>[] = [
  mountRule("config.md#mounts", findNulsInMount),
  mountRule("config.md#mounts", findDestination),
  mountRule("config.md#posix-platform-mounts", findBindSource),
  mountRule("config.md#posix-platform-mounts", findIdmap),
  mountRule("config.md#posix-platform-mounts", findLinkOptions),
  mountRule("config.md#linux-mount-options", findRootlessOwner),
];

/** Whether the mount shows an existing part of the file tree: option `bind` or `rbind`, or the type `bind`. */
function isBindMount({ type, options = [] }: Mount): boolean {
  return type === "bind" || options.includes("bind") || options.includes("rbind");
}

/** A destination without `.`, `..` and doubled slashes, seen from the container's root; symlinks are not known here. */
function cleanDestination(destination: string): string {
  // Almost all are clean, and a config can have thousands.
  const odd = destination.includes("//") || destination.includes("/.") || destination.endsWith("/");
  if (destination.startsWith("/") && !odd) return destination;
  return `/${pathNames(destination).join("/")}`;
}

function mountRule(section: string, judge: Judge): Rule<Spec> {
  return {
    section,
    pointer: "/mounts",
    find: (spec, facts) => {
      const findings: Finding[] = [];
      let index = 0;
      for (const mount of spec.mounts ?? []) {
        for (const { at, message } of judge(mount, spec, facts)) {
          findings.push({ at: `/${index}${at}`, message });
        }
        index += 1;
      }
      return findings;
    },
  };
}

function findNulsInMount({ destination, source, type, options = [] }: Mount): readonly Finding[] {
  const findings = [
    ...findNul(destination, "/destination"),
    ...findNul(source, "/source"),
    ...findNul(type, "/type"),
  ];
  for (const { at, message } of findNuls(options)) findings.push({ at: `/options${at}`, message });
  return findings;
}

function findDestination(mount: Mount): readonly Finding[] {
  const destination = cleanDestination(mount.destination);
  const refuse = (message: string) => [{ at: "/destination", message }];
  if (destination === "/") return refuse(`must not be the root, got ${show(mount.destination)}`);
  if (destination === "/proc" && mount.type !== "proc" && !isBindMount(mount)) {
    return refuse(
      `${show(destination)} cannot be mounted because it is not of type proc, got ${show(mount.type)} at ${show(mount.destination)}`,
    );
  }
  if (destination.startsWith("/proc/") && !coverableProcFiles.has(destination)) {
    return refuse(`${show(destination)} cannot be mounted because it is inside /proc`);
  }
  return nothing;
}

function findBindSource(mount: Mount): readonly Finding[] {
  const { source = "", options = [] } = mount;
  const lacks = source === "" && isBindMount(mount) && !options.includes("remount");
  if (!lacks) return nothing;
  return [{ at: "", message: `is a bind mount without a source, at ${show(mount.destination)}` }];
}

/** Options of crun that mean different things by a symbolic link. */
function findLinkOptions({ options = [], destination }: Mount): readonly Finding[] {
  if (!options.includes("copy-symlink")) return nothing;
  const refuse = (message: string) => [{ at: "/options", message }];
  if (options.includes("src-nofollow") || options.includes("dest-nofollow")) {
    return refuse("`copy-symlink` is mutually exclusive with `src-nofollow` and `dest-nofollow`");
  }
  // What the container takes for proc has to be one.
  if (cleanDestination(destination) !== "/proc") return nothing;
  return refuse("`copy-symlink` would make a symbolic link of /proc");
}

/** Spec: config.md#posix-platform-mounts (idmapped mounts have both maps, and are bind mounts). */
function findIdmap(mount: Mount, spec: Spec, { rootless = false }: SpecFacts): readonly Finding[] {
  const { options = [], uidMappings = [], gidMappings = [] } = mount;
  const mapped = uidMappings.length > 0 || gidMappings.length > 0;
  if (!mapped && !options.some(isIdmapOption)) return nothing;
  const findings: Finding[] = [];
  const refuse = (message: string) => findings.push({ at: "", message });
  if (rootless) refuse("cannot be idmapped in a rootless container");
  if (!isBindMount(mount)) {
    refuse(`gid/uid mappings are only possible on bind mounts, got the type ${show(mount.type)}`);
  }
  if (mapped && (uidMappings.length === 0 || gidMappings.length === 0)) {
    const only = uidMappings.length > 0 ? "uidMappings" : "gidMappings";
    refuse(`must have both uidMappings and gidMappings, got ${only} alone`);
  }
  return [...findings, ...findBadIdmap(readIdmap(mount, spec), { mount, spec, mapped })];
}

function findBadIdmap(
  idmap: ReturnType<typeof readIdmap>,
  { mount, spec, mapped }: { readonly mount: Mount; readonly spec: Spec; readonly mapped: boolean },
): readonly Finding[] {
  if (idmap === undefined) return nothing;
  const option = show(mount.options?.findLast(isIdmapOption));
  if ("wrong" in idmap) {
    return [{ at: "/options", message: `idmap ${idmap.wrong}, got ${option}` }];
  }
  const { maps } = idmap;
  if (maps !== "container") {
    const [uidsAt, gidsAt] = mapped ? ["/uidMappings", "/gidMappings"] : ["/options", "/options"];
    return [
      ...findBadMap(maps.uids, { at: uidsAt, mapped }),
      ...findBadMap(maps.gids, { at: gidsAt, mapped }),
    ];
  }
  if (hasNamespace(spec, "user")) return nothing;
  return [{ at: "/options", message: `${option} without mappings needs a user namespace` }];
}

/** What is wrong with a map; one out of an option has no places of its own to point to. */
function findBadMap(
  map: readonly IDMapping[],
  { at, mapped }: { readonly at: string; readonly mapped: boolean },
): readonly Finding[] {
  return [...findBadMapping(map)].map((finding) =>
    mapped
      ? { at: `${at}${finding.at}`, message: finding.message }
      : { at, message: `idmap: a range ${finding.message}` },
  );
}

/** Without root, an owner named in a mount's data must have an id behind it. */
function findRootlessOwner(
  { options = [] }: Mount,
  { linux }: Spec,
  { rootless = false }: SpecFacts,
): readonly Finding[] {
  if (!rootless) return nothing;
  return options
    .map((option, index) => {
      const [, kind, id] = /^(uid|gid)=(\d+)$/.exec(option) ?? [];
      const mappings = (kind === "uid" ? linux?.uidMappings : linux?.gidMappings) ?? [];
      if (kind === undefined || mappings.length === 0 || isMapped(mappings, Number(id))) return [];
      const message = `cannot specify ${option} in a rootless container: ${id} is not mapped`;
      return [{ at: `/options/${index}`, message }];
    })
    .flat();
}
