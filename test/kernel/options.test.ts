// Options that cannot be meant, of the commands that act on a container that runs, and of those that make one: beside real runc,
// option by option, generated from the table of commands. Needs root.

import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { allCommands } from "../../src/cli/table.ts";
import { runc } from "../cli/executable.ts";
import { type BadLine, badOptionLines, runcOptions, viewFailure } from "../support/bad-lines.ts";
import { openRoom, type RuntimeName } from "../support/room.ts";

const test = suite("kernel/options");
const room = openRoom("options");
if (runc === undefined) console.log("skip: there is no runc to compare with");
const runtimes: readonly RuntimeName[] = runc === undefined ? ["ts-runc"] : ["ts-runc", "runc"];

const bundle = room.makeBundle({ process: { args: ["sleep", "1000"] } });
const id = room.newId();
const ids = { "ts-runc": `${id}-ours`, runc: `${id}-theirs` };

/** What follows the options of a command that acts on a container. */
const words: Readonly<Record<string, readonly string[]>> = {
  exec: ["true"],
  ps: [],
  update: [],
  pause: [],
  resume: [],
  state: [],
  events: [],
  kill: [],
  delete: [],
};
const withOptions = allCommands().filter(({ options }) => options.length > 0);
const tried = withOptions.filter(({ name }) => name in words);
const making = withOptions.filter(({ name }) => name === "create" || name === "run");
/** These act on no container, or CRIU has its own tests; test/cli/table.test.ts tries them all without one. */
const others = ["checkpoint", "restore", "list", "spec", "program"];

test.before(() => {
  for (const runtime of runtimes) {
    const { status, stderr } = room.runtime(runtime, [
      "run",
      "-d",
      "-b",
      bundle.directory,
      ids[runtime],
    ]);
    assert.is(status, 0, stderr);
  }
});

/** Where the outcome is another, and why. */
const known: readonly { readonly on: RegExp; readonly why: string }[] = [
  { on: /^exec --env: /, why: "an entry without = is handed on" },
  { on: /^exec --user: empty/, why: "an empty text is no user" },
  { on: /^exec --cap: /, why: "1.1.5 crashes where the config has no capabilities" },
  { on: /^exec --preserve-fds: negative/, why: "a negative number of descriptors is none" },
  { on: /^(create|run) --preserve-fds: negative/, why: "a negative number of descriptors is none" },
  { on: /^update --kernel-memory/, why: "obsolete, and not read since 1.2" },
];

/** An error names what it is about: the option, its value or the place that it stands for; or says it in runc's words. */
function speaksOf(errors: string, { option = "", argv }: BadLine, theirs: string): boolean {
  const [, given = ""] = /=(.*)$/.exec(argv[1] ?? "") ?? [];
  const unsupported = /is not supported by this version/.test(errors);
  const value = given.length > 100 ? "x..." : given;
  return (
    unsupported ||
    errors === theirs ||
    [option, value].some((one) => one !== "" && errors.includes(one))
  );
}

for (const command of tried) {
  test(`${command.name} refuses for a running container what runc refuses, and leaves it alone`, () => {
    const theirs = runc === undefined ? undefined : runcOptions(command.name);
    const see = (runtime: RuntimeName, { argv }: BadLine) => {
      const cwd = mkdtempSync(join(room.directory, "cwd-"));
      const outcome = room.runtime(runtime, argv, { cwd });
      return { status: outcome.status, view: viewFailure(outcome, [cwd, ids[runtime]]) };
    };
    const lines = (runtime: RuntimeName) =>
      badOptionLines(command, [ids[runtime], ...(words[command.name] ?? [])]);
    const runcLines = lines("runc");
    for (const [index, line] of lines("ts-runc").entries()) {
      const ours = see("ts-runc", line);
      const other = runcLines[index];
      if (other === undefined || theirs?.has(line.option ?? "") !== true) continue;
      if (known.some(({ on }) => on.test(line.name))) continue;
      const wanted = see("runc", other);
      assert.is(ours.status, wanted.status, `${line.name}: ${ours.view} and not ${wanted.view}`);
      if (ours.status === 0) continue;
      assert.ok(speaksOf(ours.view, line, wanted.view), `${line.name}: ${ours.view}`);
    }
    for (const runtime of runtimes) {
      assert.match(room.runtime(runtime, ["state", ids[runtime]]).stdout, '"running"');
    }
  });
}

for (const command of making) {
  test(`${command.name} refuses what runc refuses, where there is a bundle, and leaves nothing`, async () => {
    const theirs = runc === undefined ? undefined : runcOptions(command.name);
    const one = room.makeBundle({ process: { args: ["true"] } });
    const see = (runtime: RuntimeName, line: BadLine) => {
      const outcome = room.runtime(runtime, line.argv, { cwd: one.directory });
      room.runtime(runtime, ["delete", "--force", `${id}-new`]);
      return { status: outcome.status, view: viewFailure(outcome, [one.directory]) };
    };
    for (const line of badOptionLines(command, [`${id}-new`])) {
      const ours = see("ts-runc", line);
      if (theirs?.has(line.option ?? "") !== true || known.some(({ on }) => on.test(line.name))) {
        continue;
      }
      const wanted = see("runc", line);
      assert.is(ours.status, wanted.status, `${line.name}: ${ours.view} and not ${wanted.view}`);
      if (ours.status === 0) continue;
      assert.ok(speaksOf(ours.view, line, wanted.view), `${line.name}: ${ours.view}`);
    }
    const left = await room.leftovers();
    assert.equal(
      left.filter((line) => line.includes(`${id}-new`)),
      [],
    );
  });
}

test("every command with options is tried, or known to have none for a container", () => {
  const names = [...tried, ...making].map(({ name }) => name);
  assert.equal(
    withOptions.map(({ name }) => name).filter((name) => ![...names, ...others].includes(name)),
    [],
  );
});

test("nothing is left", async () => {
  for (const runtime of runtimes) room.runtime(runtime, ["delete", "--force", ids[runtime]]);
  assert.equal(await room.leftovers(), []);
  room.remove();
});

test.run();
