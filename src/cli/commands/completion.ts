// The entry of `completion` in the table of commands: what the parser and the help texts know of it.

import type { Command } from "../command.ts";
import { one } from "./arguments.ts";

export const completionCommand = (): Command => ({
  name: "completion",
  usage: "print a completion script for a shell",
  argumentsUsage: "bash | zsh | fish",
  description: `The script completes commands, options and their values, the ids of containers in a
status that the command takes, and signals. A shell has to read it when it starts.`,
  examples: [
    { does: "complete in this bash or zsh", line: "source <(ts-runc completion bash)" },
    {
      does: "in every bash to come",
      line: "ts-runc completion bash > /etc/bash_completion.d/ts-runc",
    },
    {
      does: "in every zsh to come; the directory has to be in its $fpath",
      line: "ts-runc completion zsh > /usr/local/share/zsh/site-functions/_ts-runc",
    },
    {
      does: "in every fish to come",
      line: "ts-runc completion fish > ~/.config/fish/completions/ts-runc.fish",
    },
  ],
  options: [],
  positionals: one,
  candidates: [["bash", "zsh", "fish"]],
  load: async () => (await import("../completion.ts")).completion,
});
