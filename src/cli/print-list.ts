// The output of `list` in its three forms; not how the containers are found (container/list.ts).

import { type ContainerReport, orderReport } from "./print-state.ts";

const titles = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];
// runc's tabwriter.NewWriter(os.Stdout, 12, 1, 3, ' ', 0).
const columnMinWidth = 12;
const columnPadding = 3;

/** One id a line. */
export function listIds(reports: readonly ContainerReport[]): string {
  return reports.map(({ id }) => `${id}\n`).join("");
}

/** One line of JSON; without containers it is `null`, which is what an empty list is in Go. */
export function listJson(reports: readonly ContainerReport[]): string {
  const value = reports.length === 0 ? null : reports.map(orderReport);
  return `${JSON.stringify(value)}\n`;
}

/** A table, aligned by spaces. */
export function listTable(reports: readonly ContainerReport[]): string {
  const rows = reports.map(({ id, pid, status, bundle, created, owner }) => [
    id,
    `${pid}`,
    status,
    bundle,
    created,
    owner,
  ]);
  const lines = [titles, ...rows];
  const widths = titles.map((_, column) =>
    lines.reduce(
      (width, line) => Math.max(width, characters(line[column]) + columnPadding),
      columnMinWidth,
    ),
  );
  return lines.map((line) => `${alignLine(line, widths)}\n`).join("");
}

/** The last cell is not padded. */
function alignLine(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, column) => {
      const missing = (widths[column] ?? 0) - characters(cell);
      return column === cells.length - 1 ? cell : cell + " ".repeat(missing);
    })
    .join("");
}

/** Go counts code points, not UTF-16 units. */
function characters(text = ""): number {
  return [...text].length;
}

/** The owner by name from the text of /etc/passwd; `#UID` for a uid that has none. */
export function ownerName(owner: string, passwd: string): string {
  if (!/^\d+$/.test(owner)) return owner;
  for (const line of passwd.split("\n")) {
    const [name, , uid] = line.split(":");
    if (uid === owner && name !== undefined && name !== "") return name;
  }
  return `#${owner}`;
}
