// The empty program: compiled as ts-runc is, it shows what a Bun executable costs before any line of ours runs.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Those of scripts/build.ts; a test compares them. */
export const compileOptions = [
  "--compile",
  "--minify",
  "--bytecode",
  "--format=esm",
  "--splitting",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-tsconfig",
  "--no-compile-autoload-package-json",
  "--compile-jit-policy=1000000",
  "--compile-exec-argv=--no-addons",
];

/** Compiles the program and returns its path. With an argument it stays, so that its memory can be looked at. */
export function compileEmptyProgram(directory: string): string {
  const source = join(directory, "empty.ts");
  const executable = join(directory, "empty");
  writeFileSync(source, "if (process.argv.length > 2) setInterval(() => {}, 1_000_000);\n");
  const argv = [process.execPath, "build", ...compileOptions, `--outfile=${executable}`, source];
  const child = Bun.spawnSync(argv, { cwd: directory, stdout: "pipe", stderr: "pipe" });
  if (!child.success) throw new Error(`bun build failed: ${child.stdout}${child.stderr}`);
  return executable;
}
