// The executable's entry: argv to the command line, its answer to the exit status; nothing else.

import { runCommandLine } from "./cli/command-line.ts";

process.exit(await runCommandLine(process.argv.slice(2), process.argv0));
