// Every number of src/abi against what the C compiler makes of the kernel's headers; what they lack is listed with the reason.

import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Architecture, architecture } from "../../src/abi/architecture.ts";
import * as bpf from "../../src/abi/bpf.ts";
import * as capability from "../../src/abi/capability.ts";
import * as errno from "../../src/abi/errno.ts";
import * as file from "../../src/abi/file.ts";
import * as mount from "../../src/abi/mount.ts";
import * as netlink from "../../src/abi/netlink.ts";
import * as process_ from "../../src/abi/process.ts";
import * as scheduling from "../../src/abi/scheduling.ts";
import * as socket from "../../src/abi/socket.ts";
import * as struct from "../../src/abi/struct.ts";
import { syscallNames, syscallNumberOn } from "../../src/abi/syscall-numbers.ts";
import * as terminal from "../../src/abi/terminal.ts";
import { present } from "../../src/base/assert.ts";

type StructLayout = struct.StructLayout;

const test = suite("abi/c-compiler");

const hasCompiler = existsSync("/usr/bin/gcc");
const check = hasCompiler ? test : test.skip;
if (!hasCompiler) console.log("skip: the binary contract: gcc is not installed");

/** Tables whose names only the C library's headers have; the others are asked of the kernel's. */
const libcTables = ["socketFamilies", "socketTypes", "SOL_SOCKET", "SCM_RIGHTS", "messageFlags"];
libcTables.push("pollEvents", "accessModes", "F_OK", "unmountFlags", "interfaceFlags", "signalMax");
libcTables.push("eventfdFlags", "AF_NETLINK");

const libcHeaders = ["signal.h", "net/if.h", "sys/socket.h", "poll.h", "unistd.h", "sys/mount.h"];
libcHeaders.push("sys/eventfd.h");
/** linux/if.h takes in libc's sockets, which do not go together with the kernel's headers; messages are only in libc's. */
const libcLayouts = ["ifreq", "messageHeader", "controlMessage"];
const kernelHeaders = [
  ...["bpf", "capability", "close_range", "errno", "fcntl", "magic", "memfd", "mount"],
  ...["openat2", "poll", "prctl", "resource", "sched", "signal", "sockios", "stat", "time_types"],
  ...["un", "wait", "uio", "tty", "ioprio", "mempolicy", "personality", "nsfs", "rtnetlink"],
]
  .map((name) => `linux/${name}.h`)
  .concat("asm/ioctls.h", "asm/socket.h", "asm/termbits.h");

/** Names of ours for what C says in another way. */
const expressions: Readonly<Record<string, string>> = {
  SCHED_OTHER: "SCHED_NORMAL",
  LINUX_CAPABILITY_VERSION_3: "_LINUX_CAPABILITY_VERSION_3",
  bpfInstructionBytes: "sizeof(struct bpf_insn)",
  bpfJumpMax: "__SHRT_MAX__",
  capabilityMax: "CAP_LAST_CAP",
  lastFd: "~0U",
  signalMax: "_NSIG - 1",
  signalSetBytes: "sizeof(sigset_t)",
  socketPathMaxBytes: "sizeof(((struct sockaddr_un *)0)->sun_path) - 1",
  // bpfCodes
  AND32_IMM: "BPF_ALU | BPF_AND | BPF_K",
  EXIT: "BPF_JMP | BPF_EXIT",
  JA: "BPF_JMP | BPF_JA",
  JEQ32_IMM: "BPF_JMP32 | BPF_JEQ | BPF_K",
  JNE32_IMM: "BPF_JMP32 | BPF_JNE | BPF_K",
  JSET32_IMM: "BPF_JMP32 | BPF_JSET | BPF_K",
  LOAD32: "BPF_LDX | BPF_W | BPF_MEM",
  MOV32_IMM: "BPF_ALU | BPF_MOV | BPF_K",
  MOV32_REG: "BPF_ALU | BPF_MOV | BPF_X",
  RSH32_IMM: "BPF_ALU | BPF_RSH | BPF_K",
  // bpfDeviceContext
  access_type: "__builtin_offsetof(struct bpf_cgroup_dev_ctx, access_type)",
  major: "__builtin_offsetof(struct bpf_cgroup_dev_ctx, major)",
  minor: "__builtin_offsetof(struct bpf_cgroup_dev_ctx, minor)",
};

/** Constants that no header of user space has. */
const unnamed: Readonly<Record<string, string>> = {
  SCHED_ISO: "reserved in linux/sched.h, by a comment",
  errnoMax: "the kernel's MAX_ERRNO is not exported; syscall(2) of libc relies on it, too",
};

/** Macros that Debian 12's headers (Linux 6.1) are too old for; compared where they are defined. */
const maybeMissing: Readonly<Record<string, string>> = {
  MFD_EXEC: "Linux 6.3",
  MPOL_WEIGHTED_INTERLEAVE: "Linux 6.9, in an enum",
};
const maybeMissingCalls: Readonly<Record<string, string>> = {
  fchmodat2: "Linux 6.6",
  statmount: "Linux 6.8",
  open_tree_attr: "Linux 6.15",
};

/** Members that C names in another way. */
const members: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ["effective", "permitted", "inheritable"].flatMap((set) => [
      [`capData.${set}_low`, `[0].${set}`],
      [`capData.${set}_high`, `[1].${set}`],
    ]),
  ),
  ...Object.fromEntries(
    ["handler", "flags", "restorer", "mask"].map((name) => [
      `kernelSigaction.${name}`,
      `.sa_${name}`,
    ]),
  ),
  ...Object.fromEntries(
    Object.keys(bpf.bpfQueryAttribute.fields).map((name) => [
      `bpfQueryAttribute.${name}`,
      `.query.${name}`,
    ]),
  ),
};

type Constant = { readonly name: string; readonly value: number; readonly table: string };

const modules: readonly object[] = [
  ...[bpf, capability, errno, file, mount],
  ...[netlink, process_, scheduling, socket, terminal],
];

/** All exported numbers, alone or in a table. */
const constants: readonly Constant[] = [
  ...modules.flatMap((module) =>
    Object.entries(module).flatMap(([table, value]: [string, unknown]): Constant[] => {
      if (typeof value === "number") return [{ name: table, value, table }];
      if (typeof value !== "object" || value === null || isLayout(value)) return [];
      return Object.entries(value).flatMap(([name, member]: [string, unknown]) =>
        typeof member === "number" ? [{ name, value: member, table }] : [],
      );
    }),
  ),
  ...errno
    .errnoNames()
    .flatMap((name, value) => (name === "" ? [] : [{ name, value, table: "errnoNames" }])),
];

function isLayout(value: unknown): value is StructLayout {
  return typeof value === "object" && value !== null && "fields" in value && "header" in value;
}

/** Compiles and runs a program that prints `name value` lines. */
function runC(
  headers: readonly string[],
  lines: readonly string[],
  flags: readonly string[] = [],
): ReadonlyMap<string, number> {
  const directory = mkdtempSync(join(tmpdir(), "abi-"));
  const source = join(directory, "abi.c");
  const includes = headers.map((header) => `#include <${header}>`);
  const code = ["#define _GNU_SOURCE", ...includes, "int printf(const char *, ...);"];
  writeFileSync(source, `${[...code, "int main(void) {", ...lines, "return 0; }"].join("\n")}\n`);
  run(["gcc", "-w", ...flags, "-o", join(directory, "abi"), source]);
  return parseLines(run([join(directory, "abi")]));
}

function run(argv: readonly string[]): string {
  const child = Bun.spawnSync([...argv], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  assert.ok(child.success, `${argv.join(" ")}: ${child.stderr}`);
  return child.stdout.toString();
}

function parseLines(text: string): ReadonlyMap<string, number> {
  return new Map(
    text.split("\n").flatMap((line) => {
      const [name, value] = line.split(" ");
      return name === undefined || value === undefined ? [] : [[name, Number(value)]];
    }),
  );
}

function printLine(name: string, expression: string): string {
  return `printf("${name} %lld\\n", (long long)(${expression}));`;
}

function printConstant({ name }: Constant): string {
  const line = printLine(name, expressions[name] ?? name);
  return maybeMissing[name] === undefined ? line : `#ifdef ${name}\n${line}\n#endif`;
}

check("every constant has the value that the kernel's headers give it", () => {
  const asked = constants.filter(({ name }) => unnamed[name] === undefined);
  const fromLibc = asked.filter(({ table }) => libcTables.includes(table));
  const fromKernel = asked.filter(({ table }) => !libcTables.includes(table));
  assert.ok(fromLibc.length > 10 && fromKernel.length > 250, "the tables were found");
  const answers = [
    { of: fromLibc, found: runC(libcHeaders, fromLibc.map(printConstant)) },
    { of: fromKernel, found: runC(kernelHeaders, fromKernel.map(printConstant)) },
  ];
  for (const { of, found } of answers) {
    for (const { name, value, table } of of) {
      if (!found.has(name) && maybeMissing[name] !== undefined) continue;
      assert.is(value, found.get(name), `${table}: ${name}`);
    }
  }
});

check("errnoMax is what libc takes for the last error", () => {
  assert.ok(errno.errnoNames().length < errno.errnoMax && errno.errnoMax === 4095);
});

check(
  "every structure has the size, and its fields the offsets and sizes, of the kernel's headers",
  () => {
    const layouts = new Map<string, StructLayout>();
    for (const module of [...modules, struct]) {
      for (const [name, value] of Object.entries(module)) {
        if (isLayout(value)) layouts.set(name, value);
      }
    }
    assert.ok(struct.structLayouts.every((layout) => [...layouts.values()].includes(layout)));
    assert.ok(layouts.size >= struct.structLayouts.length + 4, "those of bpf.ts are there");
    const kernel = [...layouts].filter(([name]) => !libcLayouts.includes(name));
    const libc = [...layouts].filter(([name]) => libcLayouts.includes(name));
    const headers = kernel.flatMap(([, { header }]) =>
      header === "" || header === "signal.h" ? [] : [header],
    );
    const found = new Map([
      ...runC([...new Set([...kernelHeaders, ...headers])], kernel.flatMap(printLayout)),
      ...runC(libcHeaders, libc.flatMap(printLayout)),
    ]);
    for (const [key, layout] of layouts) {
      const sizeBytes = present(found.get(key), key);
      // Of a union only the members of one command are described.
      if (layout.name.startsWith("union")) assert.ok(layout.sizeBytes <= sizeBytes, key);
      else assert.is(layout.sizeBytes, sizeBytes, `size of ${layout.name}`);
      for (const [field, { offset, sizeBytes: size }] of Object.entries(layout.fields)) {
        assert.is(offset, found.get(`${key}.${field}`), `offset of ${layout.name}.${field}`);
        assert.is(size, found.get(`${key}.${field}.size`), `size of ${layout.name}.${field}`);
        assert.ok(offset + size <= layout.sizeBytes, `${layout.name}.${field} lies inside`);
      }
    }
  },
);

function printLayout([key, layout]: readonly [string, StructLayout]): string[] {
  // The kernel's own sigaction is the one of its headers, not libc's.
  const name = layout.name === "struct kernel_sigaction" ? "struct sigaction" : layout.name;
  const member = (field: string): string =>
    `(*(__typeof__(${name}) *)0)${members[`${key}.${field}`] ?? `.${field}`}`;
  return [
    printLine(key, `sizeof(${name})`),
    ...Object.keys(layout.fields).flatMap((field) => [
      printLine(`${key}.${field}`, `&${member(field)}`),
      printLine(`${key}.${field}.size`, `sizeof(${member(field)})`),
    ]),
  ];
}

/** Headers of the other machine: what they say, the compiler of x86-64 can compute as well. */
const arm64Headers = "/usr/aarch64-linux-gnu/include";
const hasArm64 = hasCompiler && architecture === "x86_64" && existsSync(arm64Headers);
if (!hasArm64) console.log("skip: constants of arm64: no x86-64 with linux-libc-dev-arm64-cross");

(hasArm64 ? test : test.skip)("constants and structures hold on arm64", () => {
  const flags = ["-nostdinc", `-I${arm64Headers}`];
  const kernel = constants.filter(
    ({ name, table }) => unnamed[name] === undefined && !libcTables.includes(table),
  );
  const found = runC(kernelHeaders, kernel.map(printConstant), flags);
  // The tables are made when they are loaded, for the machine that loads them.
  const script = `
    Object.defineProperty(process, "arch", { value: "arm64" });
    for (const name of ["bpf", "capability", "errno", "file", "mount", "netlink", "process", "scheduling", "socket", "terminal"]) {
      const module = await import("${join(import.meta.dir, "../../src/abi")}/" + name + ".ts");
      for (const [table, value] of Object.entries(module)) {
        if (typeof value === "number") console.log(table + "." + table, value);
        if (typeof value !== "object" || value === null) continue;
        for (const [key, item] of Object.entries(value)) console.log(table + "." + key, item);
      }
    }`;
  const ours = parseLines(run([process.execPath, "-e", script]));
  assert.is.not(ours.get("openFlags.O_DIRECTORY"), file.openFlags.O_DIRECTORY, "another machine");
  for (const { name, value, table } of kernel) {
    if (!found.has(name) && maybeMissing[name] !== undefined) continue;
    // That list is the same on every machine.
    const mine = table === "errnoNames" ? value : ours.get(`${table}.${name}`);
    assert.is(mine, found.get(name), `${table}: ${name}`);
  }
  const layouts = struct.structLayouts.filter(
    (layout) => layout.name !== "siginfo_t" && !libcLayouts.includes(keyOf(layout)),
  );
  const sizes = runC(
    [...new Set([...kernelHeaders, ...layouts.map(({ header }) => header)])].filter(Boolean),
    layouts.flatMap((layout) => printLayout([keyOf(layout), layout])),
    flags,
  );
  for (const layout of layouts) {
    assert.is(layout.sizeBytes, sizes.get(keyOf(layout)), layout.name);
    for (const [field, { offset }] of Object.entries(layout.fields)) {
      assert.is(offset, sizes.get(`${keyOf(layout)}.${field}`), `${layout.name}.${field}`);
    }
  }
});

function keyOf(layout: StructLayout): string {
  const entry = Object.entries(struct).find(([, value]) => value === layout);
  return present(entry, layout.name)[0];
}

/** What must be said before a header gives the numbers of the architecture. */
const numberHeaders: Readonly<Record<Architecture, readonly string[]>> = {
  x86_64: ["#include <asm/unistd_64.h>"],
  aarch64: [
    ...["RENAMEAT", "NEW_STAT", "SET_GET_RLIMIT", "TIME32_SYSCALLS", "SYS_CLONE3"].map(
      (name) => `#define __ARCH_WANT_${name}`,
    ),
    "#include <asm-generic/unistd.h>",
  ],
};

for (const of of ["x86_64", "aarch64"] as const) {
  check(`every system call has its number on ${of}`, () => {
    const directory = mkdtempSync(join(tmpdir(), "abi-"));
    const source = join(directory, "numbers.c");
    const names = syscallNames();
    const lines = [...numberHeaders[of], ...names.map((name) => `"${name}" __NR_${name}`)];
    writeFileSync(source, `${lines.join("\n")}\n`);
    const found = parseLines(run(["gcc", "-E", "-P", source]).replaceAll('"', ""));
    for (const name of names) {
      const ours = syscallNumberOn(of, name);
      const number = found.get(name);
      const isMissing = number === undefined || Number.isNaN(number);
      if (isMissing && maybeMissingCalls[name] !== undefined) continue;
      // From 424 on the numbers are the same everywhere.
      if (ours >= 424) assert.is(syscallNumberOn("x86_64", name), syscallNumberOn("aarch64", name));
      assert.is(ours, number, name);
    }
  });
}

check("this machine's table is the one in use", () => {
  assert.is(architecture, run(["uname", "-m"]).trim());
});

test.run();
