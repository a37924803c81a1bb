// The log as runc's callers know it: logrus lines, on stderr or in --log's file in text or JSON; not what is said in it.

import { openFlags } from "../abi/file.ts";
import { FaultError, raise } from "../base/fault.ts";
import { execute } from "../ffi/execute.ts";
import { openFile, writeAll } from "../host/files.ts";
import { call, number, outputOperand } from "../syscall/value.ts";
import { quote } from "./quote.ts";

export type Log = {
  readonly error: (message: string) => void;
  /** Only into the log: what is said on stderr besides it is for errors. */
  readonly warning: (message: string) => void;
  /** Asks for its message only with --debug: a stack, for instance, costs time to make. */
  readonly debug: (message: () => string) => void;
};

type Level = "error" | "warning" | "debug";

/** The log before its options are known, and without --log. */
export function standardErrorLog(options: { readonly debug: boolean }): Log {
  const { debug } = options;
  const write = (level: Level, message: string): void => {
    writeBestEffort(2, isTerminal(2) ? terminalLine(level, message) : textLine(level, message));
  };
  return {
    error: (message) => write("error", message),
    warning: (message) => write("warning", message),
    debug: (message) => debug && write("debug", message()),
  };
}

/**
 * Opens the log. The file is made even if nothing will be logged; errors go to it and, bare, to stderr.
 *
 * @throws FaultError `refused` for an unknown format; `syscall` when the file cannot be opened
 */
export function openLog(options: {
  readonly path: string | undefined;
  readonly format: string | undefined;
  readonly debug: boolean;
}): Log {
  const { path, debug } = options;
  // Given empty, it is as not given.
  const format = options.format === undefined || options.format === "" ? "text" : options.format;
  const { O_WRONLY, O_CREAT, O_APPEND, O_SYNC } = openFlags;
  // Open until the process ends. Opened before the format is looked at, as runc does.
  const fd =
    path === undefined
      ? undefined
      : openFile(path, {
          flags: O_WRONLY | O_CREAT | O_APPEND | O_SYNC,
          mode: 0o644,
          doing: "opening the log",
        }).fd;
  if (format !== "text" && format !== "json") {
    raise({ kind: "refused", message: `invalid log-format: ${format}` });
  }
  if (fd === undefined && format === "text") return standardErrorLog({ debug });
  const line = format === "json" ? jsonLine : textLine;
  return {
    error: (message) => {
      writeBestEffort(fd ?? 2, line("error", message));
      if (fd !== undefined) writeBestEffort(2, bareLine(message));
    },
    warning: (message) => writeBestEffort(fd ?? 2, line("warning", message)),
    debug: (message) => debug && writeBestEffort(fd ?? 2, line("debug", message())),
  };
}

function bareLine(message: string): string {
  const text = isTerminal(2) ? printable(message) : message;
  return text.endsWith("\n") ? text : `${text}\n`;
}

function textLine(level: Level, message: string): string {
  // logrus quotes what is not one plain word.
  const text = /^[\w\-./@^+]+$/.test(message) ? message : quote(message);
  return `time="${now()}" level=${level} msg=${text}\n`;
}

function jsonLine(level: Level, message: string): string {
  return `${JSON.stringify({ level, msg: message, time: now() })}\n`;
}

const colours: Readonly<Record<Level, readonly [colour: number, word: string]>> = {
  error: [31, "ERRO"],
  warning: [33, "WARN"],
  debug: [37, "DEBU"],
};

function terminalLine(level: Level, message: string): string {
  const [colour, word] = colours[level];
  // The four digits are logrus's seconds since the start, of which a command has none.
  return `${paint(colour, word)}[0000] ${printable(message).replace(/\n$/, "").padEnd(44)} \n`;
}

/** Without what a terminal would obey: a message can quote a file that somebody else has written. */
function printable(message: string): string {
  return message.replace(/(?![\n\t])\p{Cc}/gu, (control) => {
    return `\\x${control.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

/** Colours a text for the terminal, unless the person does not want that: the NO_COLOR convention, and dumb terminals. */
function paint(colour: number, text: string): string {
  const { NO_COLOR = "", TERM } = process.env;
  return NO_COLOR === "" && TERM !== "dumb" ? `\x1b[${colour}m${text}\x1b[0m` : text;
}

const hintColour = 36;

/** Says something to the person at the terminal, below an error: never in the log. */
export function printHint(text: string): void {
  writeBestEffort(2, `${paint(hintColour, "hint")}: ${text}\n`);
}

/** RFC 3339 in UTC, to the second. */
function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}

/** A log that cannot be written (file system full, reader gone) is no reason to fail at what was asked for. */
function writeBestEffort(fd: number, line: string): void {
  try {
    writeAll(fd, line, "writing to the log");
  } catch (error) {
    if (!(error instanceof FaultError)) throw error;
  }
}

const TCGETS = 0x5401;
const termiosBytes = 64;

export function isTerminal(fd: number): boolean {
  return execute(call("ioctl", number(fd), number(TCGETS), outputOperand(termiosBytes))) >= 0;
}
