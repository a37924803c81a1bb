// crun's `copy-symlink`: where the source of a bind is a symbolic link, its destination becomes one, too, and nothing is mounted.

import { raise } from "../../base/fault.ts";
import { pathNames } from "../../base/path.ts";
import { rarelyInStages, type Stages, type Step, step } from "../../program/step.ts";
import { close, readlinkat, symlinkat } from "../../syscall/files.ts";
import { slot } from "../../syscall/value.ts";
import { openTarget } from "../root-paths.ts";

const targetMaxBytes = 4096;

/** Steps that make a symbolic link to `target` at the destination, unless it is there already. Run by init. */
export function copyLinkSteps(link: {
  readonly doing: string;
  readonly name: string;
  readonly destination: string;
  readonly target: string;
}): Step[] {
  const { doing, name, destination, target } = link;
  const names = pathNames(destination);
  const last = names.pop() ?? "";
  const parent = `${name}.parent`;
  return [
    openTarget(doing, `/${names.join("/")}`, { slot: parent, kind: "directory" }),
    step(doing, symlinkat(target, slot(parent), last), {
      recovery: rarelyInStages("EEXIST", "skip", () => compare(link, { parent, last })),
    }),
    step(doing, close(slot(parent))),
  ];
}

/** What is there has to be the very link. */
function* compare(
  link: Parameters<typeof copyLinkSteps>[0],
  { parent, last }: { readonly parent: string; readonly last: string },
): Stages {
  const { doing, destination, target } = link;
  const found = yield [
    step(doing, readlinkat(slot(parent), last, targetMaxBytes), { slot: "copied-link" }),
  ];
  const lengthBytes = found.results.get("copied-link") ?? 0;
  const there = new TextDecoder().decode(
    found.outputs.get("copied-link")?.subarray(0, lengthBytes),
  );
  if (there === target) return;
  raise({
    kind: "refused",
    message: `${doing}: ${destination} is a symbolic link to ${JSON.stringify(there)} and not to ${JSON.stringify(target)}`,
  });
}
