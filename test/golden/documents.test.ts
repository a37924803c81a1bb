// The documents against the code: commands, options, refusals, rooms, paths and the tests that they name.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compileOptions } from "../../bench/empty-program.ts";
import packageJson from "../../package.json";
import type { Option } from "../../src/cli/options.ts";
import { allCommands, globalOptions } from "../../src/cli/table.ts";
import { stubAssembly } from "../../src/init/stub/image.ts";
import { schemaProperties } from "../support/schema-properties.ts";
import { root } from "../support/source-tree.ts";

const test = suite("golden/documents");
const documents = [
  "README.md",
  "SECURITY.md",
  "CHANGELOG.md",
  "docs/architecture.md",
  "docs/compatibility.md",
  "docs/conformance.md",
];

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** A document with its line breaks taken out of sentences, so that a phrase is found wherever it is broken. */
function flat(path: string): string {
  return read(path).replace(/\s+/g, " ");
}

/** The lines of the table that follows a heading. */
function tableBelow(path: string, heading: string): readonly (readonly string[])[] {
  const section = read(path).split(`\n${heading}\n`)[1]?.split(/\n#+ /)[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("|"));
  assert.ok(rows.length > 2, `${path} has a table below ${heading}`);
  return rows.slice(2).map((row) =>
    row
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );
}

function expectNone(offences: readonly string[], fix: string): void {
  assert.is(offences.length, 0, `${fix}\n  ${offences.join("\n  ")}`);
}

test("the table of commands is the one that the parser reads", () => {
  const list = (options: readonly Option[]): string =>
    options
      .map(({ name, short }) => `\`--${name}\`${short === undefined ? "" : ` (\`-${short}\`)`}`)
      .join(", ");
  const expected = [
    ["(global)", list(globalOptions)],
    ...allCommands().map(({ name, options }) => [`\`${name}\``, list(options)]),
  ];
  assert.equal(tableBelow("docs/compatibility.md", "## Commands"), expected);
});

test("every command is in the changelog", () => {
  const changelog = read("CHANGELOG.md");
  expectNone(
    allCommands()
      .map(({ name }) => name)
      .filter((name) => !changelog.includes(`\`${name}\``)),
    "tell of the command in CHANGELOG.md",
  );
});

test("every npm command of the documents is in package.json", () => {
  const scripts = Object.keys(packageJson.scripts);
  const offences = documents.flatMap((path) =>
    [...read(path).matchAll(/\bnpm (?:run )?([a-z]+)\b/g)]
      .map(([, name = ""]) => name)
      .filter((name) => !scripts.includes(name) && !["ci", "install"].includes(name))
      .map((name) => `${path}: npm run ${name}`),
  );
  expectNone(offences, "name a script of package.json");
  assert.match(read("README.md"), /npm start\b[\s\S]*npm test\b/);
});

/** What starts like this in the documents is a path of the repository. */
const folders = "src|test|bench|docs|scripts|schemas|bundles|conformance";

test("every file that a document names is there", () => {
  const offences = documents.flatMap((path) => {
    const text = read(path);
    const quoted = [...text.matchAll(/`([^`\s]+)`/g)]
      .map(([, name = ""]) => name)
      .filter((name) => new RegExp(`^(${folders})/`).test(name));
    const linked = [...text.matchAll(/\]\(([^)#]+)[^)]*\)/g)]
      .map(([, target = ""]) => normalize(join(dirname(path), target)))
      .filter((target) => !target.startsWith("http"));
    return [...quoted, ...linked]
      .filter((name) => !existsSync(join(root, name)))
      .map((name) => `${path}: ${name}`);
  });
  expectNone(offences, "name a file that there is");
});

test("every test that a document names is there", () => {
  const offences = documents.flatMap((path) => {
    const named = [...read(path).matchAll(/`(test\/[^`]+\.test\.ts)` "([^|]+)"/g)];
    return named.flatMap(([, file = "", name = ""]) => {
      const found = existsSync(join(root, file)) && read(file).includes(name);
      return found ? [] : [`${path}: ${file} "${name}"`];
    });
  });
  expectNone(offences, "name a test that there is");
});

const properties = "## config.json, property by property";

test("every property of the schemas is in the table of properties, and nothing else", () => {
  const rows = tableBelow("docs/compatibility.md", properties);
  const named = rows.flatMap(([cell = ""]) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name),
  );
  const all = schemaProperties().map(({ path }) => path);
  assert.ok(all.length > 200, `${all.length} properties`);
  const covers = (name: string, property: string): boolean =>
    name.endsWith(".*")
      ? `${property}.`.startsWith(name.slice(0, -1)) ||
        property.startsWith(`${name.slice(0, -2)}[]`)
      : name === property;
  expectNone(
    all.filter((property) => !named.some((name) => covers(name, property))),
    "add it to the table",
  );
  expectNone(
    named.filter((name) => !all.some((property) => covers(name, property))),
    "no schema knows it",
  );
});

test("each property and each CVE has a test or says why not", () => {
  for (const [path, heading] of [
    ["docs/compatibility.md", "## Properties, side by side"],
    ["docs/compatibility.md", properties],
    ["SECURITY.md", "## Rules, and where they are kept"],
    ["SECURITY.md", "## Known holes of other runtimes"],
  ] as const) {
    const bare = tableBelow(path, heading).filter(
      (cells) => !/^`test\/.+\.test\.ts` ".+"$/.test(cells.at(-1) ?? ""),
    );
    expectNone(
      bare.map((cells) => cells.join(" | ")),
      `${path}, ${heading}: end the line with a test`,
    );
  }
});

test("every CVE that the code names is in SECURITY.md", () => {
  const security = read("SECURITY.md");
  const glob = new Bun.Glob("src/**/*.ts");
  const offences = [...glob.scanSync(root)].flatMap((path) =>
    [...read(path).matchAll(/CVE-\d{4}-\d+/g)]
      .map(([name]) => name)
      .filter((name) => !security.includes(name))
      .map((name) => `${path}: ${name}`),
  );
  expectNone(offences, "add a line to SECURITY.md");
});

test("the tour has fourteen files, and the rooms stand in the order of the tidy test", () => {
  const text = read("docs/architecture.md");
  const stops = [...text.matchAll(/^### (\d+)\. `([^`]+)`$/gm)].map(([, number]) => Number(number));
  assert.equal(
    stops,
    Array.from({ length: 14 }, (_, index) => index + 1),
  );
  const line = text.split("\n").find((each) => each.startsWith("`base` <")) ?? "";
  const documented = [...line.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
  const layers = /const layers[^=]*= \[([\s\S]*?)\n\];/.exec(read("test/tidy.test.ts"))?.[1] ?? "";
  // The shim is not there yet.
  const checked = [...layers.matchAll(/"([^"]+)"/g)]
    .map(([, name = ""]) => name)
    .filter((name) => existsSync(join(root, "src", name)));
  assert.equal(documented, checked);
  const described = tableBelow("docs/architecture.md", "## Rooms").map(([name]) => name);
  assert.equal(
    described,
    documented.filter((name) => name !== "main.ts").map((name) => `\`${name}\``),
  );
});

test("the diagram has the batches of the printed program", () => {
  const diagram = read("docs/architecture.md").split("## Who talks to whom")[1] ?? "";
  const drawn = [...diagram.matchAll(/ batch "([^"]+)"/g)].map(([, name]) => name);
  const printed = read("test/golden/hello.txt").matchAll(/^init: ([^,\n]+)/gm);
  assert.equal(
    drawn,
    [...printed].map(([, name]) => name),
  );
});

test("the stub has as many instructions as the documents say", () => {
  const count = (architecture: "x86_64" | "aarch64"): number =>
    stubAssembly(architecture).lines.length;
  const sentence = `${count("x86_64")} instructions on x86-64 and ${count("aarch64")} on arm64`;
  assert.ok(flat("docs/architecture.md").includes(sentence), sentence);
});

test("every dependency has a line that says why it is there", () => {
  const first = tableBelow("docs/architecture.md", "## Dependencies").map(([cell = ""]) => cell);
  const { devDependencies, optionalDependencies } = packageJson;
  const offences = Object.keys({ ...devDependencies, ...optionalDependencies }).filter(
    (name) => !first.some((cell) => cell.includes(`\`${name}\``)),
  );
  expectNone(offences, "add a line to docs/architecture.md");
});

test("version and licence are those of package.json", () => {
  const { version, license } = packageJson;
  assert.match(read("CHANGELOG.md"), new RegExp(`^## ${version.replaceAll(".", "\\.")} `, "m"));
  assert.ok(read("README.md").includes(`Version ${version}`));
  assert.ok(read("README.md").includes(license));
});

test("the benchmark's empty program is compiled as ts-runc is", () => {
  const source = read("scripts/build.ts");
  const options = /const compileOptions = \[([\s\S]*?)\n\];/.exec(source)?.[1] ?? "";
  const listed = [...options.matchAll(/^ {2}"([^"]+)",$/gm)].map(([, option]) => option);
  assert.equal(compileOptions, listed);
});

test.run();
