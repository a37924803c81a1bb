// What can follow the words typed so far, word by word; the shells themselves are in test/kernel/completion.test.ts.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findCandidates } from "../../src/cli/complete.ts";
import { allCommands } from "../../src/cli/table.ts";

const test = suite("cli/complete");

const ids = new Map([
  ["one", "created"],
  ["two", "running"],
  ["three", "stopped"],
]);

/** The words offered for a line that ends where the cursor is; or what the shell is told to do. */
function offered(...typed: readonly string[]): readonly string[] | string {
  const answer = findCandidates(typed, (root, statuses) =>
    [...ids].flatMap(([id, status]) =>
      statuses.some((one) => one === status) ? [`${root ?? ""}${id}`] : [],
    ),
  );
  return typeof answer === "string" ? answer : answer.map(({ word }) => word);
}

test("the first word is a command, wherever the global options end", () => {
  assert.equal(offered("sta"), ["start", "state"]);
  assert.equal(offered("--debug", "--root", "/r", "sta"), ["start", "state"]);
  assert.equal(offered("--log=/l", "--", "spe"), ["spec"]);
  assert.is(offered("").length, allCommands().length + 1);
  assert.equal(offered("help", "stat"), ["state"]);
  assert.equal(offered("nosuch", ""), []);
});

test("options are offered until the first positional, once each, and hidden ones never", () => {
  assert.equal(offered("--ro"), ["--root", "--rootless"]);
  assert.equal(offered("--root", "/r", "--ro"), ["--rootless"]);
  assert.equal(offered("run", "--b"), ["--bundle"]);
  assert.equal(offered("run", "-b", "/b", "--b"), []);
  assert.equal(offered("exec", "--env", "A=1", "--en"), ["--env"]);
  assert.equal(offered("kill", "-"), ["--help"]);
  assert.equal(offered("run", "id", "--"), []);
  assert.equal(offered("exec", "id", "sh", "-"), []);
});

test("an option's value is offered in both forms", () => {
  assert.equal(offered("list", "--format", ""), ["table", "json"]);
  assert.equal(offered("list", "-f", "j"), ["json"]);
  assert.equal(offered("list", "--format=t"), ["--format=table"]);
  assert.equal(offered("list", "-f=t"), ["-f=table"]);
  assert.is(offered("run", "--bundle", "/x"), "directories");
  assert.is(offered("--log=/x"), "files");
  assert.equal(offered("run", "--preserve-fds", ""), []);
});

test("container ids are those of the state root, in a status that the command takes", () => {
  assert.equal(offered("start", ""), ["one"]);
  assert.equal(offered("kill", "t"), ["two"]);
  assert.equal(offered("delete", "t"), ["two", "three"]);
  assert.equal(offered("--root", "/r/", "state", "/r/o"), ["/r/one"]);
  assert.equal(offered("state", "one", ""), []);
});

test("signals are offered as they are being typed, and capabilities", () => {
  assert.equal(offered("kill", "two", "SIGUS"), ["SIGUSR1", "SIGUSR2"]);
  assert.equal(offered("kill", "two", "US"), ["USR1", "USR2"]);
  assert.equal(offered("exec", "--cap", "CAP_SYS_C"), ["CAP_SYS_CHROOT"]);
});

test("every command that takes a container says which", () => {
  const takes = allCommands().filter(({ argumentsUsage }) =>
    argumentsUsage.includes("<container-id>"),
  );
  const makes = ["create", "run", "restore"];
  const silent = takes
    .filter(({ name, candidates }) => !makes.includes(name) && candidates === undefined)
    .map(({ name }) => name);
  assert.equal(silent, [], "give its entry `candidates`");
});

test("every option for a path has its value completed", () => {
  const silent = allCommands().flatMap(({ name, options }) =>
    options
      .filter(
        (one) =>
          /^path |-path$|-file$|bundle$|-socket$/.test(one.name) || /^path to/.test(one.usage),
      )
      // It starts where the value of another option leads.
      .filter((one) => one.name !== "parent-path")
      .filter(({ values }) => values === undefined)
      .map((one) => `${name} --${one.name}`),
  );
  assert.equal(silent, [], "give the option `values`");
});

test.run();
