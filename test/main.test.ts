// What the executable does not do before a command runs: load yargs, load the code of other commands, start JIT threads. And what is in it.

import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { noteLimitAtEntry } from "../scripts/entry.ts";
import { type Architecture, architecture } from "../src/abi/architecture.ts";
import { allCommands } from "../src/cli/table.ts";
import { executable, runProgram } from "./cli/executable.ts";
import { commandSources, filesLoadedWith, runAndWatch } from "./support/chunks.ts";

const test = suite("main");

const committed = join(import.meta.dir, "loaded-files.txt");
const update = process.argv.includes("--update");
const heading =
  "What each command loads besides what every command does; a file more costs every call of it. Written by\n" +
  "scripts/bun test/main.test.ts --update\n";

/** Files by room, a room a line. */
function listByRoom(files: readonly string[]): string {
  const rooms = new Map<string, string[]>();
  for (const file of files.toSorted()) {
    const [, room = "", name = ""] = /^(?:src\/)?([^/]+)\/(.*?)(?:\.[jt]s)?$/.exec(file) ?? [];
    rooms.set(room, [...(rooms.get(room) ?? []), name]);
  }
  return [...rooms].map(([room, names]) => `  ${room}: ${names.join(" ")}\n`).join("");
}

test("each command loads the files of the committed list", () => {
  const always = filesLoadedWith("src/main.ts");
  const own = [...commandSources()].map(([name, source]) => {
    const files = [...filesLoadedWith(source)].filter((file) => !always.has(file));
    return `\n${name}\n${listByRoom(files)}`;
  });
  const text = [`\nevery command\n${listByRoom([...always])}`, ...own].join("");
  if (update) writeFileSync(committed, `${heading}${text}`);
  assert.is(`${heading}${text}`, readFileSync(committed, "utf8"));
});

test("no command loads a package, and only help loads yargs", () => {
  assert.equal(
    [...commandSources().keys()].sort(),
    allCommands()
      .map(({ name }) => name)
      .sort(),
    "every command has an entry of its own",
  );
  for (const [name, source] of [...commandSources(), ["main", "src/main.ts"]] as const) {
    const packages = [...filesLoadedWith(source)].filter((file) => file.includes("node_modules"));
    assert.equal(packages, [], `${name} loads packages: put them behind import()`);
  }
  assert.ok(
    [...filesLoadedWith("node_modules/yargs/index.mjs")].some((file) => /cliui/.test(file)),
  );
});

test("commands that make no process do not load what makes them", () => {
  const making =
    /container\/(create|make|prepare|exec)|create-program|init\/drive|stub-images|ffi\/spawn/;
  const makers = ["create", "run", "exec", "program", "restore"];
  for (const [name, source] of commandSources()) {
    if (makers.includes(name)) continue;
    const files = [...filesLoadedWith(source)].filter((file) => making.test(file));
    assert.equal(files, [], name);
  }
});

test("a running command has loaded what the list says, and after a failure nothing but help", () => {
  const directory = mkdtempSync(join(tmpdir(), "loaded-"));
  const state = ["--root", directory];
  const calls: readonly (readonly [name: string, status: number, ...argv: string[]])[] = [
    ["list", 0, ...state, "list"],
    ["features", 0, "features"],
    ["completion", 0, "completion", "bash"],
    ["delete", 0, ...state, "delete", "--force", "none"],
    ["state", 1, ...state, "state", "none"],
    ["kill", 1, ...state, "kill", "none"],
    ["start", 1, ...state, "start", "none"],
  ];
  for (const [name, expected, ...argv] of calls) {
    const { status, loaded } = runAndWatch(argv, { directory });
    assert.is(status, expected, name);
    assert.equal([...loaded].sort(), [...allFilesOf(name)].sort(), name);
  }
  const { loaded } = runAndWatch(["--help"], { directory });
  assert.ok(
    loaded.has("node_modules/yargs/index.mjs"),
    "the watcher sees yargs where it is loaded",
  );
});

/** What a command loads, with what every command does. */
function allFilesOf(name: string): ReadonlySet<string> {
  const source = commandSources().get(name) ?? "";
  return new Set([...filesLoadedWith("src/main.ts"), ...filesLoadedWith(source)]);
}

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
  // The engine's, which makes memory resident once a heap has 64 blocks.
  assert.equal(
    threads("--version").filter((name) => name !== "JSCWarmUp"),
    [],
  );
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

test("the entry of an executable is left alone where Bun is laid out otherwise", () => {
  const directory = mkdtempSync(join(tmpdir(), "entry-"));
  const copy = join(directory, "executable");
  copyFileSync(executable, copy);
  const before = readFileSync(copy);
  const other = architecture === "x86_64" ? "aarch64" : "x86_64";
  const note = (bun: string, target: Architecture) => () =>
    noteLimitAtEntry(copy, { bun, architecture: target });
  assert.throws(note(process.execPath, other), /the record of the entry is at 0x[0-9a-f]+, and/);
  assert.throws(note("/bin/sh", architecture), /the record of the entry is at|not an executable/);
  assert.ok(readFileSync(copy).equals(before));
  rmSync(directory, { recursive: true });
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
