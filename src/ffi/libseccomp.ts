// Has libseccomp compile a filter; the library is opened when the first one is wanted, and what is asked is plan's.

import { dlopen, ptr } from "bun:ffi";
import { errnoName, errnos } from "../abi/errno.ts";
import { memfdFlags } from "../abi/file.ts";
import { classicBpfInstructionBytes, classicBpfMaxInstructions } from "../abi/seccomp.ts";
import { errnoText } from "../base/errno-text.ts";
import { raise } from "../base/fault.ts";
import type { LastCall } from "../plan/seccomp-new-calls.ts";
import type { FilterCondition, FilterRequest, FilterRule } from "../plan/seccomp-request.ts";
import { close, memfdCreate } from "../syscall/files.ts";
import { call, number, outputOperand } from "../syscall/value.ts";
import { execute, must, mustForOutput } from "./execute.ts";
import { type PinnedBuffer, pinBuffer } from "./pinned-buffer.ts";

const symbols = {
  // scmp_filter_ctx seccomp_init(uint32_t def_action);
  seccomp_init: { args: ["u32"], returns: "ptr" },
  // void seccomp_release(scmp_filter_ctx ctx);
  seccomp_release: { args: ["ptr"], returns: "void" },
  // uint32_t seccomp_arch_native(void);
  seccomp_arch_native: { args: [], returns: "u32" },
  // int seccomp_arch_add(scmp_filter_ctx ctx, uint32_t arch_token);
  seccomp_arch_add: { args: ["ptr", "u32"], returns: "i32" },
  // int seccomp_attr_set(scmp_filter_ctx ctx, enum scmp_filter_attr attr, uint32_t value);
  seccomp_attr_set: { args: ["ptr", "u32", "u32"], returns: "i32" },
  // int seccomp_syscall_resolve_name(const char *name);
  seccomp_syscall_resolve_name: { args: ["ptr"], returns: "i32" },
  // int seccomp_syscall_resolve_name_arch(uint32_t arch_token, const char *name);
  seccomp_syscall_resolve_name_arch: { args: ["u32", "ptr"], returns: "i32" },
  // int seccomp_rule_add_array(scmp_filter_ctx ctx, uint32_t action, int syscall, unsigned int arg_cnt,
  //                            const struct scmp_arg_cmp *arg_array);
  seccomp_rule_add_array: { args: ["ptr", "u32", "i32", "u32", "ptr"], returns: "i32" },
  // int seccomp_export_bpf(const scmp_filter_ctx ctx, int fd);
  seccomp_export_bpf: { args: ["ptr", "i32"], returns: "i32" },
} as const;

type Library = ReturnType<typeof dlopen<typeof symbols>>["symbols"];
type Context = NonNullable<ReturnType<Library["seccomp_init"]>>;

/** What libseccomp has made of a request. */
export type CompiledFilter = {
  /** An array of `struct sock_filter`. */
  readonly program: Uint8Array;
  /** For each architecture of the filter in which the profile names a call. */
  readonly lastCalls: readonly LastCall[];
  /** Names in the profile that this libseccomp does not know. */
  readonly unknownNames: readonly string[];
};

const doing = "compiling linux.seccomp";

/** A name that no call has; libseccomp's own for "there is none". */
const __NR_SCMP_ERROR = -1;
/** Names of calls are shorter, and `struct scmp_arg_cmp` of all arguments lies behind them. */
const nameMaxBytes = 256;
const conditionBytes = 24;

/**
 * Compiles a filter.
 *
 * Safety: names and conditions lie in pinned memory that is referenced until the last call has returned, and libseccomp keeps
 * no pointer to them; the context is released before this returns or throws.
 *
 * @param path where the library is; without it the loader looks for one
 * @throws `host` fault when there is no library, or none that can be used; `refused` when it takes a rule or an architecture for wrong
 */
export function compileFilter(path: string | undefined, request: FilterRequest): CompiledFilter {
  const library = openLibrary(path);
  const context = library.seccomp_init(request.defaultAction);
  if (context === null) return refuse("the default action is not one for this kernel");
  try {
    addArchitectures(library, context, request);
    const SCMP_FLTATR_CTL_OPTIMIZE = 8;
    // An older libseccomp has no trees; what its filter says is the same.
    if (request.isTree) library.seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    const memory = pinBuffer(nameMaxBytes + 6 * conditionBytes);
    const unknownNames: string[] = [];
    for (const rule of request.rules) {
      if (!addRule({ library, context, memory }, rule)) unknownNames.push(rule.name);
    }
    return {
      program: exportProgram(library, context),
      lastCalls: findLastCalls(library, request, memory),
      unknownNames,
    };
  } finally {
    library.seccomp_release(context);
  }
}

function openLibrary(path: string | undefined): Library {
  try {
    return dlopen(path ?? "libseccomp.so.2", symbols).symbols;
  } catch (cause) {
    const message =
      path === undefined
        ? "linux.seccomp needs libseccomp, which is not installed (package libseccomp2 or libseccomp)"
        : `${doing}: ${path} cannot be used: ${cause instanceof Error ? cause.message : cause}`;
    return raise({ kind: "host", message }, cause);
  }
}

function addArchitectures(
  library: Library,
  context: Context,
  { architectures }: FilterRequest,
): void {
  for (const { name, token } of architectures) {
    const result = library.seccomp_arch_add(context, token);
    // The native one is there from the start.
    if (result === 0 || result === -errnos.EEXIST) continue;
    refuse(
      result === -errnos.EINVAL
        ? `this libseccomp does not know the architecture ${name}`
        : `error adding architecture ${name} to seccomp filter: ${describe(result)}`,
    );
  }
}

/** Adds a rule; false when this libseccomp knows no call of the name, which is then newer than both it and the profile's use. */
function addRule(
  target: { readonly library: Library; readonly context: Context; readonly memory: PinnedBuffer },
  { name, action, conditions }: FilterRule,
): boolean {
  const { library, context, memory } = target;
  if (!writeName(memory, name)) return false;
  const syscall = library.seccomp_syscall_resolve_name(ptr(memory.bytes));
  if (syscall === __NR_SCMP_ERROR) return false;
  for (const all of conditions) {
    writeConditions(memory, all);
    const at = ptr(memory.bytes, nameMaxBytes);
    const result = library.seccomp_rule_add_array(context, action, syscall, all.length, at);
    if (result !== 0) {
      refuse(`error adding seccomp filter rule for syscall ${name}: ${describe(result)}`);
    }
  }
  return true;
}

/** Writes a C string; false when it is too long for any call's name. */
function writeName({ bytes }: PinnedBuffer, name: string): boolean {
  const { read, written } = new TextEncoder().encodeInto(name, bytes.subarray(0, nameMaxBytes - 1));
  bytes[written] = 0;
  return read === name.length;
}

/** Writes an array of `struct scmp_arg_cmp { unsigned arg; enum op; uint64_t datum_a, datum_b; }`. */
function writeConditions({ bytes }: PinnedBuffer, conditions: readonly FilterCondition[]): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + nameMaxBytes);
  conditions.forEach(({ argument, operator, first, second }, index) => {
    const at = index * conditionBytes;
    view.setUint32(at, argument, true);
    view.setUint32(at + 4, operator, true);
    view.setBigUint64(at + 8, first, true);
    view.setBigUint64(at + 16, second, true);
  });
}

/** The largest number that is named for each architecture of the filter, the native one included. */
function findLastCalls(
  library: Library,
  { architectures, names }: FilterRequest,
  memory: PinnedBuffer,
): readonly LastCall[] {
  const tokens = new Set([library.seccomp_arch_native(), ...architectures.map((one) => one.token)]);
  return [...tokens]
    .map((token) => {
      let last = -1;
      for (const name of names) {
        if (!writeName(memory, name)) continue;
        const found = library.seccomp_syscall_resolve_name_arch(token, ptr(memory.bytes));
        // Names of calls that the architecture lacks have negative numbers.
        if (found > last) last = found;
      }
      return last > 0 ? [{ token, number: last }] : [];
    })
    .flat();
}

function exportProgram(library: Library, context: Context): Uint8Array {
  const file = must(memfdCreate("seccomp", memfdFlags.MFD_CLOEXEC), doing);
  try {
    // Into a file, which every libseccomp can; into memory only version 2.6 can.
    const result = library.seccomp_export_bpf(context, file);
    if (result !== 0) refuse(`error exporting the filter: ${describe(result)}`);
    const limit = classicBpfMaxInstructions * classicBpfInstructionBytes;
    // One byte more tells whether that was all.
    const sizeBytes = limit + 1;
    const all = mustForOutput(
      call("pread64", number(file), outputOperand(sizeBytes), number(sizeBytes), number(0)),
      doing,
    );
    if (all.result > limit) refuseLong();
    return all.output.subarray(0, all.result);
  } finally {
    execute(close(file));
  }
}

/** Says that a filter is too long for the kernel. */
export function refuseLong(): never {
  return refuse(`the filter has more than ${classicBpfMaxInstructions} instructions`);
}

function describe(result: number): string {
  return errnoText(errnoName(-result));
}

function refuse(why: string): never {
  return raise({ kind: "refused", message: `${doing}: ${why}` });
}
