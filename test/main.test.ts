// What the executable does not do before a command runs: load yargs, load the code of other commands, start JIT threads.

import { existsSync, mkdtempSync, readFileSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { commands } from "../src/cli/table.ts";
import { executable, runProgram } from "./cli/executable.ts";

const test = suite("main");

/** One chunk of the executable, as `bun build --metafile` describes it. */
type Chunk = {
  readonly entryPoint?: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly imports: readonly { readonly path: string; readonly kind: string }[];
};

const metafile: { readonly outputs: Readonly<Record<string, Chunk>> } = JSON.parse(
  readFileSync(join(import.meta.dir, "../.cache/metafile.json"), "utf8"),
);

/** Every source file that is loaded with this one, without what only import() loads. */
function filesLoadedWith(source: string): Set<string> {
  const names = Object.keys(metafile.outputs);
  const queue = names.filter((name) => metafile.outputs[name]?.entryPoint === source);
  assert.is(queue.length, 1, `chunks of ${source}`);
  const seen = new Set<string>();
  const files = new Set<string>();
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const { inputs, imports } = metafile.outputs[name] ?? { inputs: {}, imports: [] };
    for (const file of Object.keys(inputs)) files.add(file);
    for (const { path, kind } of imports) if (kind === "import-statement") queue.push(path);
  }
  return files;
}

test("yargs comes with no chunk but its own", () => {
  for (const { name } of commands) {
    const source = name === "completion" ? "help" : name;
    for (const file of filesLoadedWith(`src/cli/${source}.ts`)) {
      assert.not.match(file, "node_modules", `${name} loads ${file}`);
    }
  }
  for (const file of filesLoadedWith("src/main.ts")) assert.not.match(file, "node_modules");
  assert.ok(
    [...filesLoadedWith("node_modules/yargs/index.mjs")].some((file) => /cliui/.test(file)),
  );
});

test("reading commands do not load what makes containers", () => {
  for (const name of ["main", "state", "list", "kill", "version"]) {
    const source = name === "main" ? "src/main.ts" : `src/cli/${name}.ts`;
    for (const file of filesLoadedWith(source)) {
      assert.not.match(file, /container\/(create|make|prepare)|validators|create-program/, name);
    }
  }
});

test("no JIT thread starts, and --version starts no thread at all", () => {
  if (!existsSync("/usr/bin/strace")) return console.log("skip: there is no strace");
  const directory = mkdtempSync(join(tmpdir(), "start-up-"));
  const threads = (...argv: readonly string[]): string[] => {
    const trace = join(directory, "trace");
    const strace = ["strace", "-f", "-qq", "-o", trace, "-e", "trace=prctl,clone3,clone"];
    runProgram([...strace, executable, ...argv]);
    const text = readFileSync(trace, "utf8");
    return [...text.matchAll(/PR_SET_NAME, "([^"]+)"/g)].map(([, name = ""]) => name);
  };
  assert.equal(threads("--version"), []);
  for (const argv of [
    ["--root", directory, "list"],
    ["--root", directory, "state", "nope"],
    ["features"],
    ["--help"],
  ]) {
    assert.equal(
      threads(...argv).filter((name) => /JIT|DFG|FTL|Worklist|Compil/i.test(name)),
      [],
      argv.join(" "),
    );
  }
});

test("the executable has at most 115 MB, and its notices name what is in it", () => {
  assert.ok(statSync(executable).size <= 115_000_000);
  const notices = readFileSync(join(executable, "..", "THIRD-PARTY.md"), "utf8");
  for (const name of [
    "JavaScriptCore",
    "## Bun ",
    "## yargs 18",
    "## yargs-parser ",
    "## cliui ",
  ]) {
    assert.match(notices, name);
  }
});

test.run();
