// Runs uvu files of this tree in a virtual machine with a kernel and a cgroup set-up of our own; it decides on no test.
//
//   host                                            machine (QEMU, -accel tcg)
//   ----                                            -------
//   build-image.ts   kernel, initramfs ---------->  guest-init.sh     load drivers, mount both disks
//    (cached)        disk ts-runc-base ---vda/b-->  /                 glibc, Bun, busybox, runc, crun, modules
//   bench.ts         disk ts-runc-tree ---vda/b-->  /work-tree        this tree, .machine/{files,settings}
//    (each run)                                     guest-run.sh      process 1: cgroup2, then for each file
//                                                     bun FILE          TS_RUNC_MACHINE=v2 (see MachineKind)
//                    frames file <----- virtio port   ready, { begin, end + output } for each file, done
//                    console file <----------- ttyS0  what the kernel and process 1 say
//                    exit of QEMU <----------------  poweroff -f (a panic ends QEMU too: panic=-1, -no-reboot)
//
// Both disks are writable inside; QEMU keeps what is written in temporary files (snapshot=on). The frames, one header
// line each, are read when QEMU has ended, however it did:
//
//   ready <uptime> <kernel release>
//   begin <uptime> <file>
//   end <uptime> <exit status> <bytes of output> <bytes of errors>     followed by these bytes
//   done

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildOnce } from "../../scripts/build.ts";
import {
  buildImage,
  canHaveKernel,
  execute,
  type MachineImage,
  type MachineKernel,
  makeDisk,
} from "./build-image.ts";
import { missingSystemdFile } from "./systemd/files.ts";

/**
 * What the machine is: cgroup v2 without systemd, by Debian's own or a newer kernel; cgroup v2 with systemd and the session of
 * an ordinary user (1000), or systemd with v1 hierarchies and its own v2 tree beside them. Files find it in TS_RUNC_MACHINE, and
 * nothing there of the kernel.
 */
export type MachineKind = "v2" | "v2-newer" | "systemd" | "systemd-v1";

const kindOptions: Readonly<Record<MachineKind, readonly string[]>> = {
  v2: [],
  "v2-newer": [],
  systemd: ["MACHINE_INIT=systemd"],
  "systemd-v1": ["MACHINE_INIT=systemd", "systemd.unified_cgroup_hierarchy=0"],
};

export type MachineOptions = {
  /** "v2" unless said otherwise. */
  readonly kind?: MachineKind;
  /** uvu files, relative to the root of the tree. */
  readonly files: readonly string[];
  /** Wall clock for the whole run; QEMU is killed after it. */
  readonly timeoutMs: number;
  /** Wall clock for one file inside; its Bun process is killed after it. */
  readonly fileTimeoutMs?: number;
  /** What else the kernel is told when it boots. */
  readonly kernelOptions?: readonly string[];
  /** What the files find in their environment. */
  readonly environment?: Readonly<Record<string, string>>;
};

export type FileOutcome = {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly seconds: number;
  /** The machine was up until its end. */
  readonly ended: boolean;
  /** Standard output, then standard error; the reason if the file has no result. */
  readonly output: string;
};

export type MachineRun = {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** The output of all files. */
  readonly output: string;
  readonly files: readonly FileOutcome[];
  /** What went wrong with the machine itself, with the tail of the console. */
  readonly failure: string | undefined;
  /** It is the emulator's: its processors were stuck in the kernel. */
  readonly lockedUp: boolean;
  readonly kernelRelease: string;
  /** From the kernel's first instruction to the first file, on the machine's clock. */
  readonly bootSeconds: number;
  /** From the call to the end of QEMU, with the time to make the disks. */
  readonly totalSeconds: number;
};

const root = join(import.meta.dir, "../..");
const qemu = "/usr/bin/qemu-system-x86_64";
/** Nothing that runs inside needs these, and they are most of the bytes. */
const heavyModules = [
  ["@biomejs", "@oven", "@types", "@typescript", ".bin"],
  ["bun-types", "typescript", "undici-types"],
].flat();
/** A machine that has not written its first frame by then never will: it needs three seconds. */
const bootTimeoutMs = 90_000;
/** What may come back from a machine; more is cut. */
const frameLimitBytes = 256 * 1024 * 1024;

/** Says why no machine can be run here; undefined if one can. */
export function machineObstacle(): string | undefined {
  if (process.arch !== "x64") return `the machine is x86-64, this host is ${process.arch}`;
  for (const program of [qemu, "/usr/bin/apt-get", "/usr/bin/setpriv", "/bin/busybox"]) {
    if (!existsSync(program)) return `${program} is missing`;
  }
  return undefined;
}

/** The same for a machine of that kind. */
export function obstacleOf(kind: MachineKind): string | undefined {
  const obstacle = machineObstacle();
  if (obstacle !== undefined) return obstacle;
  // Debian's own is fetched, with the package index where that is missing; a newer one is there or not.
  if (kind === "v2-newer" && !canHaveKernel("newer")) return "apt knows no newer kernel";
  const missing = kind.startsWith("systemd") ? missingSystemdFile() : undefined;
  return missing === undefined ? undefined : `${missing} is missing`;
}

function kernelFor(kind: MachineKind = "v2"): MachineKernel {
  return kind === "v2-newer" ? "newer" : "stable";
}

/** Boots a machine, runs the files in it one after the other and powers it off. */
export async function runInMachine(options: MachineOptions): Promise<MachineRun> {
  const started = performance.now();
  const image = buildImage(kernelFor(options.kind));
  // What is tested is in the tree too, and in the machine nothing can build it.
  buildOnce();
  const directory = mkdtempSync(join(tmpdir(), "ts-runc-machine-"));
  try {
    const tree = makeTreeDisk(directory, options);
    const ended = await runQemu(image, { ...options, directory, tree });
    const frames = parseFrames(
      readFileSync(join(directory, "frames")).subarray(0, frameLimitBytes),
    );
    const failure =
      frames.done && ended === undefined ? undefined : machineFailure(directory, ended);
    const files = options.files.map(
      (file) => frames.outcomes.get(file) ?? missingOutcome(file, frames.running, failure),
    );
    const sum = (key: "passed" | "failed" | "skipped"): number =>
      files.reduce((total, outcome) => total + outcome[key], 0);
    return {
      passed: sum("passed"),
      failed: sum("failed"),
      skipped: sum("skipped"),
      output: files.map(({ file, output }) => `${file}\n${output}`).join("\n"),
      files,
      failure,
      lockedUp: failure?.includes("Kernel panic - not syncing: softlockup") ?? false,
      kernelRelease: frames.kernelRelease,
      bootSeconds: frames.bootSeconds,
      totalSeconds: (performance.now() - started) / 1000,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Puts the tree, and what to run of it, on a disk. */
function makeTreeDisk(directory: string, options: MachineOptions): string {
  const stage = join(directory, "stage");
  const modules = join(stage, "node_modules");
  mkdirSync(join(modules, "@oven/bun-linux-x64/bin"), { recursive: true });
  symlinkSync("/usr/local/bin/bun", join(modules, "@oven/bun-linux-x64/bin/bun"));
  copyEntries(join(root, "node_modules"), { to: modules, except: heavyModules });
  copyEntries(root, { to: stage, except: [".cache", ".git", "node_modules"] });
  const fileTimeoutS = Math.ceil((options.fileTimeoutMs ?? options.timeoutMs) / 1000);
  mkdirSync(join(stage, ".machine"));
  const variables = Object.entries(options.environment ?? {}).map(
    ([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'\n`,
  );
  writeFileSync(
    join(stage, ".machine/settings"),
    [`file_timeout_s=${fileTimeoutS}\n`, ...variables].join(""),
  );
  writeFileSync(join(stage, ".machine/files"), options.files.map((file) => `${file}\n`).join(""));
  const disk = join(directory, "tree");
  makeDisk(disk, { from: stage, label: "ts-runc-tree", sizeMiB: 1024 });
  rmSync(stage, { recursive: true });
  return disk;
}

function copyEntries(
  from: string,
  options: { readonly to: string; readonly except: readonly string[] },
): void {
  const entries = readdirSync(from).filter((name) => !options.except.includes(name));
  execute(["cp", "-a", "--reflink=auto", ...entries, options.to], { cwd: from });
}

type QemuOptions = Pick<MachineOptions, "kind" | "kernelOptions"> & {
  readonly directory: string;
  readonly tree: string;
};

/** Runs QEMU until it ends; returns why it did not end by itself, if so. */
async function runQemu(
  image: MachineImage,
  options: QemuOptions & { readonly timeoutMs: number },
): Promise<string | undefined> {
  const { directory, timeoutMs } = options;
  // `setpriv --pdeathsig` and exec keep the pid: QEMU dies with this process even when that is killed.
  const child = Bun.spawn(
    ["/usr/bin/setpriv", "--pdeathsig", "KILL", qemu, ...qemuArguments(image, options)],
    {
      env: { ...process.env, TMPDIR: directory },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    },
  );
  const frames = join(directory, "frames");
  const bootTimer = setTimeout(() => {
    if (!existsSync(frames) || statSync(frames).size === 0) child.kill("SIGKILL");
  }, bootTimeoutMs);
  const started = performance.now();
  try {
    const errors = await new Response(child.stderr).text();
    const status = await child.exited;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    if (child.signalCode === "SIGKILL") return `the machine was killed after ${seconds} s`;
    return status === 0 ? undefined : `QEMU exited with ${status}: ${errors}`;
  } finally {
    clearTimeout(bootTimer);
    child.kill("SIGKILL");
  }
}

function qemuArguments(image: MachineImage, options: QemuOptions): readonly string[] {
  const { directory, tree } = options;
  const disk = (id: string, file: string): readonly string[] => [
    ...["-drive", `if=none,id=${id},format=raw,snapshot=on,file=${file}`],
    ...["-device", `virtio-blk-pci,drive=${id}`],
  ];
  // The self-tests of the kernel's ciphers cost half a second of every boot. Reading the HPET leaves the emulated
  // processor each time, so the clock is to be the TSC, which is the host's; the kernel distrusts it unless told not to.
  const kernelOptions = [
    ["console=ttyS0", "quiet", "panic=-1", "oops=panic"],
    ["tsc=reliable", "cryptomgr.notests", "nokaslr", "mitigations=off"],
    // On a busy host no tick may come while the kernel looks whether its timer works, and it panics.
    ["no_timer_check"],
    // Once in a few hundred files the emulated processors wait for one another for ever: a panic says so, and ends it.
    ["watchdog_thresh=60", "softlockup_panic=1"],
    kindOptions[options.kind ?? "v2"],
    options.kernelOptions ?? [],
  ].flat();
  return [
    // microvm boots half a second faster, but without a HPET the kernel finds no way to measure its timers when the
    // host is busy, and hangs in one boot out of three.
    // One thread for both processors: with one each the emulator executes code that the kernel has patched away meanwhile, which
    // a newer one dies of, and two machines beside each other, as ours are, take a third longer.
    ...["-M", "q35", "-accel", "tcg,thread=single", "-cpu", "max", "-smp", "2", "-m", "2048"],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ...["-kernel", image.kernel, "-initrd", image.initramfs, "-append", kernelOptions.join(" ")],
    ...["-chardev", `file,id=console,path=${join(directory, "console")}`],
    ...["-serial", "chardev:console"],
    ...disk("base", image.disk),
    ...disk("tree", tree),
    ...["-device", "virtio-serial-pci"],
    ...["-chardev", `file,id=frames,path=${join(directory, "frames")}`],
    ...["-device", "virtserialport,chardev=frames,nr=1"],
  ];
}

type Frames = {
  readonly outcomes: ReadonlyMap<string, FileOutcome>;
  /** The file that has begun and not ended. */
  readonly running: string | undefined;
  readonly done: boolean;
  readonly kernelRelease: string;
  readonly bootSeconds: number;
};

/** Reads as many whole frames as there are. */
export function parseFrames(bytes: Buffer): Frames {
  const outcomes = new Map<string, FileOutcome>();
  let running: { readonly file: string; readonly began: number } | undefined;
  let kernelRelease = "";
  let bootSeconds = Number.NaN;
  let done = false;
  let position = 0;
  while (!done) {
    const lineEnd = bytes.indexOf("\n", position);
    if (lineEnd === -1) break;
    const [kind, uptime = "", ...rest] = bytes.toString("utf8", position, lineEnd).split(" ");
    position = lineEnd + 1;
    if (kind === "ready") {
      kernelRelease = rest.join(" ");
      bootSeconds = Number(uptime);
    } else if (kind === "begin") {
      running = { file: rest.join(" "), began: Number(uptime) };
    } else if (kind === "end" && running !== undefined) {
      const [status = 1, outputBytes = 0, errorBytes = 0] = rest.map(Number);
      const bodyEnd = position + outputBytes + errorBytes;
      if (bodyEnd > bytes.length) break;
      const output = bytes.toString("utf8", position, position + outputBytes);
      const errors = bytes.toString("utf8", position + outputBytes, bodyEnd);
      const { file, began } = running;
      const seconds = Number(uptime) - began;
      const text = `${output}${errors}`;
      outcomes.set(file, { file, seconds, ...count(output, status), ended: true, output: text });
      position = bodyEnd;
      running = undefined;
    } else if (kind === "done") {
      done = true;
    } else {
      break;
    }
  }
  return { outcomes, running: running?.file, done, kernelRelease, bootSeconds };
}

/** Counts as test/run.ts does: a file that dies, or runs nothing, has failed even if no single test said so. */
function count(
  output: string,
  status: number,
): { readonly passed: number; readonly failed: number; readonly skipped: number } {
  const sum = (name: string): number =>
    [...output.matchAll(new RegExp(`^\\s*${name}:\\s+(\\d+)`, "gm"))].reduce(
      (total, match) => total + Number(match[1]),
      0,
    );
  const [total, passed, skipped] = [sum("Total"), sum("Passed"), sum("Skipped")];
  const silent = total === 0 && skipped === 0;
  return { passed, failed: Math.max(total - passed, status !== 0 || silent ? 1 : 0), skipped };
}

function machineFailure(directory: string, ended: string | undefined): string {
  const console = readFileSync(join(directory, "console"), "utf8");
  const why = ended ?? "the machine went down before all files had run";
  return `${why}; the end of its console:\n${console.slice(-6000)}`;
}

function missingOutcome(
  file: string,
  running: string | undefined,
  failure: string | undefined,
): FileOutcome {
  const where = running === file ? "it was running when the machine ended" : "it was not reached";
  const output = `no result from the machine: ${where}\n${failure ?? ""}`;
  return { file, passed: 0, failed: 1, skipped: 0, seconds: 0, ended: false, output };
}
