// What a command gets to know when it is called; made by the door (command-line.ts) from what the parser understood.

import type { Log } from "./log.ts";
import type { OptionValues } from "./options.ts";

/** The global options as the commands need them. */
export type GlobalOptions = {
  /** Absolute, cleaned. */
  readonly root: string;
  /** Whether --root was given: a missing default root only means that there is no container yet. */
  readonly rootGiven: boolean;
  readonly cgroupManager: "cgroupfs" | "systemd" | "disabled";
  readonly rootless: "true" | "false" | "auto";
};

export type Invocation = {
  readonly globals: GlobalOptions;
  readonly values: OptionValues;
  readonly positionals: readonly string[];
  readonly log: Log;
};
