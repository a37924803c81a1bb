// The table of docs/compatibility.md that says which test files about cgroups ran in which mode: compared with what a run saw, and
// written by one; it runs nothing itself.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The columns of the table, as they are headed. */
export type CgroupMode =
  | "host, v1"
  | "VM, v2"
  | "VM, v2, newer kernel"
  | "VM, v2 with systemd"
  | "VM, v1 with systemd";

/** The columns of the machines of test/vm, by their kind. */
export const machineColumns = {
  v2: "VM, v2",
  "v2-newer": "VM, v2, newer kernel",
  systemd: "VM, v2 with systemd",
  "systemd-v1": "VM, v1 with systemd",
} as const satisfies Readonly<Record<string, CgroupMode>>;

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

/**
 * Puts the outcomes of a run in one mode into the table. Rows of files that it left out stay as they are.
 *
 * @returns the whole document
 */
export function fillMatrix(
  document: string,
  { mode, outcomes }: { readonly mode: CgroupMode; readonly outcomes: readonly RanFile[] },
): string {
  const [head = []] = cellsBelow(document);
  const column = head.indexOf(mode);
  const [before = "", behind = ""] = document.split(`\n${heading}\n`);
  const [section = "", ...others] = behind.split("\n## ");
  const filled = section.split("\n").map((line) => {
    const cells = splitRow(line);
    const outcome = outcomes.find(({ file }) => `\`${file}\`` === cells[0]);
    if (outcome === undefined || column === -1) return line;
    const row = cells.map((cell, index) => (index === column ? wordOutcome(outcome) : cell));
    return `| ${row.join(" | ")} |`;
  });
  return [before, [filled.join("\n"), ...others].join("\n## ")].join(`\n${heading}\n`);
}

const path = join(import.meta.dir, "../../docs/compatibility.md");

/** The committed document. */
export function readCompatibility(): string {
  return readFileSync(path, "utf8");
}

/** Puts what a run has seen into the committed document. */
export function writeMatrix(ran: Parameters<typeof fillMatrix>[1]): void {
  writeFileSync(path, fillMatrix(readCompatibility(), ran));
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
    .map(splitRow);
}

function splitRow(line: string): string[] {
  return line
    .slice(1, -1)
    .split("|")
    .map((cell) => cell.trim());
}
