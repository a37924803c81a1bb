// The parser of the command line; the last tests compare what it finds wrong with real runc.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CommandLine, parseCommandLine } from "../../src/cli/parse.ts";
import { allCommands, globalOptions } from "../../src/cli/table.ts";

const test = suite("cli/parse");

function parse(...argv: readonly string[]): CommandLine {
  return parseCommandLine(argv, "runc");
}

function parseGood(...argv: readonly string[]): CommandLine & { kind: "command" } {
  const line = parse(...argv);
  if (line.kind !== "command") throw new Error(`${argv.join(" ")} is ${line.kind}`);
  return line;
}

function mistakeIn(...argv: readonly string[]): readonly [headline: string, message: string] {
  const line = parse(...argv);
  if (line.kind !== "mistake") throw new Error(`${argv.join(" ")} is ${line.kind}`);
  return [line.headline, line.message];
}

test("parseCommandLine() takes one dash and two, = and a separate value", () => {
  for (const root of [["--root=/r"], ["--root", "/r"], ["-root=/r"], ["-root", "/r"]]) {
    const { globals, command, positionals } = parseGood(...root, "state", "a");
    assert.is(globals.get("root"), "/r");
    assert.is(command.name, "state");
    assert.equal(positionals, ["a"]);
  }
  assert.is(parseGood("create", "-b", "/b", "a").values.get("bundle"), "/b");
  assert.is(parseGood("create", "--b=/b=c", "a").values.get("bundle"), "/b=c");
});

test("parseCommandLine() reads options behind positionals, but not behind -- or among the words of another program", () => {
  const late = parseGood("update", "a", "--cpu-share", "7", "-r=x", "--pids-limit", "-1");
  assert.equal(late.positionals, ["a"]);
  assert.equal([...late.values].sort(), [
    ["cpu-share", "7"],
    ["pids-limit", -1],
    ["resources", "x"],
  ]);
  assert.is(parseGood("kill", "a", "9", "--all").values.get("all"), true);
  assert.is(parseGood("run", "-d", "a", "--bundle", "/b").values.get("bundle"), "/b");
  // What is no option of the command is a word.
  assert.equal(parseGood("kill", "a", "-9").positionals, ["a", "-9"]);
  assert.is(mistakeIn("update", "a", "-r")[1], 'runc: "update" requires exactly 1 argument(s)');
  assert.equal(parseGood("exec", "a", "-t", "--env").positionals, ["a", "-t", "--env"]);
  assert.equal(parseGood("ps", "a", "-f").positionals, ["a", "-f"]);
  assert.equal(parseGood("kill", "--", "--all").positionals, ["--all"]);
  assert.equal(parseGood("state", "-").positionals, ["-"]);
  assert.is(parseGood("--root", "--", "state", "a").globals.get("root"), "--");
  assert.equal(parseGood("--", "state", "a").positionals, ["a"]);
});

test("parseCommandLine() reads booleans as Go does", () => {
  for (const yes of ["", "=1", "=t", "=T", "=TRUE", "=true", "=True"]) {
    assert.is(parseGood(`--debug${yes}`, "list").globals.get("debug"), true);
  }
  for (const no of ["=0", "=f", "=F", "=FALSE", "=false", "=False"]) {
    assert.is(parseGood(`--debug${no}`, "list").globals.get("debug"), false);
  }
  assert.is(parseGood("--debug=false", "--debug", "list").globals.get("debug"), true);
});

test("parseCommandLine() reads integers as Go does", () => {
  const cases = { "7": 7, "+7": 7, "-7": -7, "0x10": 16, "0o10": 8, "010": 8, "0b11": 3, "0": 0 };
  for (const [given, value] of Object.entries(cases)) {
    assert.is(
      parseGood("create", `--preserve-fds=${given}`, "a").values.get("preserve-fds"),
      value,
    );
  }
});

test("every option refuses a missing value, and values that are malformed or huge", () => {
  const huge = "9".repeat(1_000_000);
  const places = [
    { prefix: [], options: globalOptions, headline: "Incorrect Usage. " },
    ...allCommands().map(({ name, options }) => ({
      prefix: [name],
      options,
      headline: "Incorrect Usage: ",
    })),
  ];
  for (const { prefix, options, headline } of places) {
    for (const { name, short, kind } of options) {
      for (const form of [name, ...(short === undefined ? [] : [short])]) {
        if (kind === "flag") {
          const message = `invalid boolean value "maybe" for -${form}: parse error`;
          assert.equal(mistakeIn(...prefix, `--${form}=maybe`), [`${headline}${message}`, message]);
          assert.is(mistakeIn(...prefix, `--${form}=${huge}`).length, 2);
          continue;
        }
        const missing = `flag needs an argument: -${form}`;
        assert.equal(mistakeIn(...prefix, `--${form}`), [`${headline}${missing}`, missing]);
        if (kind !== "integer") continue;
        for (const bad of ["", "x", "1x", "1.5", "0x", "08", "1e3", " 1"]) {
          const message = `invalid value "${bad}" for flag -${form}: parse error`;
          assert.equal(mistakeIn(...prefix, `--${form}`, bad), [`${headline}${message}`, message]);
        }
        const range = `invalid value "99999999999999999999" for flag -${form}: value out of range`;
        assert.is(mistakeIn(...prefix, `--${form}`, "99999999999999999999")[1], range);
        assert.match(mistakeIn(...prefix, `--${form}`, huge)[1], /parse error$/);
      }
    }
  }
});

test("a text option keeps an empty and a huge value", () => {
  const huge = "/x".repeat(500_000);
  assert.is(parseGood("--root=", "list").globals.get("root"), "");
  assert.is(parseGood("--root", huge, "list").globals.get("root"), huge);
});

test("an option that can be repeated keeps all values in order, under one of its names", () => {
  const { values } = parseGood("exec", "-e", "A=1", "-e=B=2,3", "-g", "7", "-g=-1", "a", "-e", "C");
  assert.equal(values.get("env"), ["A=1", "B=2,3"]);
  assert.equal(values.get("additional-gids"), [7, -1]);
  assert.is(
    mistakeIn("exec", "-e", "A=1", "--env", "B=2", "a")[1],
    "Cannot use two forms of the same flag: e env",
  );
  const numbers = [
    ["x", "invalid syntax"],
    ["", "invalid syntax"],
    ["0x1", "invalid syntax"],
    ["99999999999999999999", "value out of range"],
  ] as const;
  for (const [given, problem] of numbers) {
    const message = `invalid value "${given}" for flag -g: strconv.ParseInt: parsing "${given}": ${problem}`;
    assert.is(mistakeIn("exec", "-g", given, "a")[1], message);
  }
});

test("parseCommandLine() words unknown options and bad syntax as Go does", () => {
  assert.is(mistakeIn("--nosuch")[1], "flag provided but not defined: -nosuch");
  assert.is(
    mistakeIn("state", "--foo=1", "a")[0],
    "Incorrect Usage: flag provided but not defined: -foo",
  );
  assert.is(mistakeIn("---x")[1], "bad flag syntax: ---x");
  assert.is(mistakeIn("--=x")[1], "bad flag syntax: --=x");
  assert.is(mistakeIn("--constructor")[1], "flag provided but not defined: -constructor");
  assert.is(
    mistakeIn("delete", "-f", "--force", "a")[1],
    "Cannot use two forms of the same flag: f force",
  );
});

test("parseCommandLine() counts the positionals of every command", () => {
  for (const { name, positionals } of allCommands()) {
    const { min, max } = positionals;
    if (max === Number.POSITIVE_INFINITY) {
      const many = Array.from({ length: 1000 }, () => "a");
      assert.equal(parseGood(name, ...many).positionals, many);
      assert.is(mistakeIn(name)[1], `runc: "${name}" requires a minimum of ${min} argument(s)`);
      continue;
    }
    const tooMany = Array.from({ length: max + 1 }, () => "a");
    const limit = min === max ? `exactly ${max}` : `a maximum of ${max}`;
    const message = `runc: "${name}" requires ${limit} argument(s)`;
    assert.equal(mistakeIn(name, ...tooMany), ["Incorrect Usage.", message]);
    if (min === 0) continue;
    const least = min === max ? `exactly ${min}` : `a minimum of ${min}`;
    assert.is(mistakeIn(name)[1], `runc: "${name}" requires ${least} argument(s)`);
  }
});

test("parseCommandLine() finds help, version and unknown commands", () => {
  for (const argv of [
    [],
    [""],
    ["--"],
    ["-h"],
    ["--help", "state"],
    ["help"],
    ["h"],
    ["-h", "x"],
  ]) {
    const line = parse(...argv);
    assert.is(line.kind, "help", argv.join(" "));
    assert.is(line.kind === "help" ? line.command : "", undefined);
  }
  for (const argv of [
    ["state", "-h"],
    ["state", "--help", "a", "b"],
    ["help", "state"],
  ]) {
    const line = parse(...argv);
    assert.is(line.kind === "help" ? line.command?.name : "", "state", argv.join(" "));
  }
  assert.is(parse("-v").kind, "version");
  assert.is(parse("--version", "state").kind, "version");
  assert.is(parse("--version=false", "state", "a").kind, "command");
  for (const argv of [["nosuch"], ["-"], ["help", "nosuch"], ["__proto__"]]) {
    assert.is(parse(...argv).kind, "unknown", argv.join(" "));
  }
});

test.run();
