// What `features` and --version say, beside runc's: the same shape, and nothing that is not so.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runc, runProgram, tsRunc } from "./executable.ts";

const test = suite("cli/features");
if (runc === undefined) console.log("skip: there is no runc to compare with");
const beside = runc === undefined ? test.skip : test;

/** The leaves of a document by their paths, a list being a leaf. */
function leaves(value: unknown, path = ""): ReadonlyMap<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return new Map([[path, value]]);
  }
  return new Map(Object.entries(value).flatMap(([key, one]) => [...leaves(one, `${path}/${key}`)]));
}

function documentOf({ stdout }: { readonly stdout: string }): ReadonlyMap<string, unknown> {
  return leaves(JSON.parse(stdout));
}

beside("features has runc's keys, with values of the same types", () => {
  const ours = documentOf(tsRunc(["features"]));
  const theirs = documentOf(runProgram([String(runc), "features"]));
  for (const [path, value] of theirs) {
    assert.is(typeof ours.get(path), typeof value, path);
    assert.is(Array.isArray(ours.get(path)), Array.isArray(value), path);
  }
});

beside("features lists only names that runc lists, or that are younger than it", () => {
  const ours = documentOf(tsRunc(["features"]));
  const theirs = documentOf(runProgram([String(runc), "features"]));
  const younger: Readonly<Record<string, readonly string[]>> = {
    "/linux/namespaces": ["time"],
    "/mountOptions": ["idmap", "ridmap", "copy-symlink", "src-nofollow", "dest-nofollow"],
    "/hooks": [],
    "/linux/capabilities": [],
    "/linux/seccomp/actions": [],
    "/linux/seccomp/operators": [],
    "/linux/seccomp/archs": [
      ..."LOONGARCH64 M68K PARISC PARISC64 RISCV64 SH SHEB"
        .split(" ")
        .map((name) => `SCMP_ARCH_${name}`),
    ],
  };
  for (const [path, names] of Object.entries(younger)) {
    const known: unknown = theirs.get(path);
    const said: unknown = ours.get(path);
    assert.ok(Array.isArray(known) && Array.isArray(said), path);
    if (!Array.isArray(known) || !Array.isArray(said)) return;
    const foreign = said.filter((name) => !known.includes(name) && !names.includes(String(name)));
    assert.equal(foreign, [], path);
  }
});

beside("--version has runc's keys, but for the compiler's, and one of ours", () => {
  const keys = (text: string): readonly string[] =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/:| version /)[0] ?? "");
  const theirs = keys(runProgram([String(runc), "--version"]).stdout);
  const ours = keys(tsRunc(["--version"]).stdout);
  assert.equal(
    ours.filter((key) => key !== "ts-runc"),
    theirs.filter((key) => key !== "go"),
  );
  assert.is(tsRunc(["-v"]).stdout, tsRunc(["--version"]).stdout);
  assert.is(ours[0], "runc");
});

test.run();
