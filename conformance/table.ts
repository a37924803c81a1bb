// Runs the suite against ts-runc, runc and crun, keeps the verdicts, and writes the tables of docs/conformance.md. Needs root.
//
//   scripts/bun conformance/table.ts            runs, and writes conformance/results.json and the document
//   scripts/bun conformance/table.ts --write    writes the document alone, from the verdicts of the last run

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { helpCrun } from "../bench/cgroup-host.ts";
import { buildOnce } from "../scripts/build.ts";
import { type Differences, differences, type RuntimeName, runtimeNames } from "./differences.ts";
import { type Results, readResults, withTables } from "./document.ts";
import { type Result, runSuite } from "./spec/run-suite.ts";

const root = join(import.meta.dir, "..");
const resultsPath = join(root, "conformance/results.json");
const documentPath = join(root, "docs/conformance.md");

/** Fails for what the list of differences does not say, or says in vain. */
function unexpected(name: RuntimeName, results: readonly Result[]): readonly string[] {
  const listed: Differences = differences[name];
  return results.flatMap(({ id, verdict, reason }) => {
    const isListed = id in listed;
    if (verdict === "fail" && !isListed) return [`${name}: ${id}: ${reason}`];
    return verdict === "pass" && isListed ? [`${name}: ${id} passes and is listed`] : [];
  });
}

function run(): readonly string[] {
  using help = helpCrun();
  if (help.done !== undefined) console.log(help.done);
  const found: Record<string, Results["runtimes"][RuntimeName]> = {};
  const offences: string[] = [];
  for (const name of runtimeNames) {
    const path = name === "ts-runc" ? buildOnce() : Bun.which(name);
    if (path === null) throw new Error(`${name} is not installed`);
    const version = Bun.spawnSync([path, "--version"]).stdout.toString().split("\n")[0] ?? "";
    const results = runSuite(path);
    const count = (wanted: string) => results.filter(({ verdict }) => verdict === wanted).length;
    console.log(
      `${version}: ${count("pass")} pass, ${count("fail")} fail, ${count("skip")} skipped`,
    );
    offences.push(...unexpected(name, results));
    found[name] = {
      version,
      verdicts: Object.fromEntries(results.map(({ id, verdict }) => [id, verdict])),
    };
  }
  const date = new Date().toISOString().slice(0, 10);
  const kernel = readFileSync("/proc/sys/kernel/osrelease", "utf8").trim();
  writeFileSync(resultsPath, `${JSON.stringify({ date, kernel, runtimes: found }, null, 1)}\n`);
  return offences;
}

const offences = process.argv.includes("--write") ? [] : run();
writeFileSync(
  documentPath,
  withTables(readFileSync(documentPath, "utf8"), readResults(resultsPath)),
);
for (const line of offences) console.error(line);
process.exitCode = offences.length === 0 ? 0 : 1;
