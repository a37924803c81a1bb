// What libseccomp is asked to make of a profile, as runc asks it: actions, architectures and rules as numbers; pure.

import { architecture } from "../abi/architecture.ts";
import { errnos } from "../abi/errno.ts";
import { auditArchitectures as audit, seccompReturns } from "../abi/seccomp.ts";
import { toUint64 } from "../spec/integers.ts";
import type {
  Seccomp,
  SeccompAction,
  SeccompArch,
  SeccompArgument,
  SeccompOperator,
} from "../spec/seccomp.ts";

/** A condition on an argument, as `struct scmp_arg_cmp` has it. */
export type FilterCondition = {
  readonly argument: number;
  /** `enum scmp_compare` */
  readonly operator: number;
  readonly first: bigint;
  readonly second: bigint;
};

/** A rule is added once for each list of conditions, which all have to hold; an empty list always holds. */
export type FilterRule = {
  readonly name: string;
  readonly action: number;
  readonly conditions: readonly (readonly FilterCondition[])[];
};

export type FilterRequest = {
  readonly defaultAction: number;
  readonly architectures: readonly { readonly name: SeccompArch; readonly token: number }[];
  /** Whether the filter is to look for the number of a call in a tree, and not in a list. */
  readonly isTree: boolean;
  readonly rules: readonly FilterRule[];
  /** The names that the profile decides about, whatever it decides. */
  readonly names: readonly string[];
};

/** libseccomp's name for x32, which the kernel knows as x86-64 with a bit in the number. */
export const SCMP_ARCH_X32 = 0x4000_003e;

/** libseccomp's tokens, which are the kernel's but for x32. */
export const architectureTokens: Readonly<Record<SeccompArch, number>> = {
  SCMP_ARCH_X86: audit.AUDIT_ARCH_I386,
  SCMP_ARCH_X86_64: audit.AUDIT_ARCH_X86_64,
  SCMP_ARCH_X32,
  SCMP_ARCH_ARM: audit.AUDIT_ARCH_ARM,
  SCMP_ARCH_AARCH64: audit.AUDIT_ARCH_AARCH64,
  SCMP_ARCH_LOONGARCH64: audit.AUDIT_ARCH_LOONGARCH64,
  SCMP_ARCH_M68K: audit.AUDIT_ARCH_M68K,
  SCMP_ARCH_MIPS: audit.AUDIT_ARCH_MIPS,
  SCMP_ARCH_MIPS64: audit.AUDIT_ARCH_MIPS64,
  SCMP_ARCH_MIPS64N32: audit.AUDIT_ARCH_MIPS64N32,
  SCMP_ARCH_MIPSEL: audit.AUDIT_ARCH_MIPSEL,
  SCMP_ARCH_MIPSEL64: audit.AUDIT_ARCH_MIPSEL64,
  SCMP_ARCH_MIPSEL64N32: audit.AUDIT_ARCH_MIPSEL64N32,
  SCMP_ARCH_PARISC: audit.AUDIT_ARCH_PARISC,
  SCMP_ARCH_PARISC64: audit.AUDIT_ARCH_PARISC64,
  SCMP_ARCH_PPC: audit.AUDIT_ARCH_PPC,
  SCMP_ARCH_PPC64: audit.AUDIT_ARCH_PPC64,
  SCMP_ARCH_PPC64LE: audit.AUDIT_ARCH_PPC64LE,
  SCMP_ARCH_RISCV64: audit.AUDIT_ARCH_RISCV64,
  SCMP_ARCH_S390: audit.AUDIT_ARCH_S390,
  SCMP_ARCH_S390X: audit.AUDIT_ARCH_S390X,
  SCMP_ARCH_SH: audit.AUDIT_ARCH_SHEL,
  SCMP_ARCH_SHEB: audit.AUDIT_ARCH_SH,
};

/** That of this machine. */
export const nativeToken =
  architecture === "x86_64" ? audit.AUDIT_ARCH_X86_64 : audit.AUDIT_ARCH_AARCH64;

/** `enum scmp_compare` */
export const operatorNumbers: Readonly<Record<SeccompOperator, number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
};

/** From so many calls on runc has the filter search in a tree. */
const treeFrom = 33;

/** Makes the request for a profile. A rule that does what is done anyway is left out, as libseccomp refuses it. */
export function requestFilter(profile: Seccomp): FilterRequest {
  const { architectures = [], syscalls = [] } = profile;
  const defaultAction = actionNumber(profile.defaultAction, profile.defaultErrnoRet);
  const names = syscalls.map((rule) => rule.names).flat();
  return {
    defaultAction,
    architectures: architectures.map((name) => ({ name, token: architectureTokens[name] })),
    isTree: names.length >= treeFrom,
    rules: syscalls
      .map((rule) => {
        const action = actionNumber(rule.action, rule.errnoRet);
        if (action === defaultAction) return [];
        const conditions = alternatives(rule.args ?? []);
        return rule.names.map((name) => ({ name, action, conditions }));
      })
      .flat(),
    names,
  };
}

/** What a filter returns for an action; the low 16 bits of ERRNO and TRACE are the profile's. */
export const actionReturns: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: seccompReturns.SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_THREAD: seccompReturns.SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: seccompReturns.SECCOMP_RET_KILL_PROCESS,
  SCMP_ACT_TRAP: seccompReturns.SECCOMP_RET_TRAP,
  SCMP_ACT_ERRNO: seccompReturns.SECCOMP_RET_ERRNO,
  SCMP_ACT_TRACE: seccompReturns.SECCOMP_RET_TRACE,
  SCMP_ACT_ALLOW: seccompReturns.SECCOMP_RET_ALLOW,
  SCMP_ACT_LOG: seccompReturns.SECCOMP_RET_LOG,
  SCMP_ACT_NOTIFY: seccompReturns.SECCOMP_RET_USER_NOTIF,
};

/** Spec: config-linux.md#seccomp: errnoRet is EPERM when it is not set; only ERRNO and TRACE have a use for it. */
function actionNumber(action: SeccompAction, errnoRet: number = errnos.EPERM): number {
  const hasData = action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";
  return actionReturns[action] + (hasData ? errnoRet & 0xffff : 0);
}

/** Conditions on different arguments all have to hold; where two are on the same one, any of the list is enough. */
function alternatives(args: readonly SeccompArgument[]): readonly (readonly FilterCondition[])[] {
  const conditions = args.map(({ index, op, value, valueTwo = 0 }) => ({
    argument: index,
    operator: operatorNumbers[op],
    first: toUint64(value),
    second: toUint64(valueTwo),
  }));
  const isRepeated = new Set(args.map(({ index }) => index)).size < args.length;
  return isRepeated ? conditions.map((condition) => [condition]) : [conditions];
}
