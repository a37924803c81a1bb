// The executable from outside: exit statuses, usage texts, logs and the state root; beside real runc where it is there.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { isFeatures } from "../../build/validators.js";
import { executable, logMessages, runc, runOnTerminal, runProgram, tsRunc } from "./executable.ts";

const test = suite("cli/command-line");
const root = join(mkdtempSync(join(tmpdir(), "cli-")), "root");
mkdirSync(root);
const asRoot = process.getuid?.() === 0;

if (runc === undefined) console.log("skip: there is no runc to compare with");
if (!asRoot) console.log("skip: real runc needs root");
const beside = runc !== undefined && asRoot ? test : test.skip;

function scratch(): string {
  return mkdtempSync(join(tmpdir(), "cli-"));
}

beside("wrong command lines have runc's exit status, headline and error", () => {
  const lines = [
    ["nosuch"],
    ["nosuch", "--help"],
    ["-"],
    ["help", "nosuch"],
    ["--nosuch"],
    ["---x"],
    ["--=x"],
    ["--root"],
    ["--debug=maybe", "list"],
    ["--log-format", "xml", "list"],
    ["state"],
    ["state", "--"],
    ["state", "a", "b"],
    ["state", "--nosuch", "a"],
    ["start"],
    ["kill"],
    ["kill", "a", "9", "x"],
    ["kill", "-a", "-all", "a"],
    ["delete", "-f"],
    ["list", "a"],
    ["list", "--format"],
    ["list", "--format=xml"],
    ["spec", "a"],
    ["features", "a"],
    ["create"],
    ["create", "-b"],
    ["create", "--preserve-fds", "x", "a"],
    ["create", "--preserve-fds=99999999999999999999", "a"],
    ["create", "--no-pivot=x", "a"],
    ["run"],
    ["run", "--keep=x", "a"],
    ["exec"],
    ["exec", "--env", "a"],
    ["exec", "-g", "x", "a", "id"],
    ["exec", "-e", "A=1", "--env", "B=2", "a", "id"],
    ["exec", "--tty=x", "a", "id"],
    ["exec", "--preserve-fds", "x", "a", "id"],
    ["exec", "--nosuch", "a", "id"],
    ["exec", "nope", "id"],
    ["exec", "", "id"],
    ["exec", "-p", "/nope", "nope"],
    ["state", ""],
    ["state", "../x"],
    ["state", "nope"],
    ["start", "nope"],
    ["kill", "nope", "9"],
    ["delete", "nope"],
    ["delete", "--force", "nope"],
    ["create", "--bundle", "/proc/nope", ""],
  ];
  const different: string[] = [];
  for (const line of lines) {
    const argv = line[0]?.startsWith("-") === true ? line : ["--root", root, ...line];
    // The same name for both: it is a part of the error.
    const ours = runProgram(["bash", "-c", `exec -a runc ${executable} "$@"`, "bash", ...argv]);
    const theirs = runProgram(["bash", "-c", `exec -a runc ${runc} "$@"`, "bash", ...argv]);
    const view = ({ status, stdout, stderr }: typeof ours) => ({
      status,
      headline: stdout.split("\n\nNAME:")[0],
      errors: logMessages(stderr),
    });
    try {
      assert.equal(view(ours), view(theirs));
    } catch (error) {
      const text = `${JSON.stringify(view(ours))} and not ${JSON.stringify(view(theirs))}`;
      different.push(`${argv.join(" ")}: ${error instanceof Error ? text : ""}`);
    }
  }
  // Without a config.json and with a bad id, runc complains about the first.
  const known = different.filter((line) => !line.includes("--bundle /proc/nope"));
  assert.equal(known, []);
});

beside("help has runc's layout, exit status and commands", () => {
  const headings = (text: string): string[] => text.match(/^[A-Z ]+:$/gm) ?? [];
  for (const argv of [["--help"], [], ["help"], ["state", "--help"], ["create", "-h"]]) {
    const ours = tsRunc(argv);
    const theirs = runProgram([String(runc), ...argv]);
    assert.is(ours.status, 0);
    assert.is(ours.stderr, "");
    // Examples have a section of their own, which runc's help has not.
    const ourHeadings = headings(ours.stdout).filter((heading) => heading !== "EXAMPLES:");
    assert.equal(ourHeadings, headings(theirs.stdout), argv.join(" "));
    assert.match(ours.stdout, /^NAME:\n {3}ts-runc(?: \w+)? - [A-Za-z]/);
  }
  const described = /^ {2,3}(\w+) {2,}\w/gm;
  const commands = (text: string) => [...text.matchAll(described)].map(([, name]) => name);
  const theirs = new Set(commands(runProgram([String(runc), "--help"]).stdout));
  const oursAlone = new Set(["completion", "help", "program"]);
  for (const name of commands(tsRunc(["--help"]).stdout)) {
    if (!oursAlone.has(name ?? "")) assert.ok(theirs.has(name), name);
  }
});

test("help breaks lines for a terminal, keeps its indentation, and leaves programs one line an option", async () => {
  const { status, shown } = await runOnTerminal([executable, "exec", "--help"]);
  assert.is(status, 0);
  const lines = shown.split("\n");
  assert.equal(
    lines.slice(lines.indexOf("OPTIONS:")).filter((line) => line.length > 110),
    [],
  );
  assert.match(shown, "\n       # ts-runc exec --tty box sh\n");
  const { stdout } = tsRunc(["exec", "--help"]);
  assert.match(stdout, /^ {6}--no-new-privs +\S.* {2}\[boolean\]$/m);
});

test("--version starts with the line that go-runc parses, and has key: value lines after it", () => {
  const { status, stdout, stderr } = tsRunc(["--version"]);
  assert.is(status, 0);
  assert.is(stderr, "");
  const lines = stdout.trimEnd().split("\n");
  assert.match(lines.shift() ?? "", /^runc version \d+\.\d+\.\d+$/);
  for (const line of lines) assert.match(line, /^[a-z-]+: \S+$/);
  assert.ok(lines.includes("spec: 1.3.0"));
});

test("without --log an error is one logrus line on stderr", () => {
  const { status, stdout, stderr } = tsRunc(["--root", root, "state", "nope"]);
  assert.is(status, 1);
  assert.is(stdout, "");
  assert.match(
    stderr,
    /^time="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ" level=error msg="container does not exist"\n$/,
  );
});

test("--log FILE gets the line, and stderr the bare message", () => {
  const log = join(scratch(), "log");
  const { status, stderr } = tsRunc(["--root", root, "--log", log, "state", "nope"]);
  assert.is(status, 1);
  assert.is(stderr, "container does not exist\n");
  assert.equal(logMessages(readFileSync(log, "utf8")), ["container does not exist"]);
});

test("--log-format json appends one object a line with level, msg and time", () => {
  const log = join(scratch(), "log");
  const argv = ["--root", root, "--log", log, "--log-format", "json", "state"];
  for (const id of ["nope", "../<\u0001>"]) {
    assert.is(tsRunc([...argv, id]).status, 1);
  }
  const lines = readFileSync(log, "utf8").trimEnd().split("\n");
  assert.is(lines.length, 2);
  for (const line of lines) {
    const entry: unknown = JSON.parse(line);
    assert.equal(Object.keys(Object(entry)), ["level", "msg", "time"]);
    assert.match(line, /"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"/);
  }
  assert.match(lines[0] ?? "", /^\{"level":"error","msg":"container does not exist"/);
});

test("the log is made with mode 0644 even when nothing is logged, and never cut", () => {
  const log = join(scratch(), "log");
  assert.is(tsRunc(["--root", root, "--log", log, "list"]).status, 0);
  assert.is(readFileSync(log, "utf8"), "");
  assert.is(statSync(log).mode & 0o777, 0o644);
  writeFileSync(log, "before\n");
  tsRunc(["--root", root, "--log", log, "state", "nope"]);
  assert.match(readFileSync(log, "utf8"), /^before\ntime=/);
});

test("a log that cannot be opened is an error; one that cannot be written is none", () => {
  const { status, stderr } = tsRunc(["--log", join(root, "no", "log"), "--root", root, "list"]);
  assert.is(status, 1);
  assert.match(stderr, /level=error msg="opening the log: .*no such file or directory"/);
  const full = tsRunc(["--log", "/dev/full", "--root", root, "state", "nope"]);
  assert.is(full.status, 1);
  assert.is(full.stderr, "container does not exist\n");
});

test("--debug adds lines, without it there are none", () => {
  const log = join(scratch(), "log");
  tsRunc(["--root", root, "--debug", "--log", log, "state", "nope"]);
  assert.match(readFileSync(log, "utf8"), /level=debug msg="ts-runc state, state root /);
  assert.match(readFileSync(log, "utf8"), /level=error msg="container does not exist"\n$/);
});

test("on a terminal the line is logrus's coloured one", async () => {
  const { shown } = await runOnTerminal([executable, "--root", root, "state", "nope"]);
  const message = "container does not exist".padEnd(44);
  assert.is(shown.split("\n")[0], `\x1b[31mERRO\x1b[0m[0000] ${message} `);
});

test("a terminal is not told to do anything by what a message quotes", async () => {
  const log = join(scratch(), "log");
  for (const globals of [[], ["--log", log]]) {
    const argv = [...globals, "no\x1b[2Jsuch\x07\x9b"];
    const { shown } = await runOnTerminal([executable, ...argv], { env: { NO_COLOR: "1" } });
    assert.match(shown, /No help topic for 'no\\x1b\[2Jsuch\\x07\\x9b'/);
    assert.not.ok(shown.includes("\x1b"), JSON.stringify(shown));
  }
});

test("the state root may not be / in any spelling, nor empty", () => {
  for (const given of ["/", "", "//", "/..", "/tmp/../.", "../".repeat(40)]) {
    const { status, stderr } = tsRunc(["--root", given, "list"], { cwd: root });
    assert.is(status, 1, given);
    assert.equal(logMessages(stderr), ["Option --root argument should not be set to /"]);
  }
});

test("a relative state root is taken from the current directory", () => {
  const { status } = tsRunc(["--root", "./root/../root", "list"], { cwd: join(root, "..") });
  assert.is(status, 0);
});

test("a missing state root is an error only where it was asked for", () => {
  const { status, stderr } = tsRunc(["--root", join(root, "missing"), "list"]);
  assert.is(status, 1);
  assert.match(stderr, /no such file or directory/);
  assert.equal(tsRunc(["--root", root, "list", "-f", "json"]).stdout, "null\n");
});

test("XDG_RUNTIME_DIR counts for who is not root, and is made sticky", () => {
  if (!asRoot) return console.log("skip: needs root to become somebody else");
  const directory = scratch();
  const list = ["--debug", "list"];
  const rootOf = (env: Record<string, string>, prefix: readonly string[] = []) =>
    /state root (\S+)"/.exec(runProgram([...prefix, executable, ...list], { env }).stderr)?.[1];
  const PATH = process.env["PATH"] ?? "";
  assert.is(rootOf({ PATH, XDG_RUNTIME_DIR: directory }), "/run/ts-runc");
  assert.is(rootOf({ PATH, XDG_RUNTIME_DIR: "" }), "/run/ts-runc");
  const inNamespace = ["unshare", "--user", "--map-root-user"];
  assert.is(
    rootOf({ PATH, XDG_RUNTIME_DIR: directory, USER: "root" }, inNamespace),
    "/run/ts-runc",
  );
  assert.is(
    rootOf({ PATH, XDG_RUNTIME_DIR: directory, USER: "ann" }, inNamespace),
    `${directory}/ts-runc`,
  );
  assert.is(statSync(join(directory, "ts-runc")).mode & 0o7777, 0o1700);
  assert.is(rootOf({ PATH, XDG_RUNTIME_DIR: "" }, inNamespace), "/run/ts-runc");
});

test("commands with an absolute --root work in a deleted directory", () => {
  const script = `cd "$1" && rmdir "$1" && shift && exec "$@"`;
  const inDeleted = (...argv: readonly string[]) => {
    const gone = join(scratch(), "gone");
    mkdirSync(gone);
    return runProgram(["/bin/sh", "-c", script, "sh", gone, executable, ...argv]);
  };
  for (const command of [
    ["state", "nope"],
    ["kill", "nope", "9"],
    ["delete", "nope"],
  ]) {
    const { status, stderr } = inDeleted("--root", root, ...command);
    assert.is(status, 1);
    assert.equal(logMessages(stderr), ["container does not exist"], command.join(" "));
  }
  assert.is(inDeleted("--root", root, "delete", "--force", "nope").status, 0);
  assert.is(inDeleted("--root", root, "list").status, 0);
  assert.is(inDeleted("--version").status, 0);
  assert.is(inDeleted("--help").status, 0);
  const relative = inDeleted("--root", "here", "list");
  assert.is(relative.status, 1);
  assert.match(relative.stderr, /finding the current directory: getcwd: no such file or directory/);
});

test("spec writes config.json once, through no link, into the bundle", () => {
  const bundle = scratch();
  assert.is(tsRunc(["spec"], { cwd: bundle }).status, 0);
  const text = readFileSync(join(bundle, "config.json"), "utf8");
  assert.match(text, /^\{\n\t"ociVersion": "1\.3\.0",\n\t"process": \{\n\t\t"terminal": true,/);
  const again = tsRunc(["spec", "--bundle", bundle]);
  assert.is(again.status, 1);
  assert.equal(logMessages(again.stderr), ["File config.json exists. Remove it first"]);
  const linked = scratch();
  symlinkSync(join(linked, "target"), join(linked, "config.json"));
  assert.is(tsRunc(["spec", "-b", linked]).status, 1);
  assert.not.ok(existsSync(join(linked, "target")));
  const rootless = scratch();
  assert.is(tsRunc(["spec", "--rootless", "-b", rootless]).status, 0);
  assert.match(readFileSync(join(rootless, "config.json"), "utf8"), /"uidMappings"/);
});

test("features prints a document that the schema accepts, indented by four spaces", () => {
  const { status, stdout } = tsRunc(["features"]);
  assert.is(status, 0);
  assert.match(stdout, /^\{\n {4}"ociVersionMin": "1\.0\.0",\n/);
  const document: unknown = JSON.parse(stdout);
  assert.ok(isFeatures(document), JSON.stringify(isFeatures.errors));
  if (!isFeatures(document)) return;
  assert.equal(document.mountOptions, [...(document.mountOptions ?? [])].sort());
  for (const option of ["rnosymfollow", "idmap", "ridmap", "tmpcopyup"])
    assert.ok(document.mountOptions?.includes(option), option);
  assert.is(document.linux?.mountExtensions?.idmap?.enabled, true);
  const namespaces = document.linux?.namespaces ?? [];
  assert.equal(
    ["ipc", "mount", "network", "pid", "user", "uts"].filter(
      (one) => !namespaces.some((type) => type === one),
    ),
    [],
  );
});

test("creation options that cannot be meant are refused before anything is made", () => {
  const bundle = scratch();
  const cases: readonly (readonly [argv: readonly string[], message: RegExp])[] = [
    [
      ["create", "--preserve-fds=-1", "a"],
      /^runc create failed: --preserve-fds -1 is out of range$/,
    ],
    [["create", "--preserve-fds=0x7fffffffffffffff", "a"], /out of range$/],
    [["run", "--console-socket", "/s", "a"], /^runc run failed: cannot use console socket if runc/],
    [["create", "a/b"], /^runc create failed: invalid container ID format$/],
    [["create", ""], /^runc create failed: container id cannot be empty$/],
    [["create", "a"], /^runc create failed: JSON specification file config.json not found$/],
    [["run", "a"], /^runc run failed: JSON specification file config.json not found$/],
  ];
  for (const [argv, message] of cases) {
    const { status, stderr } = tsRunc(["--root", root, ...argv], { cwd: bundle });
    assert.is(status, 1);
    assert.match(logMessages(stderr).join("\n"), message);
  }
  const rootless = tsRunc(["--rootless=maybe", "--root", root, "list"]);
  assert.match(rootless.stderr, /invalid --rootless maybe: want true, false or auto/);
});

test("completion prints a script for each shell it names, and words for them", () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { status, stdout } = tsRunc(["completion", shell]);
    assert.is(status, 0);
    assert.match(stdout, "ts-runc");
  }
  const other = tsRunc(["completion", "csh"]);
  assert.is(other.status, 1);
  assert.equal(logMessages(other.stderr), ['no completion for "csh": want bash, zsh or fish']);
  assert.match(tsRunc(["__complete", "sta"]).stdout, /^start\t.*\nstate\t.*\n$/);
  assert.is(tsRunc(["__complete", "create", "--bundle", ""]).stdout, ":directories\n");
  assert.equal(tsRunc(["__complete", "--root", "/dev/null", "state", ""]).stdout, "");
});

test("output that cannot be written is an error", () => {
  const { status, stderr } = runProgram(["/bin/sh", "-c", `${executable} --version > /dev/full`]);
  assert.is(status, 1);
  assert.match(stderr, /writing to standard output: write: no space left on device/);
});

test.run();
