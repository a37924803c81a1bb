// What a command is: its names, options and texts, and where its code is; not which commands there are (table.ts).

import type { Invocation } from "./invocation.ts";
import type { Candidates, Option } from "./options.ts";

/** A command line that a person may copy, and what it is for. */
export type Example = { readonly does: string; readonly line: string };

export type Command = {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly usage: string;
  /** What follows the options in the usage line. */
  readonly argumentsUsage: string;
  readonly description: string;
  readonly examples: readonly Example[];
  readonly options: readonly Option[];
  readonly positionals: { readonly min: number; readonly max: number };
  /** What each of the first positionals can be. */
  readonly candidates?: readonly Candidates[];
  /** What callers of runc read in front of this command's errors. */
  readonly failure?: string;
  /** Exit status of a failure of ours, where it is not 1: the caller can tell it from the program's. */
  readonly failureStatus?: number;
  /** Loads the command's file; commands that are not called are not loaded. Resolves to the function that does it. */
  readonly load: () => Promise<(invocation: Invocation) => number | Promise<number>>;
};
