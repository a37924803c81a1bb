// What the device rules of a config mean together, and the texts that say it to a v1 devices cgroup; not the eBPF program
// that says it on v2 (device-filter.ts).
//
// Meaning: each of r, w and m of a device is decided by the last rule in the list that matches the device and names it;
// what no rule decides is denied. An access is allowed when each of its parts is.

import { raise } from "../base/fault.ts";
import type { DeviceRule } from "../spec/resources.ts";

/** Bits of an access, as the kernel numbers them in `bpf_cgroup_dev_ctx`. */
export const deviceAccess = { m: 1, r: 2, w: 4 } as const;
const readWrite = deviceAccess.r | deviceAccess.w;
const allAccess = readWrite | deviceAccess.m;

/** A rule with nothing left open; an absent type, major or minor stands for all. */
export type DeviceMatch = {
  readonly allow: boolean;
  readonly type?: "b" | "c";
  readonly major?: number;
  readonly minor?: number;
  /** Bits of `deviceAccess`. */
  readonly access: number;
};

export type DevicePolicy = {
  /** What happens to an access that no rule decides. */
  readonly allowByDefault: boolean;
  /** In the order of the config: later ones win. None of them can be left out. */
  readonly rules: readonly DeviceMatch[];
};

/** Appended to the rules of every config, as runc does: without these nodes hardly any program works. */
const builtInRules: readonly DeviceMatch[] = [
  // Making a node is harmless: using it is what a rule must allow.
  { allow: true, access: deviceAccess.m },
  ...[3, 5, 7, 8, 9].map(
    (minor) => ({ allow: true, type: "c", major: 1, minor, access: allAccess }) as const,
  ),
  { allow: true, type: "c", major: 5, minor: 0, access: allAccess },
  { allow: true, type: "c", major: 136, access: allAccess },
  { allow: true, type: "c", major: 5, minor: 2, access: allAccess },
  // tun: runc dropped it once and put it back because VPN containers broke.
  { allow: true, type: "c", major: 10, minor: 200, access: allAccess },
];

/**
 * Settles what `linux.resources.devices` and the built-in rules mean together, in the fewest rules.
 *
 * Spec: config-linux.md#allowed-device-list MUST apply entries in the listed order.
 */
export function settleDevicePolicy(rules: readonly DeviceRule[]): DevicePolicy {
  return settle([...rules.map(parseRule), ...builtInRules]);
}

function settle(rules: readonly DeviceMatch[]): DevicePolicy {
  // A rule for everything makes those before it void; as with runc, everything is denied until a rule says otherwise.
  const reset = rules.findLastIndex(coversEverything);
  const allowByDefault = rules[reset]?.allow ?? false;
  const kept: DeviceMatch[] = [];
  for (const rule of rules.slice(reset + 1)) {
    if (changesNothing(rule, kept, allowByDefault)) continue;
    for (let index = kept.length - 1; index >= 0; index -= 1) {
      const earlier = kept[index];
      if (earlier !== undefined && covers(rule, earlier)) kept.splice(index, 1);
    }
    mergeOrPush(kept, rule);
  }
  // Joined, two rules can be one for everything: reading and writing here, making nodes there.
  return kept.some(coversEverything) ? settle(kept) : { allowByDefault, rules: kept };
}

function coversEverything(rule: DeviceMatch): boolean {
  return covers(rule, { allow: true, access: allAccess });
}

function parseRule(rule: DeviceRule): DeviceMatch {
  const { type, major = -1, minor = -1, access = "" } = rule;
  let bits = 0;
  if (access.includes("m")) bits |= deviceAccess.m;
  if (access.includes("r")) bits |= deviceAccess.r;
  if (access.includes("w")) bits |= deviceAccess.w;
  return {
    allow: rule.allow,
    ...(type === "b" || type === "c" ? { type } : {}),
    // runc's wildcard is -1, which is what engines write.
    ...(major < 0 ? {} : { major }),
    ...(minor < 0 ? {} : { minor }),
    access: bits === 0 ? allAccess : bits,
  };
}

/** Whether everything up to here already gives what the rule says. */
function changesNothing(
  rule: DeviceMatch,
  before: readonly DeviceMatch[],
  allowByDefault: boolean,
): boolean {
  for (const earlier of before.toReversed()) {
    if (earlier.allow === rule.allow && covers(earlier, rule)) return true;
    if (earlier.allow !== rule.allow && overlap(earlier, rule)) return false;
  }
  return rule.allow === allowByDefault;
}

/** Adds the rule to the last one if that is the same but for the access. */
function mergeOrPush(kept: DeviceMatch[], rule: DeviceMatch): void {
  // Rules of one verdict may change places, so any rule after the last one of the other verdict will do.
  const other = kept.findLastIndex((earlier) => earlier.allow !== rule.allow);
  const twin = kept.findIndex(
    (earlier, index) =>
      index > other &&
      earlier.type === rule.type &&
      earlier.major === rule.major &&
      earlier.minor === rule.minor,
  );
  const merged = kept[twin];
  if (merged === undefined) kept.push(rule);
  else kept[twin] = { ...merged, access: merged.access | rule.access };
}

/** Whether `wide` matches all devices of `narrow` and names all of its accesses. */
function covers(wide: DeviceMatch, narrow: DeviceMatch): boolean {
  return coversDevices(wide, narrow) && (narrow.access & ~wide.access) === 0;
}

// These three are asked for every pair of rules, on the path of every create: plain comparisons, no closures.
function coversDevices(wide: DeviceMatch, narrow: DeviceMatch): boolean {
  return (
    (wide.major === undefined || wide.major === narrow.major) &&
    (wide.minor === undefined || wide.minor === narrow.minor) &&
    (wide.type === undefined || wide.type === narrow.type)
  );
}

/** Whether some access to some device is named by both. */
function overlap(one: DeviceMatch, other: DeviceMatch): boolean {
  return (
    (one.access & other.access) !== 0 &&
    meet(one.major, other.major) &&
    meet(one.minor, other.minor) &&
    meet(one.type, other.type)
  );
}

function meet<T>(one: T | undefined, other: T | undefined): boolean {
  return one === undefined || other === undefined || one === other;
}

/** A line for devices.allow or devices.deny. */
export type DeviceLine = {
  readonly file: "devices.allow" | "devices.deny";
  readonly value: string;
};

/**
 * Says a policy to a v1 devices cgroup in the fewest lines: the default, which clears the group, then its exceptions.
 *
 * @throws `refused` for a policy with a hole in a wildcard rule, which v1 takes without a word and does not keep
 */
export function wordDevicePolicy(policy: DevicePolicy): DeviceLine[] {
  const [sameAsDefault, exceptionFile] = policy.allowByDefault
    ? (["devices.allow", "devices.deny"] as const)
    : (["devices.deny", "devices.allow"] as const);
  const exceptions = listExceptions(policy);
  return [
    { file: sameAsDefault, value: "a" },
    ...exceptions.map((exception) => ({ file: exceptionFile, value: wordMatch(exception) })),
  ];
}

/**
 * The kernel keeps a default and a list of exceptions from it. Reading and writing are asked for together, and one
 * exception must cover both; making a node is asked for alone.
 */
function listExceptions(policy: DevicePolicy): DeviceMatch[] {
  let exceptions: DeviceMatch[] = [];
  for (const rule of policy.rules.flatMap(splitByType)) {
    if (rule.allow !== policy.allowByDefault) {
      mergeOrPush(exceptions, rule);
      continue;
    }
    exceptions = exceptions.flatMap((exception) => takeAway(rule, exception));
  }
  const said: DeviceMatch[] = [];
  for (const exception of exceptions) {
    let access = exception.access;
    for (const other of exceptions) {
      if (coversDevices(other, exception)) access |= other.access & readWrite;
    }
    const whole = access === exception.access ? exception : { ...exception, access };
    if (!exceptions.some((other) => other !== exception && covers(other, whole))) said.push(whole);
  }
  return said;
}

/** What is left of an exception under a later rule that goes back to the default. */
function takeAway(rule: DeviceMatch, exception: DeviceMatch): DeviceMatch[] {
  if (!overlap(rule, exception)) return [exception];
  if (!coversDevices(rule, exception)) {
    raise({
      kind: "refused",
      message:
        `requested rule [${wordMatch(rule)}] not supported by devices cgroupv1 ` +
        `(cannot punch hole in existing wildcard rule [${wordMatch(exception)}])`,
    });
  }
  const access = exception.access & ~rule.access;
  return access === 0 ? [] : [{ ...exception, access }];
}

/** To the kernel's `a` everything after it is noise: it would open or close all devices. */
function splitByType(rule: DeviceMatch): DeviceMatch[] {
  if (rule.type !== undefined) return [rule];
  return [
    { ...rule, type: "b" },
    { ...rule, type: "c" },
  ];
}

/** Words a rule as devices.allow wants it: `c 1:* rw`. */
export function wordMatch({ type, major, minor, access }: DeviceMatch): string {
  const letters = [
    access & deviceAccess.r ? "r" : "",
    access & deviceAccess.w ? "w" : "",
    access & deviceAccess.m ? "m" : "",
  ];
  return `${type ?? "a"} ${major ?? "*"}:${minor ?? "*"} ${letters.join("")}`;
}
