// Configs with what Debian's runc lacks and its crun has: domain names, personalities, idmapped mounts, time namespaces, filters in
// annotations, groups that are kept; around as much of the space as both agree about. The rest is compared with runc.

import {
  makeSpaceConfig,
  type SpaceConfig,
  type SpaceDocument,
  type SpaceMount,
  type Surroundings,
} from "./config-space.ts";
import { type Random, seeded } from "./random.ts";

/** Makes config number `index`; none of them is among those that runc is compared with. */
export function makeCrunConfig(index: number, around: Surroundings): SpaceConfig {
  const random = seeded(31_415_926 + index);
  const space = makeSpaceConfig(10_000 + index, around);
  return { ...space, config: change(space.config, random, around) };
}

function change(config: SpaceDocument, random: Random, around: Surroundings): SpaceDocument {
  const maybe = (percent: number): boolean => random.below(100) < percent;
  const { namespaces } = config.linux;
  const has = (type: string): boolean => namespaces.some((one) => one.type === type);
  // crun 1.8.1 loses a container with new time and pid namespaces.
  const inTime = !has("pid") && !has("user") && maybe(60);
  const mounts = config.mounts
    .filter(({ type }) => type !== "sysfs" && type !== "cgroup")
    .map((mount) => changeMount(mount, random));
  const { uidMappings, gidMappings, sysctl } = config.linux;
  const linux = {
    ...(has("user") ? { uidMappings, gidMappings } : {}),
    ...(sysctl === undefined ? {} : { sysctl: withoutDomain(sysctl) }),
    namespaces: inTime ? [...namespaces, { type: "time" }] : namespaces,
    ...(maybe(40) ? { personality: { domain: random.pick(["LINUX", "LINUX32"]) } } : {}),
  };
  const annotations = {
    ...(maybe(30) ? { "run.oci.seccomp_bpf_data": passing } : {}),
    ...(maybe(20) ? { "run.oci.keep_original_groups": "1" } : {}),
  };
  return {
    ...config,
    ...(has("uts") && maybe(60) ? { domainname: random.pick(["box.example", "x"]) } : {}),
    mounts: maybe(40) ? [...mounts, idmapped(random, around)] : mounts,
    linux,
    annotations,
  };
}

/** crun takes this one for the config's `domainname`. */
function withoutDomain(sysctl: unknown): object {
  return Object.fromEntries(
    Object.entries(Object(sysctl)).filter(([name]) => name !== "kernel.domainname"),
  );
}

/** A filter of one instruction, which lets everything through. */
const passing = "BgAAAAAA/38=";
const recursive = ["rro", "rnosuid", "rnodev", "rnoexec"];

/**
 * Recursive options beside those that there are. crun 1.8.1 knows none for files, loses other flags of binds in user namespaces,
 * and their propagation now and then.
 */
function changeMount(mount: SpaceMount, random: Random): SpaceMount {
  if (mount.type !== "bind") return mount;
  const isFile = mount.source?.endsWith("/file") === true;
  const some = recursive.filter(() => !isFile && random.below(100) < 25);
  return { ...mount, options: [...(mount.options ?? []).filter(isKept), ...some] };
}

function isKept(option: string): boolean {
  return ["bind", "rbind", "ro", "private", "rprivate"].includes(option);
}

function idmapped(random: Random, { volume }: Surroundings): SpaceMount {
  const host = random.pick([1000, 2000]);
  const maps = [{ containerID: 0, hostID: host, size: 65_536 }];
  const place = { destination: "/mnt/mapped", type: "bind", source: volume };
  const inOption = `idmap=uids=0-${host}-65536;gids=0-${host}-65536`;
  return random.pick([
    { ...place, options: ["rbind"], uidMappings: maps, gidMappings: maps },
    { ...place, options: ["bind", "idmap", "ro"], uidMappings: maps, gidMappings: maps },
    { ...place, options: ["rbind", inOption] },
  ]);
}

/** What crun does in ways of its own, taken out on both sides; that we are as runc there, the comparison with runc shows. */
export function withoutCrunWays(part: string, lines: readonly string[]): readonly string[] {
  switch (part) {
    // Below the hierarchies' roots, where ours are below our caller's groups; none on v2.
    case "cgroup":
      return [];
    case "devices":
      return (
        lines
          .filter((line) => !line.startsWith("/dev/core "))
          // It is given to the container's user.
          .map((line) => line.replace(/^(\/dev\/null .* 666) \d+ \d+ /, "$1 "))
      );
    case "mounts":
      // Idmapped ones are made first, and so have lower numbers. crun may have been run where the host's mounts do not spread.
      return lines
        .map((line) => line.replace(" master:N", ""))
        .map((line) => line.replace(/ rw,nosuid,noexec,(relatime - devtmpfs)/, " rw,$1"))
        .toSorted();
    // A tmpfs without a mode is everybody's, and what is made on the way has the sticky bit; ours are as with runc.
    case "root":
    case "directory":
      return lines.map((line) => line.replace(/directory 1?(755|777) /, "directory "));
    default:
      return lines;
  }
}
