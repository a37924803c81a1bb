// The rules for mounts that the config alone decides; what is at a destination is looked at when it is mounted.

import { hasNamespace } from "../namespaces.ts";
import type { Mount, Spec } from "../types.ts";
import { isMapped } from "./namespace-rules.ts";
import { type Finding, judgeNul, type Rule, type SpecFacts, show } from "./rule.ts";

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

type Judge = (mount: Mount, spec: Spec, facts: SpecFacts) => Iterable<Finding>;

export const mountRules: readonly Rule<Spec>[] = [
  mountRule("config.md#mounts", findNulsInMount),
  mountRule("config.md#mounts", findDestination),
  mountRule("config.md#posix-platform-mounts", findBindSource),
  mountRule("config.md#posix-platform-mounts", findIdmap),
  mountRule("config.md#linux-mount-options", findRootlessOwner),
];

/** Whether the mount shows an existing part of the file tree: option `bind` or `rbind`, or the type `bind`. */
export function isBindMount({ type, options = [] }: Mount): boolean {
  return type === "bind" || options.includes("bind") || options.includes("rbind");
}

/** A destination without `.`, `..` and doubled slashes, seen from the container's root; symlinks are not known here. */
export function cleanDestination(destination: string): string {
  const parts: string[] = [];
  for (const part of destination.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function mountRule(section: string, judge: Judge): Rule<Spec> {
  return {
    section,
    pointer: "/mounts",
    *find(spec, facts) {
      for (const [index, mount] of (spec.mounts ?? []).entries()) {
        for (const { at, message } of judge(mount, spec, facts)) {
          yield { at: `/${index}${at}`, message };
        }
      }
    },
  };
}

function* findNulsInMount(mount: Mount): Generator<Finding> {
  const texts: [string, string | undefined][] = [
    ["/destination", mount.destination],
    ["/source", mount.source],
    ["/type", mount.type],
    ...(mount.options ?? []).map((option, index): [string, string] => [
      `/options/${index}`,
      option,
    ]),
  ];
  for (const [at, text] of texts) {
    const message = judgeNul(text);
    if (message !== undefined) yield { at, message };
  }
}

function* findDestination(mount: Mount): Generator<Finding> {
  const destination = cleanDestination(mount.destination);
  const at = "/destination";
  if (destination === "/") {
    yield { at, message: `must not be the root, got ${show(mount.destination)}` };
  }
  if (destination === "/proc" && mount.type !== "proc" && !isBindMount(mount)) {
    yield {
      at,
      message: `${show(destination)} cannot be mounted because it is not of type proc`,
    };
  }
  if (destination.startsWith("/proc/") && !coverableProcFiles.has(destination)) {
    yield { at, message: `${show(destination)} cannot be mounted because it is inside /proc` };
  }
}

function* findBindSource(mount: Mount): Generator<Finding> {
  const remount = mount.options?.includes("remount") === true;
  if (isBindMount(mount) && !remount && (mount.source ?? "") === "") {
    yield { at: "", message: "is a bind mount without a source" };
  }
}

/** Spec: config.md#posix-platform-mounts (idmapped mounts have both maps, and are bind mounts). */
function* findIdmap(mount: Mount, spec: Spec, { rootless = false }: SpecFacts): Generator<Finding> {
  const uids = mount.uidMappings ?? [];
  const gids = mount.gidMappings ?? [];
  const options = mount.options ?? [];
  const byOption = options.includes("idmap") || options.includes("ridmap");
  if (uids.length === 0 && gids.length === 0 && !byOption) return;
  if (rootless) yield { at: "", message: "idmapped mounts are not possible without root" };
  if (!isBindMount(mount)) {
    yield { at: "", message: `gid/uid mappings are only possible on bind mounts` };
  }
  if ((uids.length === 0) !== (gids.length === 0)) {
    yield { at: "", message: "must have both uidMappings and gidMappings" };
  }
  if (uids.length === 0 && gids.length === 0 && !hasNamespace(spec, "user")) {
    yield { at: "/options", message: "idmap without mappings needs a user namespace" };
  }
}

/** Without root, an owner named in a mount's data must have an id behind it. */
function* findRootlessOwner(
  mount: Mount,
  { linux }: Spec,
  { rootless = false }: SpecFacts,
): Generator<Finding> {
  if (!rootless) return;
  for (const [index, option] of (mount.options ?? []).entries()) {
    const [, kind, id] = /^(uid|gid)=(\d+)$/.exec(option) ?? [];
    if (kind === undefined) continue;
    const mappings = (kind === "uid" ? linux?.uidMappings : linux?.gidMappings) ?? [];
    if (mappings.length > 0 && !isMapped(mappings, Number(id))) {
      const message = `cannot specify ${option} in a rootless container: ${id} is not mapped`;
      yield { at: `/options/${index}`, message };
    }
  }
}
