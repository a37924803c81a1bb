// Which source files the executable loads for what: by the bundler's own account, and as seen in a running process.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable, type Outcome } from "../cli/executable.ts";

import { runBriefly } from "./room.ts";
import { committedPaths, readSources, root } from "./source-tree.ts";

/** One chunk of the executable, as `bun build --metafile` describes it. */
type Chunk = {
  readonly entryPoint?: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly imports: readonly { readonly path: string; readonly kind: string }[];
};

type Metafile = { readonly outputs: Readonly<Record<string, Chunk>> };

let metafile: Metafile | undefined;

/** Read late: importing `executable` has built what it describes. */
function chunks(): Metafile["outputs"] {
  if (metafile === undefined) {
    const text = readFileSync(join(root, ".cache/metafile-native.json"), "utf8");
    const parsed: Metafile = JSON.parse(text);
    metafile = parsed;
  }
  return metafile.outputs;
}

/** Every file that is loaded with this one, without what only import() loads. */
export function filesLoadedWith(source: string): ReadonlySet<string> {
  const queue = Object.keys(chunks()).filter((name) => chunks()[name]?.entryPoint === source);
  if (queue.length !== 1) throw new Error(`${queue.length} chunks begin with ${source}`);
  const seen = new Set<string>();
  const files = new Set<string>();
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const { inputs, imports } = chunks()[name] ?? { inputs: {}, imports: [] };
    for (const file of Object.keys(inputs)) files.add(file);
    for (const { path, kind } of imports) if (kind === "import-statement") queue.push(path);
  }
  return files;
}

/** The files that the entries of the table of commands load, by the commands' names. */
export function commandSources(): ReadonlyMap<string, string> {
  const folder = "src/cli/commands/";
  const entries = readSources(committedPaths().filter((path) => path.startsWith(folder)));
  return new Map(
    entries.flatMap(({ path, imports }) =>
      imports
        .filter(({ kind }) => kind === "lazy")
        .map(({ target }) => [path.slice(folder.length, -".ts".length), target] as const),
    ),
  );
}

/**
 * Runs ts-runc and notes which files it has loaded when it ends: a script that Bun is made to load first looks at the
 * registry of modules, in which the executable's chunks have their names.
 */
export function runAndWatch(
  argv: readonly string[],
  options: { readonly directory: string },
): Outcome & { readonly loaded: ReadonlySet<string> } {
  const script = join(options.directory, "watch.cjs");
  const list = join(options.directory, "loaded");
  writeFileSync(
    script,
    `process.on("exit", () => require("node:fs").writeFileSync(${JSON.stringify(list)}, Object.keys(require.cache).join("\\n")));`,
  );
  writeFileSync(list, "");
  const env = { PATH: process.env["PATH"] ?? "", BUN_OPTIONS: `--preload ${script}` };
  const outcome = runBriefly([executable, ...argv], { env });
  const names = readFileSync(list, "utf8").match(/(?<=\/)[^/\n]+\.js$/gm) ?? [];
  const loaded = new Set(names.flatMap((name) => Object.keys(chunks()[`./${name}`]?.inputs ?? {})));
  for (const file of filesLoadedWith("src/main.ts")) loaded.add(file);
  return { ...outcome, loaded };
}
