// Says a container's device rules in properties of a unit; the group's own filter, which is exact, is device-filter.ts.

import type { DeviceRule } from "../spec/resources.ts";
import { type DeviceMatch, deviceAccess, meet, settleDevicePolicy } from "./device-rules.ts";
import type { UnitProperty } from "./systemd-unit.ts";

/**
 * Plans `DevicePolicy` and `DeviceAllow`. A list of what is denied systemd cannot keep: then it allows nothing by itself, as
 * with runc, unless everything is allowed. What a later rule takes from an earlier one is left out.
 *
 * @param groups the text of /proc/devices, which has the name of each major number
 */
export function planUnitDevices(
  rules: readonly DeviceRule[],
  groups: string,
): readonly UnitProperty[] {
  const policy = settleDevicePolicy(rules);
  const everything = policy.allowByDefault && policy.rules.length === 0;
  const entries = policy.allowByDefault
    ? []
    : policy.rules
        .map((rule, index) => {
          const access = policy.rules
            .slice(index + 1)
            .filter((later) => !later.allow && meet(rule, later))
            .reduce((left, later) => left & ~later.access, rule.access);
          return rule.allow && access !== 0 ? allowEntries({ ...rule, access }, groups) : [];
        })
        .flat();
  return [
    { name: "DevicePolicy", signature: "s", value: everything ? "auto" : "strict" },
    // An empty list takes away the entries that are there; others are added to them.
    { name: "DeviceAllow", signature: "a(ss)", value: [] },
    ...(entries.length === 0
      ? []
      : [{ name: "DeviceAllow", signature: "a(ss)", value: entries } as const]),
  ];
}

/** systemd.resource-control(5): a node by its path below /dev, the nodes of a major number by the group's name. */
function allowEntries(rule: DeviceMatch, groups: string): readonly (readonly [string, string])[] {
  const { type, major, minor, access } = rule;
  if (type === undefined) {
    return (["b", "c"] as const)
      .map((each) => allowEntries({ ...rule, type: each }, groups))
      .flat();
  }
  const kind = type === "b" ? "block" : "char";
  const letters = (["r", "w", "m"] as const)
    .filter((letter) => (access & deviceAccess[letter]) !== 0)
    .join("");
  if (major !== undefined && minor !== undefined) {
    return [[`/dev/${kind}/${major}:${minor}`, letters]];
  }
  // One minor number of all majors is more than systemd can say.
  if (major === undefined) return minor === undefined ? [[`${kind}-*`, letters]] : [];
  const group = findGroup(groups, { kind, major });
  return group === undefined ? [] : [[`${kind}-${group}`, letters]];
}

/** proc_devices(5): lines of number and name below `Character devices:` and `Block devices:`. */
function findGroup(
  groups: string,
  { kind, major }: { readonly kind: "block" | "char"; readonly major: number },
): string | undefined {
  const [characters = "", blocks = ""] = groups.split("Block devices:");
  const section = kind === "block" ? blocks : characters;
  return new RegExp(`^ *${major} (.+)$`, "m").exec(section)?.[1];
}
