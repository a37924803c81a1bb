// What a demand of the specification is in this suite: where it stands, how strong it is, our own words for it; no test.

export type Document =
  | "config.md"
  | "config-linux.md"
  | "runtime.md"
  | "runtime-linux.md"
  | "features.md"
  | "features-linux.md";

/**
 * The keyword of the specification. `APPLY` is for what stands there without one: runtime.md demands of `create` that it applies
 * every property or fails, and so what a property means is a MUST as well.
 */
export type Level = "MUST" | "MUST NOT" | "REQUIRED" | "APPLY" | "SHOULD" | "SHOULD NOT";

export type Demand = {
  /** Unique; the test has the same. */
  readonly id: string;
  readonly document: Document;
  readonly section: string;
  readonly level: Level;
  /** Our paraphrase. */
  readonly says: string;
  /** Why there is no test; undefined where there is one. */
  readonly untested: string | undefined;
};

/** One line: id, level, paraphrase, and the reason when there is no test. */
export type Line = readonly [id: string, level: Level, says: string, untested?: string];

/** The demands of one document, by section. */
export function demandsOf(
  document: Document,
  sections: Readonly<Record<string, readonly Line[]>>,
): readonly Demand[] {
  return Object.entries(sections).flatMap(([section, lines]) =>
    lines.map(([id, level, says, untested]) => ({
      id,
      document,
      section,
      level,
      says,
      untested,
    })),
  );
}

/** Whether a runtime that does not do it breaks the specification. */
export function isBinding({ level }: Demand): boolean {
  return !level.startsWith("SHOULD");
}

/** The title of a demand's test. */
export function titleOf({ document, section, level, says }: Demand): string {
  return `${document}, ${section}: ${level}: ${says}`;
}
