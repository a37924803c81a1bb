// The suite as a program: runs its tests against a runtime and prints TAP.
//
//   conformance/run RUNTIME [FILTER]     FILTER is a part of a test's id or title
//
// Exit status 0 means that no test has failed; tests that this machine cannot run are marked SKIP.

import { resolve } from "node:path";
import { runSuite } from "./run-suite.ts";

function main(argv: readonly string[]): number {
  const [runtime, filter = ""] = argv;
  if (runtime === undefined || runtime.startsWith("-") || argv.length > 2) {
    console.error("usage: conformance/run RUNTIME [FILTER]");
    return 2;
  }
  if (process.getuid?.() !== 0) {
    console.error("conformance/run: containers are made by root here");
    return 2;
  }
  const path = runtime.includes("/") ? resolve(runtime) : Bun.which(runtime);
  if (path === null) {
    console.error(`conformance/run: no ${runtime} in PATH`);
    return 2;
  }
  const results = runSuite(path, { filter, tell: (line) => console.log(line) });
  return results.some(({ verdict }) => verdict === "fail") || results.length === 0 ? 1 : 0;
}

process.exitCode = main(process.argv.slice(2));
