// First step of the build: src/ as few files of JavaScript, for Bun to compile; not what is in them, nor the executable.
//
//   scripts/bun scripts/bundle.ts FOLDER
//
// Bun alone makes a file of each set of modules that the same import() load: sixty for `create`, each of which costs a start some
// 30,000 instructions. Here a file is what the same commands load, and only commands count that callers wait for. None of these
// loads more than it needs; `features`, `spec` and others that are called once in a while do.

import { rmSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";

/** The commands of a container's life. */
const commands = [
  ...["create", "run", "exec", "start", "state", "kill", "delete"],
  ...["list", "ps", "pause", "resume", "update", "events", "checkpoint"],
];

/** What is in a file of JavaScript: paths below the project's root, the one that it was made for first. */
export type BundledFile = {
  readonly entry: string | undefined;
  readonly modules: readonly string[];
};

/** Beside the files of JavaScript: what is in them, by their names. */
export const listName = "modules.json";

/** Writes src/main.ts and all that it loads into `folder`. Packages stay what they are: Bun finds them. */
export async function bundle(folder: string): Promise<void> {
  const root = join(import.meta.dir, "..");
  const source = (path: string): string => join(root, "src", path);
  rmSync(folder, { recursive: true, force: true });
  // Loaded here, because tests import this file by way of the build, and the machines of test/vm do not have what it takes.
  const { rolldown } = await import("rolldown");
  const built = await rolldown({
    input: source("main.ts"),
    cwd: root,
    platform: "node",
    external: /^[^./]/,
    moduleTypes: { ".bash": "text", ".fish": "text", ".zsh": "text" },
    preserveEntrySignatures: false,
  });
  let groupOf: ((id: string) => string | undefined) | undefined;
  const { output } = await built.write({
    dir: folder,
    format: "esm",
    chunkFileNames: "[name]-[hash].js",
    codeSplitting: {
      // A module's imports have the commands of the module and perhaps more: they are not to be dragged into its group.
      includeDependenciesRecursively: false,
      groups: [
        {
          debugName: "commands",
          name: (id, chunking) => {
            groupOf ??= groupModules({
              main: source("main.ts"),
              commands: commands.map((name) => source(`cli/${name}.ts`)),
              importsOf: (module) => chunking.getModuleInfo(module)?.importedIds ?? [],
            });
            return groupOf(id);
          },
        },
      ],
    },
  });
  await built.close();
  const below = (path: string): string => relative(root, path);
  const list: Record<string, BundledFile> = {};
  for (const chunk of output) {
    if (chunk.type !== "chunk") throw new Error(`${chunk.fileName} is no JavaScript`);
    const { facadeModuleId: entry, moduleIds } = chunk;
    list[chunk.fileName] = {
      entry: entry === null ? undefined : below(entry),
      modules: moduleIds.map(below),
    };
  }
  writeFileSync(join(folder, listName), JSON.stringify(list, undefined, 1));
}

/** Names the group of a module by the commands that load it; undefined for one that none of them loads. */
function groupModules(graph: {
  readonly main: string;
  readonly commands: readonly string[];
  readonly importsOf: (module: string) => readonly string[];
}): (id: string) => string | undefined {
  const always = findLoaded(graph.main, graph.importsOf);
  const loaded = graph.commands.map((command) => findLoaded(command, graph.importsOf));
  return (id) => {
    if (always.has(id)) return "every";
    const names = graph.commands.filter((_, index) => loaded[index]?.has(id) === true);
    return names.length === 0 ? undefined : names.map((name) => basename(name, ".ts")).join("-");
  };
}

/** A module and all that is loaded with it. */
function findLoaded(
  module: string,
  importsOf: (module: string) => readonly string[],
): ReadonlySet<string> {
  const found = new Set([module]);
  // The set grows while it is walked, and the walk comes to what is added.
  for (const each of found) for (const imported of importsOf(each)) found.add(imported);
  return found;
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error("which folder?");
  await bundle(folder);
}
