// Builds one ts-runc with all mutants in it; which of them is made, if any, is said by a variable of the environment.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileVariant } from "../scripts/build.ts";
import { type Mutant, mutants } from "./mutants.ts";

const root = join(import.meta.dir, "..");

/** The variable that names the mutant. */
export const mutantVariable = "TS_RUNC_MUTANT";

/**
 * Puts a mutant into the text of its file.
 *
 * @throws an error when what it replaces is not there exactly once: then the source has changed, and the mutant has to
 */
export function mutate(text: string, { name, text: from, instead }: Mutant): string {
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`${name}: its text is there ${parts.length - 1} times`);
  // Some functions have a `process` of their own: the config's.
  const condition = `(globalThis.process.env["${mutantVariable}"] === "${name}")`;
  return parts.join(instead.replace(/\bON\b/g, () => condition));
}

/** Builds the executable with all of them and returns its path. It is the caller's to remove, with its directory. */
export function buildMutants(): { readonly executable: string } & Disposable {
  mkdirSync(join(root, ".cache"), { recursive: true });
  const directory = mkdtempSync(join(root, ".cache", "mutants-"));
  for (const part of ["src", "build", "schemas", "package.json"]) {
    cpSync(join(root, part), join(directory, part), { recursive: true });
  }
  for (const mutant of mutants) {
    const path = join(directory, mutant.file);
    writeFileSync(path, mutate(readFileSync(path, "utf8"), mutant));
  }
  const executable = join(directory, "ts-runc");
  compileVariant({ source: join(directory, "src", "main.ts"), executable });
  return {
    executable,
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}
