// The table of docs/compatibility.md that says which test files about cgroups ran in which mode, against what a run saw;
// it runs nothing itself.

import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The columns of the table, as they are headed. */
export type CgroupMode = "host, v1" | "VM, v2" | "VM, v2 with systemd";

export type RanFile = {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
};

const heading = "## Cgroups: what ran where";

/**
 * Compares the table with the outcomes of a run in one mode. Files that the run left out are not spoken of: a run of
 * some files is no less true.
 *
 * @returns a line for each cell that says something else than the run
 */
export function matrixFaults(
  document: string,
  { mode, outcomes }: { readonly mode: CgroupMode; readonly outcomes: readonly RanFile[] },
): readonly string[] {
  const [head = [], , ...rows] = cellsBelow(document);
  const column = head.indexOf(mode);
  if (column === -1) return [`there is no column ${mode} below ${heading}`];
  return rows.flatMap((row) => {
    const file = row[0]?.replaceAll("`", "");
    const outcome = outcomes.find((ran) => ran.file === file);
    if (outcome === undefined) return [];
    const seen = wordOutcome(outcome);
    return row[column] === seen
      ? []
      : [`${mode}, ${file}: ${row[column]} stands there, ${seen} it was`];
  });
}

/** The committed document. */
export function readCompatibility(): string {
  return readFileSync(join(import.meta.dir, "../../docs/compatibility.md"), "utf8");
}

/** `none` is a file that has nothing to test in this mode; each of its tests says why when it is skipped. */
function wordOutcome({ passed, failed }: RanFile): string {
  if (failed > 0) return "fails";
  return passed > 0 ? "passes" : "none";
}

function cellsBelow(document: string): string[][] {
  const section = document.split(`\n${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
}
