// Every command and option of the table with what cannot be meant, beside real runc, where there is no container yet.

import { mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Command } from "../../src/cli/command.ts";
import { allCommands, findCommand } from "../../src/cli/table.ts";
import {
  type BadLine,
  badGlobalLines,
  badOptionLines,
  badWordLines,
  runcOptions,
  viewFailure,
} from "../support/bad-lines.ts";
import { executable, type Outcome, runc } from "./executable.ts";

const test = suite("cli/table");
const scratch = mkdtempSync(join(tmpdir(), "table-"));
const beside = runc !== undefined && process.getuid?.() === 0;
if (!beside) console.log("skip: there is no runc, or no root, to compare with");

/** Where runc says something else, and why; each is a line of docs/compatibility.md. */
const known: readonly { readonly on: RegExp; readonly ours: RegExp; readonly why: string }[] = [
  {
    on: /^--root: /,
    ours: /should not be set to|no such file or directory|file name too long/,
    why: "an empty or a missing state root is an error",
  },
  { on: /^--rootless: /, ours: /want true, false or auto/, why: "read by every command" },
  { on: /^--log: huge text/, ours: /opening the log: .*too long/, why: "says what was being done" },
  { on: /: bad id/, ours: /invalid container ID format/, why: "the id is reported first" },
  { on: /: empty id/, ours: /container id cannot be empty/, why: "the id is reported first" },
  {
    on: /^(create|run|restore) --bundle: /,
    ours: /chdir \/\S+: no such file or directory/,
    why: "names the whole path",
  },
  {
    on: /^(create|run|restore) --bundle: huge text/,
    ours: /reading config\.json: .*file name too long/,
    why: "says what was being done",
  },
  {
    on: /^restore --image-path: huge text/,
    ours: /config\.json not found/,
    why: "a restore makes no directory for images",
  },
  {
    on: /^spec --bundle/,
    ours: /writing config\.json: openat/,
    why: "the directory is not entered",
  },
];

/** Of an option that cannot be meant and a container or bundle that is not there, ours reports the first. */
const other = /container does not exist|config\.json not found/;

type Run = Outcome & { readonly places: readonly string[]; readonly left: readonly string[] };

/** Runs a program that is told that its name is runc, which is a part of some errors, in a directory of its own. */
async function run(program: string, argv: readonly string[]): Promise<Run> {
  const cwd = mkdtempSync(join(scratch, "cwd-"));
  const root = join(cwd, "root");
  mkdirSync(root);
  const globals = argv[0]?.startsWith("--root") === true ? [] : ["--root", root];
  const child = Bun.spawn([program, ...globals, ...argv], {
    argv0: "runc",
    cwd,
    env: { PATH: process.env["PATH"] ?? "" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 60_000,
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { status: await child.exited, stdout, stderr, places: [cwd], left: readdirSync(root) };
}

/** Runs a line in both, and returns how they differ, if that is not known. */
async function compare(line: BadLine): Promise<string | undefined> {
  const [ours, theirs] = await Promise.all([
    run(executable, line.argv),
    run(String(runc), line.argv),
  ]);
  assert.equal(ours.left, [], `${line.name} leaves something in the state root`);
  const seen = viewFailure(ours, ours.places);
  const wanted = viewFailure(theirs, theirs.places);
  if (seen === wanted) return undefined;
  if (known.some((one) => one.on.test(line.name) && one.ours.test(ours.stderr))) return undefined;
  const first = line.option !== undefined && other.test(theirs.stderr);
  if (first && ours.status === theirs.status && !other.test(ours.stderr)) return undefined;
  return `${line.name}\n    ${seen}\n    and not ${wanted}`;
}

async function compareAll(lines: readonly BadLine[]): Promise<void> {
  const differences: string[] = [];
  for (const line of lines) {
    const difference = await compare(line);
    if (difference !== undefined) differences.push(difference);
  }
  assert.is(differences.length, 0, `\n  ${differences.join("\n  ")}`);
}

/** Positionals for a command whose container is not there. */
function wordsFor({ name, positionals }: Command): readonly string[] {
  return ["nope", "x"].slice(0, name === "exec" ? 2 : positionals.min);
}

/** What we alone have is wrong in the same forms: status 1 or exec's, one line, in words. */
async function checkAlone(lines: readonly BadLine[]): Promise<void> {
  for (const line of lines) {
    const { status, stdout, stderr, left } = await run(executable, line.argv);
    assert.equal(left, [], line.name);
    if (status === 0) continue;
    assert.ok(
      status === 1 || (status === 255 && line.argv[0] === "exec"),
      `${line.name}: ${status}`,
    );
    assert.match(stderr, /^time=\S+ level=error msg=.+\n$/, line.name);
    assert.not.match(stderr, /\b(TypeError|RangeError|undefined|NaN|assert)/, line.name);
    assert.ok(stdout === "" || stdout.startsWith("Incorrect Usage"), line.name);
  }
}

test("global options that cannot be meant fail as runc's", async () => {
  const isOurs = ({ name }: BadLine): boolean => name.startsWith("--cgroup-manager:");
  await checkAlone(badGlobalLines().filter(isOurs));
  if (beside) await compareAll(badGlobalLines().filter((line) => !isOurs(line)));
});

test("every entry is found by its name", () => {
  for (const { name } of allCommands()) assert.is(findCommand(name)?.name, name);
  assert.is(findCommand("none"), undefined);
  assert.is(findCommand(undefined), undefined);
});

for (const command of allCommands()) {
  test(`${command.name} with what cannot be meant fails as runc's`, async () => {
    const words = wordsFor(command);
    const theirs = beside ? runcOptions(command.name) : undefined;
    const options = badOptionLines(command, words);
    const shared = options.filter(({ option = "" }) => theirs?.has(option) === true);
    if (theirs !== undefined) await compareAll([...badWordLines(command, words), ...shared]);
    else await checkAlone(badWordLines(command, words));
    await checkAlone(options.filter((line) => !shared.includes(line)));
  });
}

test.run();
