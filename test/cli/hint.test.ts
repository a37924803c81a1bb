// Hints for a person at a terminal, provoked as a person would; and that nobody else ever sees one.

import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findHint } from "../../src/cli/hint.ts";
import { allCommands } from "../../src/cli/table.ts";
import { makeConfig } from "../spec/config-builder.ts";
import { executable, runOnTerminal, tsRunc } from "./executable.ts";

const test = suite("cli/hint");
const scratch = mkdtempSync(join(tmpdir(), "hint-"));
const root = join(scratch, "root");
mkdirSync(join(root, "web-server"), { recursive: true });
const detached = join(scratch, "detached");
mkdirSync(detached);
const terminal = makeConfig({ process: { terminal: true, args: ["sh"] } });
writeFileSync(join(detached, "config.json"), JSON.stringify(terminal));

/** The last line that a person sees. */
async function lastLine(argv: readonly string[]): Promise<string> {
  const { shown } = await runOnTerminal([executable, "--root", root, ...argv], {
    cwd: scratch,
    env: { NO_COLOR: "1" },
  });
  return shown.trimEnd().split("\n").at(-1) ?? "";
}

const mistakes: readonly (readonly [argv: readonly string[], hint: RegExp])[] = [
  [["stat"], /^hint: did you mean "sta(rt|te)"\? /],
  [["rm"], /^hint: did you mean "delete"\? "ts-runc --help" lists the commands$/],
  [["frobnicate"], /^hint: "ts-runc --help" lists the commands$/],
  [["run", "--bundel", "/x", "a"], /^hint: did you mean --bundle\? "ts-runc run --help" lists/],
  [["--bundle", "/x", "run", "a"], /^hint: --bundle stands behind the command: create, .*run/],
  [["--deebug", "list"], /^hint: did you mean --debug\? "ts-runc --help" lists the options$/],
  [["list", "--root", "/x"], /^hint: --root is a global option: it stands before "list"$/],
  [["list", "--xyzzy"], /^hint: "ts-runc list --help" lists the options$/],
  [["run", "a", "--bundel", "/x"], /^hint: --bundel is not an option of "run"$/],
  [["state"], /^hint: "ts-runc state --help" says what it takes$/],
  [["run", "a"], /^hint: "ts-runc spec" writes one; --bundle names the directory where it is$/],
  [["run", "-b", "/nosuch", "a"], /^hint: --bundle names the directory where config\.json is$/],
  [["state", "web-servr"], /^hint: did you mean "web-server"\? "ts-runc --root \S+ list" shows/],
  [["state", "mysql"], /^hint: "ts-runc --root \S+ list" shows the containers that there are$/],
  [["--root", `${root}/none`, "state", "a"], /^hint: there are no containers in \S+none; --root/],
  [["kill", "web-server", "HUPP"], /^hint: did you mean SIGHUP\?$/],
  [["kill", "web-server", "xyzzyx"], /^hint: "kill -l" lists the signals$/],
  [["state", "a/b"], /^hint: an id is made of letters, digits and _ \+ - \.$/],
  [["list", "--format", "xml"], /^hint: --format takes table or json$/],
  [["--log-format", "xml", "list"], /^hint: --log-format takes text or json$/],
  [["run", "-d", "-b", detached, "a"], /^hint: give --console-socket, or set process\.terminal/],
];

for (const [argv, hint] of mistakes) {
  test(`on a terminal, ts-runc ${argv.join(" ").replaceAll(scratch, "")} is followed by a hint`, async () => {
    assert.match(await lastLine(argv), hint);
  });
}

test("who needs root and is not is told so", async () => {
  if (process.getuid?.() !== 0) return console.log("skip: needs root to become somebody else");
  const { shown } = await runOnTerminal(
    ["setpriv", "--reuid=1000", "--clear-groups", executable, "--root", root, "list"],
    { cwd: "/", env: { NO_COLOR: "1" } },
  );
  assert.match(shown, /permission denied/);
  assert.match(shown, /\nhint: .*needs root\n$/);
});

test("without a terminal there is no hint, neither on stderr nor in the log", async () => {
  const log = join(scratch, "log");
  const { stderr } = tsRunc(["--log", log, "--root", root, "state", "web-servr"]);
  assert.is(stderr, "container does not exist\n");
  assert.not.match(tsRunc(["stat"]).stderr, "hint");
  const { shown } = await runOnTerminal([executable, "--log", log, "--root", root, "state", "x"]);
  assert.match(shown, /^container does not exist\n.*hint.*: /);
  assert.not.match(readFileSync(log, "utf8"), "hint");
});

test("what takes a container to go wrong has a hint too, and what is not known has none", () => {
  const messages: readonly (readonly [message: string, hint: RegExp])[] = [
    ["runc run failed: container with given ID already exists", /delete ID/],
    ["cannot delete container box that is not stopped: running", /delete --force box/],
    ["cannot start a container that has stopped", /runs once/],
    ["exec failed: cannot exec in a stopped container", /list/],
    [
      "exec failed: cannot exec in a paused container (use --ignore-paused to override)",
      /resume ID/,
    ],
    ['exec: "nosuch": executable file not found in $PATH', /PATH of process\.env/],
    ["rootfs (/x) does not exist", /root\.path/],
  ];
  const argv = ["run", "box"];
  const command = allCommands().find(({ name }) => name === "run");
  for (const [message, hint] of messages) {
    assert.match(findHint({ message, argv, command, root }) ?? "", hint, message);
  }
  assert.is(findHint({ message: "something else", argv, command, root }), undefined);
});

test("errors are coloured on a terminal that takes it, and NO_COLOR and TERM=dumb are obeyed", async () => {
  const argv = [executable, "--root", root, "state", "x"];
  const coloured = await runOnTerminal(argv);
  assert.ok(coloured.shown.startsWith("\x1b[31mERRO\x1b[0m[0000] container does not exist "));
  assert.match(coloured.shown, "\n\x1b[36mhint\x1b[0m: ");
  for (const env of [{ NO_COLOR: "1" }, { TERM: "dumb" }]) {
    const { shown } = await runOnTerminal(argv, { env });
    assert.match(shown, /^ERRO\[0000\] container does not exist +\nhint: /);
  }
  const { shown } = await runOnTerminal(argv, { env: { NO_COLOR: "" } });
  assert.match(shown, "\x1b[31m");
});

test.run();
