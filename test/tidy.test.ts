// The rules of the house that a machine can see: layers, banned calls, sizes, comments; each failure says what to do.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  committedPaths,
  readSources,
  root,
  type SourceFile,
  withoutTexts,
} from "./support/source-tree.ts";

const test = suite("tidy");

/** A file imports its own folder and those to the left; shim and cli stand side by side. */
const layers: readonly (readonly string[])[] = [
  ["base"],
  ["spec"],
  ["abi"],
  ["syscall"],
  ["program"],
  ["inside"],
  ["plan"],
  ["ffi"],
  ["host"],
  ["init"],
  ["container"],
  ["foreground"],
  ["cli", "shim"],
  ["main.ts"],
];

/** Rooms whose exported functions all say what they do; abi and syscall are named after man pages. */
const documentedRooms = ["program", "inside", "plan", "ffi", "host", "init", "container"];

/** Exported functions without a summary: files whose functions are named after what a manual describes. */
const undocumented = [
  "src/init/stub/x86_64-instructions.ts",
  "src/init/stub/aarch64-instructions.ts",
];

/** Imports of node:* in src, with the reason; Bun's own and libc's calls are what the runtime is measured with. */
const nodeImports: Readonly<Record<string, string>> = {
  "src/host/systemd/connection.ts":
    "the D-Bus library reads from a stream of node:net; loaded only where systemd is asked for",
};

/** What generated code may be imported, and by which room. */
const generated: Readonly<Record<string, string>> = {
  "build/validators.js": "spec",
  "build/verdicts.js": "spec",
  "build/version.ts": "cli",
  "build/stub-images.ts": "init",
};

/** Files longer than 400 lines that hold one concept all the same. */
const longFiles: Readonly<Record<string, string>> = {
  "test/kernel/attacks.test.ts": "a list of attacks, one test each, in one room",
  "test/kernel/lifecycle.test.ts": "a list of scenarios beside runc, one test each, in one room",
  "test/spec/rule-cases.ts": "a table of broken configs, one entry a rule",
};

/** Files below 20 lines with one importer that cannot go home into it. */
const smallFiles: Readonly<Record<string, string>> = {
  "src/cli/completions/text.d.ts": "declares modules, and is imported by none",
  "src/ffi/pinned-buffer.ts": "its importer is in src/host, which may not import bun:ffi",
};

/** Test files without a source file of their name. */
const freeTests: Readonly<Record<string, string>> = {
  "test/abi/c-compiler.test.ts": "all of src/abi against the C compiler",
  "test/plan/seccomp.test.ts": "all of src/plan/seccomp-*.ts, through one profile after the other",
  "test/spec/every-property.test.ts": "all that the schemas know",
  "test/spec/schema-verdicts.test.ts": "the schemas that build/validators.js is made of",
};

/** Folders whose tests are about more than one source file. */
const freeFolders = [
  "test/kernel/",
  "test/golden/",
  "test/conformance/",
  "test/vm/",
  "test/support/",
  "test/init/stub/",
];

const paths = committedPaths();
const sources = readSources(paths);
const product = sources.filter(({ path }) => path.startsWith("src/"));

function room(path: string): string {
  return path.split("/")[1] ?? "";
}

/** Fails with every offence and what to do about it. */
function expectNone(offences: readonly string[], fix: string): void {
  assert.is(offences.length, 0, `${fix}\n  ${offences.join("\n  ")}`);
}

/** The lines of the code that match, as `path:line: text`. */
function findLines(file: SourceFile, pattern: RegExp): string[] {
  const code = file.code.split("\n");
  return code.flatMap((line, index) =>
    pattern.test(line) ? [`${file.path}:${index + 1}: ${file.lines[index]?.trim()}`] : [],
  );
}

test("a file of src imports only its own room and those to the left", () => {
  const place = (path: string): number => layers.findIndex((names) => names.includes(room(path)));
  const offences = product.flatMap(({ path, imports }) =>
    imports
      .filter(({ target }) => target.startsWith("src/"))
      .filter(({ target }) => {
        const beside = place(target) === place(path) && room(target) !== room(path);
        return place(path) === -1 || place(target) > place(path) || beside;
      })
      .map(({ target }) => `${path} imports ${target}`),
  );
  const order = layers.map((names) => names.join(", ")).join(" < ");
  expectNone(offences, `move what is shared to the left, or the caller to the right: ${order}`);
});

test("a file of src imports nothing from outside but packages and its share of build/", () => {
  const offences = product.flatMap(({ path, imports }) =>
    imports
      .filter(
        ({ target }) => target.includes("/") && !/^(src\/|node:|@|dbus-native\/)/.test(target),
      )
      .filter(({ target }) => generated[target] !== room(path))
      .map(({ target }) => `${path} imports ${target}`),
  );
  expectNone(offences, "import it where tidy.test.ts says that it is generated for");
});

test("conformance/spec knows a runtime by its command line only", () => {
  const offences = sources
    .filter(({ path }) => path.startsWith("conformance/"))
    .flatMap(({ path, imports }) =>
      imports
        .filter(({ target }) =>
          path.startsWith("conformance/spec/")
            ? target.includes("/") && !target.startsWith("conformance/spec/")
            : target.startsWith("src/"),
        )
        .map(({ target }) => `${path} imports ${target}`),
    );
  expectNone(offences, "the suite runs against any runtime: call it, or write what is needed anew");
});

test("no file of src imports itself in a circle, types aside", () => {
  const next = new Map(product.map(({ path, imports }) => [path, imports]));
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at !== -1) circles.push([...trail.slice(at), path].join(" -> "));
    if (at !== -1 || done.has(path)) return;
    for (const { target, kind } of next.get(path) ?? []) {
      if (kind === "value") visit(target, [...trail, path]);
    }
    done.add(path);
  };
  for (const { path } of product) visit(path, []);
  expectNone(circles, "move what both need into a file of its own");
});

test("only src/ffi imports bun:ffi", () => {
  const offences = product.filter(
    ({ path, imports }) =>
      room(path) !== "ffi" && imports.some(({ target }) => target === "bun:ffi"),
  );
  expectNone(
    offences.map(({ path }) => path),
    "make a syscall value and execute it, or add a function to src/ffi",
  );
});

test("src imports no node:* module but for a listed reason", () => {
  const offences = product.flatMap(({ path, imports }) =>
    imports
      .filter(({ target }) => target.startsWith("node:") && nodeImports[path] === undefined)
      .map(({ target }) => `${path} imports ${target}`),
  );
  expectNone(
    offences,
    "use src/host/files.ts and syscall values, or list the reason in nodeImports",
  );
});

test("src neither writes to the console outside cli, nor exits outside main.ts and cli", () => {
  const offences = product
    .filter(({ path }) => !["cli", "main.ts"].includes(room(path)))
    .flatMap((file) => findLines(file, /\bconsole\.|\bprocess\.(exit|stdout|stderr)\b/));
  expectNone(offences, "raise a fault; wording and exit codes belong to src/cli");
});

test("src asks for the current directory nowhere but in a listed place", () => {
  const offences = product.flatMap((file) => findLines(file, /\bprocess\.cwd\(/));
  expectNone(offences, "make the path absolute with src/cli/absolute-path.ts");
});

test("nothing left of ffi looks at the clock, at chance, at the environment or at Bun", () => {
  const impure =
    /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\.|\bprocess\.env[.[]|\bBun\./;
  const ffi = layers.findIndex((names) => names.includes("ffi"));
  const offences = product
    .filter(({ path }) => layers.findIndex((names) => names.includes(room(path))) < ffi)
    .flatMap((file) => findLines(file, impure));
  expectNone(offences, "put it into src/host and hand it in as a fact");
});

test("nothing left of ffi tells of steps for --debug: what is pure has taken none", () => {
  const ffi = layers.findIndex((names) => names.includes("ffi"));
  const offences = product
    .filter(({ path }) => layers.findIndex((names) => names.includes(room(path))) < ffi)
    .filter(({ imports }) => imports.some(({ target }) => target === "src/base/debug.ts"));
  expectNone(
    offences.map(({ path }) => path),
    "tell of it where it is done",
  );
});

test("`as` stands only in src/ffi, src/abi/struct.ts and where a brand is given", () => {
  const allowed = ({ path }: SourceFile): boolean =>
    path.startsWith("src/ffi/") || path === "src/abi/struct.ts" || path.endsWith(".d.ts");
  const offences = sources
    .filter((file) => !allowed(file))
    .flatMap((file) => {
      const brands = /\bunique symbol\b/.test(file.code);
      const cast = brands ? /\bas (?!const\b|[A-Z]\w+;$)/ : /\bas (?!const\b)/;
      const code = {
        ...file,
        code: file.code.replace(/^(import\b|export\s*[{*])[^;]*;/gm, blankLines),
      };
      return findLines(code, cast);
    });
  expectNone(offences, "narrow the type with a check; `unknown` at the border");
});

test("neither `any` nor `!` stands in for a type", () => {
  const pattern = /[:<,|]\s*any\b|\bany\[\]|[\w)\]]!(?=[.;,)\][]|$)/;
  const offences = sources.flatMap((file) => findLines(file, pattern));
  expectNone(offences, "use unknown, or present() of src/base/assert.ts");
});

test("there are no default exports", () => {
  const offences = sources.flatMap((file) => findLines(file, /^export default\b/));
  expectNone(offences, "export it by its name");
});

test("no note of work to do stands without its issue", () => {
  const pattern = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME"].join("|")})\\b(?!\\(#\\d+\\))`);
  const offences = sources.flatMap(({ path, lines }) =>
    lines.flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : [])),
  );
  expectNone(offences, "do it, or name the issue in brackets: (#12)");
});

test("a file has at most 400 lines", () => {
  const offences = sources
    .filter(({ path, lines }) => lines.length > 401 && longFiles[path] === undefined)
    .map(({ path, lines }) => `${path}: ${lines.length - 1}`);
  expectNone(offences, "find the second concept in it and move that out");
});

test("a file of src below 20 lines is imported by more than one other", () => {
  const offences = product
    .filter(
      ({ path, lines }) => lines.length <= 20 && path !== "src/main.ts" && !(path in smallFiles),
    )
    // One entry of the table of commands each.
    .filter(({ path }) => !path.startsWith("src/cli/commands/"))
    .filter(({ path }) => {
      const imports = product.flatMap((file) =>
        file.imports.filter(({ target }) => target === path),
      );
      // What is loaded only when it is needed has to be a file of its own.
      return imports.length < 2 && !imports.some(({ kind }) => kind === "lazy");
    });
  expectNone(
    offences.map(({ path }) => path),
    "move it into the one file that uses it",
  );
});

test("each file opens with a sentence that says what it is", () => {
  const offences = sources
    .filter(({ path }) => !path.endsWith(".test.ts"))
    .filter(({ text }) => !/^\/\/ [\w`"][^\n]*(\n\/\/[^\n]*)*?[.:)]/.test(text));
  expectNone(
    offences.map(({ path }) => path),
    "begin the file with a comment: what this is, and what it is not",
  );
});

test("exported functions of the inner rooms have a summary", () => {
  const offences = product
    .filter(({ path }) => documentedRooms.includes(room(path)) && !undocumented.includes(path))
    .flatMap(({ path, lines }) =>
      lines.flatMap((line, index) =>
        /^export (async )?function/.test(line) && lines[index - 1]?.endsWith("*/") !== true
          ? [`${path}:${index + 1}: ${line}`]
          : [],
      ),
    );
  expectNone(offences, "say in one sentence what it does, and who runs it");
});

test("each test mirrors a source file or stands in a folder of its own", () => {
  const known = new Set(paths);
  const offences = paths
    .filter((path) => path.startsWith("test/") && path.endsWith(".test.ts"))
    .filter((path) => path !== "test/tidy.test.ts" && freeTests[path] === undefined)
    .filter((path) => !freeFolders.some((folder) => path.startsWith(folder)))
    .filter((path) => !known.has(path.replace(/^test\//, "src/").replace(/\.test\.ts$/, ".ts")));
  expectNone(
    offences,
    "name it after the file of src that it tests, or list the reason in freeTests",
  );
});

test("each test names its suite after its path and ends by running it", () => {
  const offences = sources
    .filter(({ path }) => path.startsWith("test/") && path.endsWith(".test.ts"))
    .filter(({ path, text }) => {
      const name = path.slice("test/".length, -".test.ts".length);
      return !text.includes(`suite("${name}"`) || !text.endsWith("test.run();\n");
    });
  expectNone(
    offences.map(({ path }) => path),
    'begin with `const test = suite("folder/name")` and end with `test.run();`',
  );
});

test("no committed file names a machine, a workplace or a registry", () => {
  // Put together here, so that this file does not name them either.
  const workplace = ["", "work", ""].join("/");
  const pattern = new RegExp(
    `(^|[^\\w./-])${workplace}|(^|[^\\w./-])/home/\\w|registry\\.\\w+\\.`,
    "m",
  );
  const hosts = [
    "bun.com",
    "github.com",
    "json-schema.org",
    "opencollective.com",
    "www.apache.org",
  ];
  const offences = paths.flatMap((path) => {
    const text = readFileSync(join(root, path), "utf8");
    const foreign = [...text.matchAll(/https?:\/\/([\w.-]+)/g)]
      .map(([, host = ""]) => host)
      .filter((host) => !hosts.includes(host) && !/\bexample(\.(com|org|net))?$/.test(host));
    const resolved = path === "package-lock.json" && text.includes('"resolved"');
    return [
      ...(pattern.test(text) ? [`${path}: ${pattern.exec(text)?.[0]}`] : []),
      ...(resolved ? [`${path}: "resolved"`] : []),
      ...foreign.map((host) => `${path}: ${host}`),
    ];
  });
  expectNone(offences, "use a relative path; for a public address, list its host here");
});

test("every exception that is listed here is still one", () => {
  const listed = [
    ...Object.keys(longFiles),
    ...Object.keys(freeTests),
    ...Object.keys(nodeImports),
  ];
  const missing = [...listed, ...Object.keys(nodeImports), ...undocumented].filter(
    (path) => !paths.includes(path),
  );
  expectNone(missing, "take it off the list");
  for (const { path, lines } of sources) {
    if (longFiles[path] !== undefined) assert.ok(lines.length > 401, `${path} is short now`);
  }
});

test("withoutTexts() keeps code and lines, and drops comments, strings and constant parts", () => {
  const hole = "$" + "{e({ f: 1 })}";
  const parts = ['a("x // y"); // as b', `/* as\n c */ d(\`as ${hole} as\`);`, 'g(/as "/);'];
  const code = withoutTexts(parts.join("\n"));
  assert.is(code, `a(""); \n\n d(\`${hole}\`);\ng();`);
});

function blankLines(text: string): string {
  return text.replace(/[^\n]/g, "");
}

test.run();
