// The man pages against the table of commands, and against the two programs that read man pages.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeManPages } from "../../scripts/man-pages.ts";
import type { Example } from "../../src/cli/command.ts";
import { programExamples } from "../../src/cli/manual.ts";
import type { Option } from "../../src/cli/options.ts";
import { allCommands, globalOptions } from "../../src/cli/table.ts";
import { executable } from "../cli/executable.ts";

const test = suite("golden/man-pages");
const pages = makeManPages("2026-01-02");

function run(argv: readonly string[], input: string): string {
  const child = Bun.spawnSync([...argv], {
    stdin: new TextEncoder().encode(input),
    timeout: 60_000,
  });
  assert.is(child.stderr.toString(), "", argv.join(" "));
  return child.stdout.toString();
}

/** A page as a person reads it, in lines long enough that none is broken. */
function render(name: string): string {
  const text = pages.find((page) => page.name === name)?.text ?? "";
  assert.ok(text !== "", `${name} is there`);
  const groff = ["groff", "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=500n", "-rHY=0"];
  return run(groff, text);
}

function checkContent(
  name: string,
  entry: { readonly options: readonly Option[]; readonly examples: readonly Example[] },
): void {
  const shown = render(name);
  const flat = shown.replace(/\s+/g, " ");
  for (const { name: option, short, hidden, usage } of entry.options) {
    const form = new RegExp(
      `^ +--${option}${short === undefined ? "" : `, -${short}`}( \\S+)?( |$)`,
      "m",
    );
    if (hidden === true) assert.not.match(shown, form);
    else assert.match(shown, form);
    if (hidden !== true) assert.ok(flat.includes(usage.replace(/\s+/g, " ")), `${name}: ${usage}`);
  }
  assert.ok(entry.examples.length > 0, `${name} has examples`);
  for (const { line } of entry.examples) {
    assert.ok(shown.includes(`# ${line}\n`), `${name}: ${line}\n${shown}`);
  }
}

if (!existsSync("/usr/bin/groff")) console.log("skip: groff is not installed");
const withGroff = existsSync("/usr/bin/groff") ? test : test.skip;

withGroff(
  "the program's page has every global option and command, and reads without warnings",
  () => {
    checkContent("ts-runc.8", { options: globalOptions, examples: programExamples });
    const shown = render("ts-runc.8");
    for (const { name, usage } of allCommands()) {
      assert.ok(shown.includes(`ts-runc-${name}(8)`), name);
      assert.ok(shown.includes(usage), usage);
    }
  },
);

for (const command of allCommands()) {
  withGroff(
    `the page of ${command.name} has its options and examples, and reads without warnings`,
    () => {
      checkContent(`ts-runc-${command.name}.8`, command);
    },
  );
}

test("mandoc finds nothing to complain about", () => {
  if (!existsSync("/usr/bin/mandoc")) return console.log("skip: mandoc is not installed");
  for (const { name, text } of pages) {
    assert.is(run(["mandoc", "-man", "-T", "lint", "-W", "warning"], text), "", name);
  }
});

test("an example begins with the program, and names a command that there is", () => {
  const names = allCommands().map(({ name }) => name);
  for (const { line } of [
    programExamples,
    ...allCommands().map(({ examples }) => examples),
  ].flat()) {
    const words = line.replace(/^source <\(/, "").split(" ");
    assert.is(words[0], "ts-runc", line);
    assert.ok(
      words.some((word) => names.includes(word)),
      line,
    );
  }
});

test("the build writes the pages beside the executable, and no others", () => {
  const folder = join(executable, "../man/man8");
  assert.equal(readdirSync(folder).sort(), pages.map(({ name }) => name).sort());
  const built = readFileSync(join(folder, "ts-runc.8"), "utf8");
  const [head = "", ...body] = built.split("\n");
  assert.match(head, /^\.TH TS\\-RUNC 8 \d{4}-\d\d-\d\d "ts\\-runc \d/);
  assert.equal(body, pages[0]?.text.split("\n").slice(1));
});

test.run();
