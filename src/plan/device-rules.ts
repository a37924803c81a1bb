// What the device rules of a config mean together, and the texts that say it to a v1 devices cgroup; not the eBPF program
// that says it on v2 (device-filter.ts).
//
// Meaning: each of r, w and m of a device is decided by the last rule in the list that matches the device and names it;
// what no rule decides is denied. An access is allowed when each of its parts is.

import { present } from "../base/assert.ts";
import { raise } from "../base/fault.ts";
import type { DeviceRule } from "../spec/resources.ts";

/** Bits of an access, as the kernel numbers them in `bpf_cgroup_dev_ctx`. */
export const deviceAccess = { m: 1, r: 2, w: 4 } as const;
const readWrite = deviceAccess.r | deviceAccess.w;
const allAccess = readWrite | deviceAccess.m;

/**
 * A rule with nothing left open; no type, major or minor stands for all. The properties are always there, and in this order: so
 * the interpreter finds them where it has found those of the rule before.
 */
export type DeviceMatch = {
  readonly allow: boolean;
  readonly type: "b" | "c" | undefined;
  readonly major: number | undefined;
  readonly minor: number | undefined;
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
  { allow: true, type: undefined, major: undefined, minor: undefined, access: deviceAccess.m },
  ...[3, 5, 7, 8, 9].map((minor) => allowCharacter(1, minor)),
  allowCharacter(5, 0),
  allowCharacter(136, undefined),
  allowCharacter(5, 2),
  // tun: runc dropped it once and put it back because VPN containers broke.
  allowCharacter(10, 200),
];

function allowCharacter(major: number, minor: number | undefined): DeviceMatch {
  return { allow: true, type: "c", major, minor, access: allAccess };
}

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
  let reset = rules.length - 1;
  for (let rule = rules[reset]; rule !== undefined && !coversEverything(rule); ) {
    reset -= 1;
    rule = rules[reset];
  }
  const allowByDefault = rules[reset]?.allow ?? false;
  const kept: DeviceMatch[] = [];
  for (const rule of rules.slice(reset + 1)) {
    // Only these can say the same, something else, or less.
    const near = kept.filter((earlier) => meet(earlier, rule));
    if (changesNothing(rule, near, allowByDefault)) continue;
    for (const earlier of near) {
      if (covers(rule, earlier)) kept.splice(kept.indexOf(earlier), 1);
    }
    mergeOrPush(kept, rule);
  }
  // Joined, two rules can be one for everything: reading and writing here, making nodes there.
  return kept.some(coversEverything) ? settle(kept) : { allowByDefault, rules: kept };
}

function coversEverything({ type, major, minor, access }: DeviceMatch): boolean {
  return access === allAccess && type === undefined && major === undefined && minor === undefined;
}

function parseRule(rule: DeviceRule): DeviceMatch {
  const { type, major = -1, minor = -1, access = "" } = rule;
  let bits = 0;
  if (access.includes("m")) bits |= deviceAccess.m;
  if (access.includes("r")) bits |= deviceAccess.r;
  if (access.includes("w")) bits |= deviceAccess.w;
  return {
    allow: rule.allow,
    type: type === "b" || type === "c" ? type : undefined,
    // runc's wildcard is -1, which is what engines write.
    major: major < 0 ? undefined : major,
    minor: minor < 0 ? undefined : minor,
    access: bits === 0 ? allAccess : bits,
  };
}

/** Whether everything up to here already gives what the rule says; `before` are those that meet it. */
function changesNothing(
  rule: DeviceMatch,
  before: readonly DeviceMatch[],
  allowByDefault: boolean,
): boolean {
  for (const earlier of before.toReversed()) {
    if (earlier.allow === rule.allow && covers(earlier, rule)) return true;
    if (earlier.allow !== rule.allow && (earlier.access & rule.access) !== 0) return false;
  }
  return rule.allow === allowByDefault;
}

/** Adds the rule to the last one if that is the same but for the access. */
function mergeOrPush(kept: DeviceMatch[], rule: DeviceMatch): void {
  const { allow, type, major, minor } = rule;
  // Rules of one verdict may change places, so any rule after the last one of the other verdict will do.
  for (let index = kept.length - 1; kept[index]?.allow === allow; index -= 1) {
    const twin = present(kept[index], "a rule");
    if (twin.minor !== minor || twin.major !== major || twin.type !== type) continue;
    kept[index] = { allow, type, major, minor, access: twin.access | rule.access };
    return;
  }
  kept.push(rule);
}

/** Whether `wide` matches all devices of `narrow` and names all of its accesses. */
function covers(wide: DeviceMatch, narrow: DeviceMatch): boolean {
  return coversDevices(wide, narrow) && (narrow.access & ~wide.access) === 0;
}

// Every pair of rules of every create comes by in the next two: plain comparisons, and first what most rules differ in.

function coversDevices(wide: DeviceMatch, narrow: DeviceMatch): boolean {
  if (wide.minor !== narrow.minor && wide.minor !== undefined) return false;
  if (wide.major !== narrow.major && wide.major !== undefined) return false;
  return wide.type === narrow.type || wide.type === undefined;
}

/** Whether some device is named by both. */
export function meet(one: DeviceMatch, other: DeviceMatch): boolean {
  const { type, major, minor } = other;
  if (one.minor !== minor && one.minor !== undefined && minor !== undefined) return false;
  if (one.major !== major && one.major !== undefined && major !== undefined) return false;
  return one.type === type || one.type === undefined || type === undefined;
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
  for (const rule of policy.rules.map(splitByType).flat()) {
    if (rule.allow !== policy.allowByDefault) {
      mergeOrPush(exceptions, rule);
      continue;
    }
    exceptions = exceptions.map((exception) => takeAway(rule, exception)).flat();
  }
  const said: DeviceMatch[] = [];
  for (const exception of exceptions) {
    const covering = exceptions.filter((other) => coversDevices(other, exception));
    let access = exception.access;
    for (const other of covering) access |= other.access & readWrite;
    const whole = access === exception.access ? exception : { ...exception, access };
    if (!covering.some((other) => other !== exception && covers(other, whole))) said.push(whole);
  }
  return said;
}

/** What is left of an exception under a later rule that goes back to the default. */
function takeAway(rule: DeviceMatch, exception: DeviceMatch): DeviceMatch[] {
  if ((rule.access & exception.access) === 0 || !meet(rule, exception)) return [exception];
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
  const [r, w] = [access & deviceAccess.r ? "r" : "", access & deviceAccess.w ? "w" : ""];
  const m = access & deviceAccess.m ? "m" : "";
  return `${type ?? "a"} ${major ?? "*"}:${minor ?? "*"} ${r}${w}${m}`;
}
