// The notices that travel with the executable: every bundled package with its licence, and Bun itself; not our own licence.

import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The part of Bun's metafile that is read: the files that went in. */
export type BuildReport = { readonly inputs: readonly string[] };

type Package = {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly text: string;
};

/**
 * Packages without a file for their licence: those of their files whose first comment is the notice. The Apache License that
 * they name is ours as well.
 */
const noticesInCode: Readonly<Record<string, readonly string[]>> = {
  "@bufbuild/protobuf": ["dist/esm/index.js", "dist/esm/wire/varint.js"],
};

/** Reads the metafile of `bun build`. */
export function readBuildReport(path: string): BuildReport {
  const value: unknown = JSON.parse(readFileSync(path, "utf8"));
  if (!isObject(value) || !isObject(value["inputs"])) throw new Error(`${path} is no metafile`);
  return { inputs: Object.keys(value["inputs"]) };
}

/** Writes the notices of every package that `report` names. */
export function writeNotices(
  report: BuildReport,
  options: { readonly root: string; readonly path: string; readonly bunVersion: string },
): void {
  const names = report.inputs.flatMap((input) => {
    const match = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    return match?.[1] === undefined ? [] : [match[1]];
  });
  const packages = [...new Set(names)].sort().map((name) => readPackage(options.root, name));
  writeFileSync(
    options.path,
    `${[aboutBun(options.bunVersion), ...packages.map(word)].join("\n")}`,
  );
}

function readPackage(root: string, packageName: string): Package {
  const folder = join(root, "node_modules", packageName);
  const value: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  if (!isObject(value)) throw new Error(`${folder}/package.json is no package`);
  const { name, version, license } = value;
  if (typeof name !== "string" || typeof version !== "string" || typeof license !== "string") {
    throw new Error(`${folder}/package.json lacks name, version or license`);
  }
  const inCode = noticesInCode[name];
  if (inCode !== undefined) {
    const texts = inCode.map((file) => leadingComment(readFileSync(join(folder, file), "utf8")));
    const apache = readFileSync(join(root, "LICENSE"), "utf8").trimEnd();
    return { name, version, license, text: [...texts, apache].join("\n\n") };
  }
  const [file] = globSync("{LICENSE,LICENCE,license,licence}*", { cwd: folder }).sort();
  const path = file === undefined ? undefined : join(folder, file);
  if (path === undefined || !existsSync(path)) throw new Error(`${folder} has no licence text`);
  return { name, version, license, text: readFileSync(path, "utf8").trim() };
}

/** The lines of `//` with which a file begins. */
function leadingComment(code: string): string {
  const lines = code.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("//"));
  return lines
    .slice(0, end)
    .map((line) => line.replace(/^\/\/ ?/, ""))
    .join("\n");
}

function word({ name, version, license, text }: Package): string {
  return `## ${name} ${version} (${license})\n\n\`\`\`text\n${text}\n\`\`\`\n`;
}

function aboutBun(version: string): string {
  return `# Third-party notices

\`ts-runc\` is one executable: our code and the packages below, put into Bun ${version} by \`bun build --compile\`.

## Bun ${version} (MIT)

Bun itself is under the MIT licence, Copyright (c) Oven, Inc.; https://bun.com/docs/project/license lists what it is
linked with. Statically linked into it are JavaScriptCore and WTF from WebKit (LGPL-2.0-or-later and BSD-2-Clause, in
Oven's patched version https://github.com/oven-sh/webkit), BoringSSL, brotli, c-ares, libarchive, libbacktrace, libdeflate,
libuv (parts), lol-html, ls-hpack, mimalloc, picohttp, SQLite, TinyCC (LGPL-2.1), uSockets, uWebSockets, simdutf, zlib-ng
and zstd, each under its own licence. Section 6 of the LGPL: ts-runc can be linked again with a changed JavaScriptCore by
building Bun with it (\`bun run build\` in Bun's sources) and calling \`scripts/build.ts\` with that Bun; all of ts-runc's
sources are part of this repository.
`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
