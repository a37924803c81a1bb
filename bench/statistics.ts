// Samples of one measurement, and what is said of them: median and minimum; not how they are printed.

export type Sample = {
  readonly median: number;
  readonly minimum: number;
  /** In the order in which they were taken. */
  readonly all: readonly number[];
};

/** Sums up at least one number. */
export function summarise(all: readonly number[]): Sample {
  if (all.length === 0) throw new Error("nothing was measured");
  const sorted = [...all].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [lower = 0, upper = lower] = sorted.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1);
  return { median: (lower + upper) / 2, minimum: sorted[0] ?? 0, all };
}
