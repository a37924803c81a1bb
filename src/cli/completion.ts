// ts-runc completion: prints the script by which a shell asks us what can follow the words typed (complete.ts).

import { raise } from "../base/fault.ts";
import bash from "./completions/ts-runc.bash" with { type: "text" };
import fish from "./completions/ts-runc.fish" with { type: "text" };
import zsh from "./completions/ts-runc.zsh" with { type: "text" };
import type { Invocation } from "./invocation.ts";
import { print } from "./output.ts";
import { quote } from "./quote.ts";

const scripts: ReadonlyMap<string, string> = new Map([
  ["bash", bash],
  ["zsh", zsh],
  ["fish", fish],
]);

export function completion({ positionals }: Invocation): number {
  const [shell = ""] = positionals;
  const script = scripts.get(shell);
  if (script === undefined) {
    raise({
      kind: "refused",
      message: `no completion for ${quote(shell)}: want bash, zsh or fish`,
    });
  }
  print(script);
  return 0;
}
