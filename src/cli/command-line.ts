// The door: from the arguments to the exit status, with every failure worded and logged here and nowhere else.

import { debug, listenToDebug } from "../base/debug.ts";
import { during, FaultError, raise } from "../base/fault.ts";
import { wordFaultError } from "../base/word-fault.ts";
import type { Trouble } from "./hint.ts";
import type { GlobalOptions } from "./invocation.ts";
import { isTerminal, type Log, openLog, printHint, standardErrorLog } from "./log.ts";
import { flag, type OptionValues, text } from "./options.ts";
import { type CommandLine, parseCommandLine, readBoolean } from "./parse.ts";
import { findRoot } from "./root.ts";

/** What the shells' scripts call us with; the words typed follow. */
const completionRequest = "__complete";
const failed = 1;
/** What urfave/cli exits with when there is no such command. */
const unknownCommand = 3;

/**
 * Does what the arguments say. `program` is the name that we were called by.
 *
 * @returns the exit status; failures have been logged
 */
export async function runCommandLine(argv: readonly string[], program: string): Promise<number> {
  let log = standardErrorLog({ debug: false });
  let failureStatus = failed;
  let known: Omit<Trouble, "message"> = { argv };
  try {
    if (argv[0] === completionRequest) {
      return (await import("./complete.ts")).complete(argv.slice(1));
    }
    const line = parseCommandLine(argv, program);
    if (line.kind === "version") return (await import("./version.ts")).printVersion();
    if (line.kind === "help" || line.kind === "mistake") {
      // As with runc, what is wrong with the global options or only asks for the program's help needs no log.
      if (line.command !== undefined) log = openLogOf(line.globals);
      return await explain(line, { log, argv });
    }
    log = openLogOf(line.globals);
    if (flag(line.globals, "debug")) listenToDebug((message) => log.debug(() => message));
    const globals = readGlobals(line.globals);
    if (line.kind === "unknown") {
      await report(log, { ...known, message: `No help topic for '${line.name}'\n` });
      return unknownCommand;
    }
    const { command, values, positionals } = line;
    failureStatus = command.failureStatus ?? failed;
    known = { argv, command, root: globals.root };
    debug(() => `ts-runc ${command.name}, state root ${globals.root}`);
    const call = await command.load();
    const invocation = { globals, values, positionals, log };
    return await withFailure(command.failure, () => call(invocation));
  } catch (error) {
    log.debug(() => (error instanceof Error ? (error.stack ?? error.message) : String(error)));
    await report(log, { ...known, message: wordFailure(error) });
    return failureStatus;
  }
}

/** Logs an error. A person at the terminal gets a hint below it, which is nowhere else: callers read the last line. */
async function report(log: Log, trouble: Trouble): Promise<void> {
  log.error(trouble.message);
  if (!isTerminal(2)) return;
  const hint = (await import("./hint.ts")).findHint(trouble);
  if (hint !== undefined) printHint(hint);
}

/** Puts the command's own words in front of a fault, whether the command is synchronous or not. */
async function withFailure(
  failure: string | undefined,
  action: () => number | Promise<number>,
): Promise<number> {
  if (failure === undefined) return await action();
  const answer = during(failure, action);
  if (typeof answer === "number") return answer;
  return await answer.catch((error: unknown) => {
    throw error instanceof FaultError ? error.within(failure) : error;
  });
}

async function explain(
  line: CommandLine & { readonly kind: "help" | "mistake" },
  { log, argv }: { readonly log: Log; readonly argv: readonly string[] },
): Promise<number> {
  const { printHelp } = await import("./help.ts");
  if (line.kind === "help") {
    await printHelp({ command: line.command, headline: undefined });
    return 0;
  }
  await printHelp({ command: line.command, headline: line.headline });
  await report(log, { argv, command: line.command, message: line.message });
  return failed;
}

function openLogOf(values: OptionValues): Log {
  const format = values.get("log-format");
  return openLog({
    path: text(values, "log"),
    format: typeof format === "string" ? format : undefined,
    debug: flag(values, "debug"),
  });
}

function readGlobals(values: OptionValues): GlobalOptions {
  const root = values.get("root");
  const given = typeof root === "string" ? root : undefined;
  return {
    root: findRoot(given),
    rootGiven: given !== undefined,
    cgroupManager: readCgroupManager(values),
    rootless: readRootless(text(values, "rootless") ?? "auto"),
  };
}

/** `--systemd-cgroup` is runc's way to say it, `--cgroup-manager` crun's. */
function readCgroupManager(values: OptionValues): GlobalOptions["cgroupManager"] {
  if (flag(values, "systemd-cgroup")) return "systemd";
  const given = text(values, "cgroup-manager") ?? "cgroupfs";
  if (given === "cgroupfs" || given === "systemd" || given === "disabled") return given;
  return raise({
    kind: "refused",
    message: `invalid --cgroup-manager ${given}: want cgroupfs, systemd or disabled`,
  });
}

function readRootless(given: string): "true" | "false" | "auto" {
  if (given.toLowerCase() === "auto") return "auto";
  const value = readBoolean(given);
  if (value === undefined) {
    raise({ kind: "refused", message: `invalid --rootless ${given}: want true, false or auto` });
  }
  return value ? "true" : "false";
}

function wordFailure(error: unknown): string {
  if (error instanceof FaultError) return wordFaultError(error);
  return error instanceof Error ? error.message : String(error);
}
