// The adapters as a program: runs a suite that others maintain against a runtime and prints a table.
//
//   conformance/adapters/run [OPTION]... NAME CHECKOUT [RUNTIME]
//
// Exit status: 0 when nothing has failed, 1 when something has, 2 when the suite could not be run.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { crunTests } from "./crun-tests.ts";
import { ociRuntimeTool } from "./oci-runtime-tool.ts";
import { runcBats } from "./runc-bats.ts";
import { runtimeTools } from "./runtime-tools.ts";
import { type Adapter, hasFailed, type Room, runPrograms, summaryTable } from "./suite.ts";
import { youkiContest } from "./youki-contest.ts";

const adapters: Readonly<Record<string, Adapter>> = {
  "runtime-tools": runtimeTools,
  "oci-runtime-tool": ociRuntimeTool,
  "runc-bats": runcBats,
  "crun-tests": crunTests,
  "youki-contest": youkiContest,
};

const options = {
  only: { type: "string", multiple: true },
  skip: { type: "string", multiple: true },
  test: { type: "string" },
  timeout: { type: "string" },
  output: { type: "string" },
  list: { type: "boolean" },
  help: { type: "boolean" },
} as const;

const usage = `usage: conformance/adapters/run [OPTION]... NAME CHECKOUT [RUNTIME]

${Object.entries(adapters)
  .map(([name, { says }]) => `  ${name.padEnd(18)}${says}`)
  .join("\n")}

  --only TEXT        only programs with this in their name; may be repeated
  --skip TEXT        no programs with this in their name; may be repeated
  --test TEXT        only these tests of each program, as the suite itself chooses them
  --timeout SECONDS  for each program
  --output DIR       keep the output of each program, and results.json, in this directory
  --list             say which programs there are, and run none
  --help             say this

RUNTIME is a path or a name in PATH; without it, dist/ts-runc.`;

/** What a person has to mend: said without a trace. */
class Refusal extends Error {}

async function main(argv: readonly string[]): Promise<number> {
  try {
    return await runSuite(argv);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    console.error(error.message);
    return 2;
  }
}

async function runSuite(argv: readonly string[]): Promise<number> {
  if (argv.includes("--help")) {
    console.log(usage);
    return 0;
  }
  const { values, name, adapter, checkout, runtime } = readCommandLine(argv);
  const scratch = mkdtempSync(join(tmpdir(), "adapter-"));
  // A container's root in a user namespace has to get through to its rootfs.
  chmodSync(scratch, 0o711);
  const temporary = join(scratch, "tmp");
  mkdirSync(temporary);
  chmodSync(temporary, 0o1777);
  process.env["TMPDIR"] = temporary;
  try {
    const room: Room = { checkout, scratch, runtime, test: values.test };
    const lacks = adapter.lacks(room);
    if (lacks.length > 0) throw new Refusal(lacks.map((text) => `${name}: ${text}`).join("\n"));
    const programs = adapter.programs(room).filter(({ name: program }) => {
      const only = values.only ?? [];
      if (values.skip?.some((text) => program.includes(text))) return false;
      return only.length === 0 || only.some((text) => program.includes(text));
    });
    if (values.list) {
      for (const program of programs) console.log(program.name);
      return 0;
    }
    const output = values.output === undefined ? undefined : resolve(values.output);
    if (output !== undefined) mkdirSync(output, { recursive: true });
    const tell = (line: string) => console.log(line);
    const timeoutSeconds = readTimeout(values.timeout) ?? adapter.timeoutSeconds;
    const outcomes = await runPrograms(adapter, programs, { room, timeoutSeconds, tell, output });
    if (output !== undefined) {
      const results = { suite: name, runtime: versionOf(runtime), outcomes };
      writeFileSync(join(output, "results.json"), `${JSON.stringify(results, undefined, 2)}\n`);
    }
    tell(`\n${name}, ${runtime} (${versionOf(runtime)})\n`);
    for (const line of summaryTable(outcomes)) tell(line);
    return outcomes.length === 0 || outcomes.some(hasFailed) ? 1 : 0;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function readCommandLine(argv: readonly string[]) {
  const parsed = (() => {
    try {
      return parseArgs({ args: [...argv], options, allowPositionals: true });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Refusal(`${why}\n\n${usage}`);
    }
  })();
  const { values, positionals } = parsed;
  const [name, checkout, runtime = join(import.meta.dir, "../../dist/ts-runc")] = positionals;
  if (name === undefined || checkout === undefined || positionals.length > 3)
    throw new Refusal(usage);
  const adapter = adapters[name];
  if (adapter === undefined) throw new Refusal(`there is no adapter ${name}\n\n${usage}`);
  if (values.test !== undefined && !adapter.choosesTests) {
    throw new Refusal(
      `${name}: this suite cannot choose tests within its programs (--only can choose these)`,
    );
  }
  readTimeout(values.timeout);
  if (process.getuid?.() !== 0) throw new Refusal(`${name}: containers are made by root here`);
  const path = runtime.includes("/") ? resolve(runtime) : Bun.which(runtime);
  if (path === null) throw new Refusal(`${name}: no ${runtime} in PATH`);
  if (Bun.which(path) === null) throw new Refusal(`${name}: ${path} cannot be executed`);
  return { values, name, adapter, checkout: resolve(checkout), runtime: path };
}

function readTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 86_400))
    throw new Refusal(`--timeout ${text}: not a number of seconds`);
  return seconds;
}

function versionOf(runtime: string): string {
  const { stdout } = Bun.spawnSync([runtime, "--version"], { stdin: "ignore", timeout: 60_000 });
  return stdout.toString().split("\n")[0] ?? "";
}

process.exitCode = await main(process.argv.slice(2));
