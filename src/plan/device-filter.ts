// The eBPF program that keeps a device policy on cgroup v2, as instructions and as text; not its loading (host/cgroups/).
//
//   r1 context -> r2 type, r3 accesses still to be decided, r4 major, r5 minor
//   for each rule, the last one first:  does it match the device and one of the accesses?
//     deny   goto deny
//     allow  take its accesses away from r3; if none is left, goto allow
//   default, then    deny: r0 = 0, exit    allow: r0 = 1, exit

import { bpfCodes, bpfDevice, bpfDeviceContext, bpfJumpMax } from "../abi/bpf.ts";
import { raise } from "../base/fault.ts";
import { type DeviceMatch, type DevicePolicy, deviceAccess } from "./device-rules.ts";

export type BpfInstruction = {
  readonly code: keyof typeof bpfCodes;
  readonly destination: number;
  readonly source: number;
  readonly offset: number;
  readonly immediate: number;
};

/** An instruction whose jump target is still a name. */
type Draft = { readonly instruction: BpfInstruction; readonly goto?: string };
type Line = Draft | { readonly label: string };

const [type, access, major, minor] = [2, 3, 4, 5];
const allAccess = deviceAccess.r | deviceAccess.w | deviceAccess.m;

/**
 * Generates the program for a policy; nothing when it allows everything, which is what a cgroup without a program does.
 *
 * @throws `refused` when there are so many rules that jumps cannot span them
 */
export function generateDeviceFilter(policy: DevicePolicy): BpfInstruction[] {
  const { allowByDefault, rules } = policy;
  if (allowByDefault && rules.length === 0) return [];
  const checks = groupRules(rules)
    .map((group, index) => checkGroup(group, `next${index}`))
    .flat();
  const verdict = allowByDefault ? "allow" : "deny";
  // The default comes first of the two ends, so that the last check falls into it.
  const ends = verdict === "allow" ? ["allow", "deny"] : ["deny", "allow"];
  const used = new Set(checks.map((line) => ("goto" in line ? [line.goto] : [])).flat());
  const tail = ends
    .filter((end) => end === verdict || used.has(end))
    .map((end): Line[] => [
      { label: end },
      instruct("MOV32_IMM", { destination: 0, immediate: end === "allow" ? 1 : 0 }),
      instruct("EXIT"),
    ])
    .flat();
  return link([...readContext(rules), ...checks, ...tail]);
}

/** Loads what the rules look at, and no more. */
function readContext(rules: readonly DeviceMatch[]): Line[] {
  const load = (destination: number, field: keyof typeof bpfDeviceContext): Draft =>
    instruct("LOAD32", { destination, source: 1, offset: bpfDeviceContext[field] });
  const lines: Line[] = [];
  const typed = rules.some((rule) => rule.type !== undefined);
  const partial = rules.some((rule) => rule.access !== allAccess);
  if (typed) lines.push(load(type, "access_type"));
  if (partial) {
    lines.push(
      typed
        ? instruct("MOV32_REG", { destination: access, source: type })
        : load(access, "access_type"),
      instruct("RSH32_IMM", { destination: access, immediate: 16 }),
    );
  }
  if (typed) lines.push(instruct("AND32_IMM", { destination: type, immediate: 0xffff }));
  if (rules.some((rule) => rule.major !== undefined)) lines.push(load(major, "major"));
  if (rules.some((rule) => rule.minor !== undefined)) lines.push(load(minor, "minor"));
  return lines;
}

/** Rules that share type and major, so that these are compared once. */
type Group = { readonly shared: DeviceMatch; readonly rules: readonly DeviceMatch[] };

/** The last rules come first; within a run of one verdict the order is free, which brings equal majors together. */
function groupRules(rules: readonly DeviceMatch[]): Group[] {
  const groups: { shared: DeviceMatch; rules: DeviceMatch[] }[] = [];
  let runStart = 0;
  for (const rule of rules.toReversed()) {
    if (groups.at(-1)?.shared.allow !== rule.allow) runStart = groups.length;
    const group = groups.find(
      ({ shared }, index) =>
        index >= runStart && shared.type === rule.type && shared.major === rule.major,
    );
    if (group === undefined) groups.push({ shared: rule, rules: [rule] });
    else group.rules.push(rule);
  }
  return groups;
}

function checkGroup({ shared, rules }: Group, next: string): Line[] {
  const lines: Line[] = [];
  if (shared.type !== undefined) {
    lines.push(
      unless(
        type,
        shared.type === "b" ? bpfDevice.BPF_DEVCG_DEV_BLOCK : bpfDevice.BPF_DEVCG_DEV_CHAR,
        next,
      ),
    );
  }
  if (shared.major !== undefined) lines.push(unless(major, shared.major, next));
  rules.forEach((rule, index) => {
    lines.push(...checkRule(rule, `${next}.${index}`));
  });
  return [...lines, { label: next }];
}

function checkRule(rule: DeviceMatch, next: string): Line[] {
  const verdict = rule.allow ? "allow" : "deny";
  if (rule.access === allAccess) {
    return rule.minor === undefined
      ? [instruct("JA", {}, verdict)]
      : [instruct("JEQ32_IMM", { destination: minor, immediate: rule.minor }, verdict)];
  }
  const lines = rule.minor === undefined ? [] : [unless(minor, rule.minor, next)];
  const decided = rule.allow
    ? [
        instruct("AND32_IMM", { destination: access, immediate: allAccess & ~rule.access }),
        instruct("JEQ32_IMM", { destination: access, immediate: 0 }, verdict),
      ]
    : [instruct("JSET32_IMM", { destination: access, immediate: rule.access }, verdict)];
  return [...lines, ...decided, { label: next }];
}

function unless(register: number, immediate: number, next: string): Draft {
  return instruct("JNE32_IMM", { destination: register, immediate }, next);
}

function instruct(
  code: keyof typeof bpfCodes,
  fields: Partial<Omit<BpfInstruction, "code">> = {},
  goto?: string,
): Draft {
  const blank = { destination: 0, source: 0, offset: 0, immediate: 0 };
  const instruction = { code, ...blank, ...fields };
  return goto === undefined ? { instruction } : { instruction, goto };
}

/** Turns names into distances, which count from the next instruction. */
function link(lines: readonly Line[]): BpfInstruction[] {
  const labels = new Map<string, number>();
  const drafts: Draft[] = [];
  for (const line of lines) {
    if ("label" in line) labels.set(line.label, drafts.length);
    else drafts.push(line);
  }
  if (drafts.length > bpfJumpMax) {
    raise({ kind: "refused", message: "linux.resources.devices has too many rules" });
  }
  return drafts.map(({ instruction, goto }, index) => {
    if (goto === undefined) return instruction;
    return { ...instruction, offset: (labels.get(goto) ?? 0) - index - 1 };
  });
}

/** Encodes instructions as the kernel's `struct bpf_insn`: code, two registers of four bits, offset, immediate. */
export function encodeBpf(program: readonly BpfInstruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, destination, source, offset, immediate }, index) => {
    view.setUint8(index * 8, bpfCodes[code]);
    view.setUint8(index * 8 + 1, destination | (source << 4));
    view.setInt16(index * 8 + 2, offset, true);
    // Device numbers are unsigned: those above 2^31 wrap to the same 32 bits.
    view.setInt32(index * 8 + 4, immediate | 0, true);
  });
  return bytes;
}

/** Prints a program like the kernel's verifier does, one instruction a line. */
export function printBpf(program: readonly BpfInstruction[]): string {
  return program
    .map((instruction, index) => `${index}: ${printInstruction(instruction, index)}`)
    .join("\n");
}

function printInstruction(instruction: BpfInstruction, index: number): string {
  const { code, destination, source, offset, immediate } = instruction;
  const to = `goto ${index + 1 + offset}`;
  switch (code) {
    case "MOV32_IMM":
      return `w${destination} = ${immediate}`;
    case "MOV32_REG":
      return `w${destination} = w${source}`;
    case "AND32_IMM":
      return `w${destination} &= ${immediate}`;
    case "RSH32_IMM":
      return `w${destination} >>= ${immediate}`;
    case "LOAD32":
      return `w${destination} = *(u32 *)(r${source} + ${offset})`;
    case "JEQ32_IMM":
      return `if w${destination} == ${immediate} ${to}`;
    case "JNE32_IMM":
      return `if w${destination} != ${immediate} ${to}`;
    case "JSET32_IMM":
      return `if w${destination} & ${immediate} ${to}`;
    case "JA":
      return to;
    case "EXIT":
      return "exit";
  }
}
