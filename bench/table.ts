// The figures as a table in Markdown, one line for each thing that was measured, with ratios of the medians.

import type { Row } from "./comparison.ts";

/** What the design demands, where it demands anything: at most this ratio of medians. */
const bars: Readonly<Record<string, { readonly crun: number; readonly runc?: number }>> = {
  run: { crun: 1, runc: 0.4 },
  create: { crun: 1, runc: 0.6 },
  exec: { crun: 1, runc: 0.6 },
  "exec --tty": { crun: 1, runc: 0.6 },
  "exec --detach": { crun: 1, runc: 0.6 },
  "PSS of init in created": { crun: 0.5 },
};

const titles = ["", "ts-runc", "runc", "crun", "ts-runc / runc", "ts-runc / crun", "bar"];

/** Prints median and, in brackets, minimum. */
export function printTable(rows: readonly Row[]): string {
  const subjects = [...new Set(rows.map(({ what }) => what))];
  const lines = subjects.map((what) => lineOf(what, rows));
  const all = [titles, titles.map((_, index) => (index === 0 ? "---" : "---:")), ...lines];
  return all.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

function lineOf(what: string, rows: readonly Row[]): readonly string[] {
  const find = (who: string): Row | undefined =>
    rows.find((row) => row.what === what && row.who === who);
  const [ours, runc, crun] = [find("ts-runc"), find("runc"), find("crun")];
  const empty = find("empty");
  if (empty !== undefined) return [`empty Bun program: ${what}`, print(empty), "", "", "", "", ""];
  return [
    what,
    print(ours),
    print(runc),
    print(crun),
    ratio(ours, runc),
    ratio(ours, crun),
    printBar(what, ours, { runc, crun }),
  ];
}

function print(row: Row | undefined): string {
  if (row === undefined) return "";
  const { median, minimum } = row.sample;
  switch (row.unit) {
    case "ms":
      return `${median.toFixed(1)} ms (${minimum.toFixed(1)})`;
    case "KiB":
      return median < 1024 ? `${median.toFixed(0)} KiB` : `${(median / 1024).toFixed(1)} MiB`;
    case "bytes":
      return `${(median / 1e6).toFixed(1)} MB`;
  }
}

function ratio(ours: Row | undefined, theirs: Row | undefined): string {
  const value = quotient(ours, theirs);
  return value === undefined ? "" : value.toFixed(2);
}

function quotient(ours: Row | undefined, theirs: Row | undefined): number | undefined {
  return ours === undefined || theirs === undefined
    ? undefined
    : ours.sample.median / theirs.sample.median;
}

function printBar(
  what: string,
  ours: Row | undefined,
  peers: { readonly runc: Row | undefined; readonly crun: Row | undefined },
): string {
  const bar = bars[what];
  if (bar === undefined) return "";
  return (["runc", "crun"] as const)
    .flatMap((name) => {
      const [limit, value] = [bar[name], quotient(ours, peers[name])];
      if (limit === undefined || value === undefined) return [];
      return [`${name} ${limit.toFixed(1)}: ${value <= limit ? "met" : "missed"}`];
    })
    .join(", ");
}
