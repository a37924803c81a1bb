// Builds dist/ts-runc: schemas compiled, version written, one executable, the notices of what is in it, man pages; tests call it too.
//
//   scripts/bun scripts/build.ts [--arm64]     --arm64 also writes dist/ts-runc-arm64

import { createHash } from "node:crypto";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import packageJson from "../package.json";
import { type Architecture, architecture } from "../src/abi/architecture.ts";
import { type BundledFile, listName } from "./bundle.ts";
import { noteLimitAtEntry } from "./entry.ts";
import { generate, readCommit } from "./generate.ts";
import { makeManPages } from "./man-pages.ts";
import { type BuildReport, readBuildReport, writeNotices } from "./third-party.ts";

type Target = "native" | "arm64";

const root = join(import.meta.dir, "..");
const cache = join(root, ".cache");
const bunVersion = packageJson.optionalDependencies["@oven/bun-linux-aarch64"];
const sizeLimitBytes = 115_000_000;

/**
 * The options that shape the executable. Bun reads bunfig.toml (and its preload) and .env from the current directory,
 * which for a runtime is somebody else's bundle: all of that is off. The JIT policy puts tier-up out of reach, so that
 * no compiler thread starts in a process that lives for milliseconds.
 */
const compileOptions = [
  "--compile",
  "--minify",
  "--bytecode",
  "--format=esm",
  // Chunks for import(): a command that is not called is not loaded.
  "--splitting",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-tsconfig",
  "--no-compile-autoload-package-json",
  "--compile-jit-policy=1000000",
  // Without any argument of this kind Bun refuses to start in a deleted directory, where containerd's shim leaves us.
  "--compile-exec-argv=--no-addons",
];

/** Builds what is out of date and returns the path of the executable for this machine. */
export function build(target: Target = "native"): string {
  const executable = executablePath(target);
  const stamp = join(cache, `build-${target}.stamp`);
  const hash = hashInputs(readCommit(root));
  if (existsSync(executable) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) {
    return executable;
  }
  generate(root);
  const report = compile(target);
  writeNotices(report, { root, path: join(root, "dist", "THIRD-PARTY.md"), bunVersion });
  writeManPages();
  writeFileSync(stamp, hash);
  return executable;
}

/** Writes dist/man anew, so that no page of a command that is gone stays; read it with `man -M dist/man ts-runc`. */
function writeManPages(): void {
  const folder = join(root, "dist", "man");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "man8"), { recursive: true });
  for (const { name, text } of makeManPages(readCommitDate())) {
    writeFileSync(join(folder, "man8", name), text);
  }
}

/** The day of the commit that is checked out: what is built of one commit is the same on every day. */
function readCommitDate(): string {
  const log = ["git", "-C", root, "log", "-1", "--format=%cs"];
  const child = existsSync(join(root, ".git"))
    ? Bun.spawnSync(log, { stderr: "ignore" })
    : undefined;
  return child?.success === true ? child.stdout.toString().trim() : packageJson.version;
}

/** Runs `build` in a process that holds a lock: test files that run at the same time build once. */
export function buildOnce(target: Target = "native"): string {
  mkdirSync(cache, { recursive: true });
  const command = [process.execPath, import.meta.path, ...(target === "native" ? [] : ["--arm64"])];
  run(["flock", join(cache, "build.lock"), ...command], "the build");
  return executablePath(target);
}

/** Compiles a program that is not the runtime for arm64, as the runtime is: for tests in an emulator. */
export function compileArm64(program: {
  readonly source: string;
  readonly executable: string;
}): void {
  const options = [...compileOptions, ...crossOptions(), `--outfile=${program.executable}`];
  run([process.execPath, "build", ...options, program.source], "bun build");
}

/** Compiles another version of the runtime as it is compiled itself: for tests of tests. */
export function compileVariant(program: {
  readonly source: string;
  readonly executable: string;
}): void {
  const options = [...compileOptions, `--outfile=${program.executable}`];
  run([process.execPath, "build", ...options, program.source], "bun build");
  noteLimitAtEntry(program.executable, bunOf("native"));
}

function executablePath(target: Target): string {
  return join(root, "dist", target === "native" ? "ts-runc" : "ts-runc-arm64");
}

function hashInputs(commit: string): string {
  const files = globSync("{src,schemas,scripts}/**/*.*", { cwd: root }).sort();
  const hash = createHash("sha256").update(`${commit}\0${Bun.version}\0`);
  for (const file of ["package.json", "package-lock.json", ...files]) {
    hash.update(`${file}\0`).update(readFileSync(join(root, file)));
  }
  return hash.digest("hex");
}

/** Compiles src/main.ts beside its final place and moves it there: a running ts-runc is not disturbed. */
function compile(target: Target): BuildReport {
  const executable = executablePath(target);
  const unfinished = `${executable}.unfinished`;
  const metafile = join(cache, `metafile-${target}.json`);
  mkdirSync(join(root, "dist"), { recursive: true });
  rmSync(unfinished, { force: true });
  const bundle = join(cache, "bundle");
  run([process.execPath, join(root, "scripts", "bundle.ts"), bundle], "bundling");
  run(
    [
      process.execPath,
      "build",
      ...compileOptions,
      ...(target === "native" ? [] : crossOptions()),
      `--metafile=${metafile}`,
      `--outfile=${unfinished}`,
      join(bundle, "main.js"),
    ],
    "bun build",
  );
  noteLimitAtEntry(unfinished, bunOf(target));
  const { size: sizeBytes } = statSync(unfinished);
  if (sizeBytes > sizeLimitBytes) {
    throw new Error(`${executable} has ${sizeBytes} bytes, more than ${sizeLimitBytes}`);
  }
  renameSync(unfinished, executable);
  nameSources(metafile, bundle);
  return readBuildReport(metafile);
}

/** Has Bun's account of the executable name the sources, and not the files in between. */
function nameSources(metafile: string, bundle: string): void {
  const list: Readonly<Record<string, BundledFile>> = JSON.parse(
    readFileSync(join(bundle, listName), "utf8"),
  );
  const account: {
    inputs: Record<string, unknown>;
    outputs: Record<string, { entryPoint?: string; inputs: Record<string, unknown> }>;
  } = JSON.parse(readFileSync(metafile, "utf8"));
  const fileOf = (path: string): BundledFile | undefined => {
    const name = basename(path);
    return path === relative(root, join(bundle, name)) ? list[name] : undefined;
  };
  const unfold = (inputs: Record<string, unknown>): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(inputs).flatMap(([path, about]) =>
        (fileOf(path)?.modules ?? [path]).map((source) => [source, about]),
      ),
    );
  account.inputs = unfold(account.inputs);
  for (const output of Object.values(account.outputs)) {
    output.inputs = unfold(output.inputs);
    const { entryPoint } = output;
    const entry = entryPoint === undefined ? undefined : fileOf(entryPoint)?.entry;
    if (entry !== undefined) output.entryPoint = entry;
  }
  writeFileSync(metafile, JSON.stringify(account));
}

/** The Bun that an executable is built with, and for what. */
function bunOf(target: Target): { readonly bun: string; readonly architecture: Architecture } {
  return target === "native"
    ? { bun: process.execPath, architecture }
    : { bun: fetchArm64Bun(), architecture: "aarch64" };
}

function crossOptions(): readonly string[] {
  return ["--target=bun-linux-arm64", `--compile-executable-path=${fetchArm64Bun()}`];
}

/**
 * Bun for arm64 from its npm package, which this machine does not install by itself; kept in .cache, whole or not at all.
 *
 * @returns the path of the executable
 */
export function fetchArm64Bun(): string {
  const folder = join(cache, `bun-linux-aarch64-${bunVersion}`);
  const bun = join(folder, "package", "bin", "bun");
  if (existsSync(bun)) return bun;
  mkdirSync(cache, { recursive: true });
  const unfinished = mkdtempSync(`${folder}-`);
  try {
    const name = `@oven/bun-linux-aarch64@${bunVersion}`;
    run(["npm", "pack", "--silent", "--pack-destination", unfinished, name], "npm pack");
    const [archive] = globSync(join(unfinished, "*.tgz"));
    if (archive === undefined) throw new Error(`npm pack ${name} left no archive`);
    run(["tar", "-xzf", archive, "-C", unfinished, "package/bin/bun"], "tar");
    mkdirSync(dirname(bun), { recursive: true });
    renameSync(join(unfinished, "package", "bin", "bun"), bun);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return bun;
}

function run(argv: readonly string[], what: string): void {
  const child = Bun.spawnSync([...argv], { cwd: root, stdout: "pipe", stderr: "pipe" });
  if (!child.success) {
    throw new Error(`${what} failed:\n${child.stdout.toString()}${child.stderr.toString()}`);
  }
}

if (import.meta.main) {
  console.log(build());
  if (process.argv.includes("--arm64")) console.log(build("arm64"));
}
