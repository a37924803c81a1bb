// Good and bad documents of each kind, as the published schemas' examples are, and whether validators tell them apart.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { SchemaError } from "../../build/validators.js";
import { refusals } from "./refusals.ts";

/** A validator as schemas/compile.ts makes them. */
type Validator = {
  (data: unknown): boolean;
  readonly errors?: readonly SchemaError[] | null | undefined;
};

/** Those of build/validators.js, or others with their names. */
export type Validators = {
  readonly isConfig: Validator;
  readonly isState: Validator;
  readonly isFeatures: Validator;
};

export type Verdict = {
  readonly title: string;
  /** What is wrong with the verdict, if anything. */
  readonly unmet: string | undefined;
};

/** The kinds of documents; each has a folder here with the folders `good` and `bad`. */
const kinds = { config: "isConfig", features: "isFeatures", state: "isState" } as const;

/** Asks the validators about every document. */
export function judgeDocuments(validators: Validators): readonly Verdict[] {
  return Object.entries(kinds).flatMap(([kind, validator]) => {
    const judge = (value: unknown) => placesOf(validators[validator], value);
    const good = documentsIn(kind, "good").map(({ name, value }) => {
      const places = judge(value);
      const unmet = places === undefined ? undefined : `it is refused at ${places.join(" and ")}`;
      return { title: `${kind}/good/${name} is accepted`, unmet };
    });
    const bad = documentsIn(kind, "bad").map(({ name, value }) => {
      const wanted =
        refusals[`${kind}/${name}`]?.map(shown).join(" and ") ?? "a place that is not listed";
      const found = judge(value)?.join(" and ");
      const title = `${kind}/bad/${name} is refused at ${wanted}`;
      if (found === undefined) return { title, unmet: "it is accepted" };
      return { title, unmet: found === wanted ? undefined : `it is refused at ${found}` };
    });
    return [...good, ...bad];
  });
}

/** The documents of a folder; `compile.test.ts` and its like are not among them. */
export function documentsIn(
  kind: string,
  quality: "good" | "bad",
): readonly { readonly name: string; readonly value: unknown }[] {
  const folder = join(import.meta.dir, kind, quality);
  return readdirSync(folder)
    .sort()
    .map((file) => ({
      name: file.replace(/\.json$/, ""),
      value: JSON.parse(readFileSync(join(folder, file), "utf8")),
    }));
}

/** The places at which a validator refuses a value, or undefined when it does not. */
function placesOf(validate: Validator, value: unknown): readonly string[] | undefined {
  if (validate(value)) return undefined;
  const places = (validate.errors ?? []).map(({ instancePath, params }) => {
    const lacking = params["missingProperty"];
    return typeof lacking === "string" ? `${instancePath}/${lacking}` : instancePath;
  });
  return [...new Set(places)].sort().map(shown);
}

function shown(pointer: string): string {
  return pointer === "" ? "the whole" : pointer;
}
