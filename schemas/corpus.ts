// Documents to try schemas on, made from a seed: valid ones, and each of them with one thing changed; not their verdicts.

import { isSchemaDocument, type SchemaDocument } from "./read-schemas.ts";

/** A document of the corpus and how it came about. */
export type CorpusDocument = {
  /** The schema's file. */
  readonly schema: string;
  /** The valid document that it was made from. */
  readonly base: string;
  /** Where the base was changed, and how; "" and "valid" when it was not. */
  readonly pointer: string;
  readonly mutation: string;
  readonly value: unknown;
};

export const seed = 20251104;

/** Per schema: how many documents with every property, how many with some, and how many mutations of each of those. */
const plan = [
  { schema: "config-schema.json", full: 3, sparse: 50, mutations: 25 },
  { schema: "features-schema.json", full: 3, sparse: 10, mutations: 10 },
  { schema: "state-schema.json", full: 3, sparse: 10, mutations: 10 },
] as const;

/** A schema and the file that its references start from. */
type Node = { readonly schema: SchemaDocument; readonly file: string };
type Path = readonly (string | number)[];
type Site = { readonly path: Path; readonly node: Node };
type Mutation = { readonly path: Path; readonly name: string; readonly value: unknown };
type Random = () => number;

/** What is put in the place of a value to delete it. */
const missing = Symbol("missing");

/** Makes the corpus that `schemas` describe: always the same for the same schemas. */
export function* makeCorpus(
  schemas: ReadonlyMap<string, SchemaDocument>,
): Generator<CorpusDocument> {
  for (const { schema, full, sparse, mutations } of plan) {
    for (let count = 0; count < full + sparse; count += 1) {
      const isFull = count < full;
      const base = isFull ? `full-${count}` : `sparse-${count - full}`;
      const random = mulberry32(seed + count);
      const maker = new DocumentMaker({ schemas, random, share: isFull ? 1 : 0.35 });
      const value = maker.make(maker.resolve(`${schema}#`, schema), []);
      yield { schema, base, pointer: "", mutation: "valid", value };
      const all = maker.sites.flatMap((site) => [...mutate(maker, { site, value, random })]);
      const chosen = isFull ? all : sample(all, { size: mutations, random });
      for (const { path, name, value: replacement } of chosen) {
        const pointer = path.map((part) => `/${String(part)}`).join("");
        const changed = replaceAt(value, { path, replacement });
        yield {
          schema,
          base,
          pointer: JSON.stringify(pointer).slice(1, -1),
          mutation: name,
          value: changed,
        };
      }
    }
  }
}

/** Makes one valid document and remembers which part of the schema each of its values comes from. */
class DocumentMaker {
  readonly sites: Site[] = [];
  readonly #schemas: ReadonlyMap<string, SchemaDocument>;
  readonly #random: Random;
  /** Chance of an optional property to be there. */
  readonly #share: number;

  constructor(options: {
    readonly schemas: ReadonlyMap<string, SchemaDocument>;
    readonly random: Random;
    readonly share: number;
  }) {
    this.#schemas = options.schemas;
    this.#random = options.random;
    this.#share = options.share;
  }

  /** The schema at a reference that stands in `file`, with references and allOf followed to the end. */
  resolve(reference: string, file: string): Node {
    const [target = "", pointer = ""] = reference.split("#");
    const name = target === "" ? file : target;
    let schema: unknown = this.#schemas.get(name);
    for (const part of pointer.split("/").filter((each) => each !== "")) {
      schema = asSchema(schema)[part];
    }
    return this.flatten({ schema: asSchema(schema), file: name });
  }

  flatten({ schema, file }: Node): Node {
    if (typeof schema["$ref"] === "string") return this.resolve(schema["$ref"], file);
    const [only] = asList(schema["anyOf"]);
    if (only !== undefined) return this.flatten({ schema: asSchema(only), file });
    const parts = asList(schema["allOf"]).map((part) =>
      this.flatten({ schema: asSchema(part), file }),
    );
    if (parts.length === 0) return { schema, file };
    const properties = parts.map((part) => asSchema(part.schema["properties"] ?? {}));
    const required = parts.flatMap((part) => asList(part.schema["required"]));
    return {
      schema: { type: "object", required, properties: Object.assign({}, ...properties) },
      file,
    };
  }

  make(node: Node, path: Path): unknown {
    this.sites.push({ path, node });
    switch (node.schema["type"]) {
      case "object":
        return this.#makeObject(node, path);
      case "array":
        return this.#makeArray(node, path);
      case "string":
        return pick(goodStrings(node.schema), this.#random);
      case "integer":
        return pick(goodIntegers(node.schema, this.#random), this.#random);
      case "boolean":
        return this.#random() < 0.5;
      default:
        throw new Error(`no documents for ${JSON.stringify(node.schema)}`);
    }
  }

  #makeObject({ schema, file }: Node, path: Path): unknown {
    const required = asList(schema["required"]);
    const object: Record<string, unknown> = {};
    const add = (key: string, member: unknown): void => {
      object[key] = this.make(this.flatten({ schema: asSchema(member), file }), [...path, key]);
    };
    for (const [key, member] of Object.entries(asSchema(schema["properties"] ?? {}))) {
      if (required.includes(key) || this.#random() < this.#share) add(key, member);
    }
    const [members] = Object.values(asSchema(schema["patternProperties"] ?? {}));
    const free = members ?? schema["additionalProperties"];
    if (free !== undefined && typeof free === "object") {
      for (const key of ["first", "second key"]) if (this.#random() < this.#share) add(key, free);
    }
    return object;
  }

  #makeArray({ schema, file }: Node, path: Path): unknown {
    const smallest = Number(schema["minItems"] ?? 0);
    const size = this.#share === 1 ? 2 : Math.max(smallest, Math.floor(this.#random() * 3));
    const items = this.flatten({ schema: asSchema(schema["items"]), file });
    return Array.from({ length: size }, (_, index) => this.make(items, [...path, index]));
  }
}

/** Everything that one value of a document can be changed to, one at a time. */
function* mutate(
  maker: DocumentMaker,
  options: { readonly site: Site; readonly value: unknown; readonly random: Random },
): Generator<Mutation> {
  const { site, random } = options;
  const { path } = site;
  const { schema } = maker.flatten(site.node);
  const type = String(schema["type"]);
  const others = Object.entries(samplesOfTypes).filter(([name]) => name !== type);
  for (const [name, value] of sample(others, { size: 2, random })) {
    yield { path, name: `type ${name}`, value };
  }
  if (type === "string") yield* mutateString(path, schema);
  if (type === "integer") yield* mutateInteger(path, schema);
  if (type === "array" && schema["minItems"] !== undefined) {
    yield { path, name: "too few", value: [] };
  }
  if (type === "object") {
    for (const key of asList(schema["required"])) {
      yield { path: [...path, String(key)], name: "missing", value: missing };
    }
    yield { path: [...path, "x-unknown"], name: "unknown", value: { deep: [null] } };
    if (schema["patternProperties"] ?? schema["additionalProperties"]) {
      for (const key of ["", "\n", "__proto__", "ключ"]) {
        yield { path: [...path, key], name: "odd key", value: 5 };
      }
    }
  }
}

function* mutateString(path: Path, schema: SchemaDocument): Generator<Mutation> {
  if (schema["pattern"] !== undefined) {
    const pattern = new RegExp(String(schema["pattern"]), "u");
    const bad = strings.filter((text) => !pattern.test(text));
    for (const value of bad.slice(0, 6)) yield { path, name: `pattern ${value.trim()}`, value };
  }
  const [first] = asList(schema["enum"]);
  if (first === undefined) return;
  for (const value of ["", `${String(first)} `, String(first).toLowerCase(), "SOMETHING_ELSE"]) {
    if (!asList(schema["enum"]).includes(value))
      yield { path, name: `enum ${value.trim()}`, value };
  }
}

function* mutateInteger(path: Path, schema: SchemaDocument): Generator<Mutation> {
  yield { path, name: "fraction", value: 1.5 };
  yield { path, name: "huge", value: 1e300 };
  const { minimum, maximum } = schema;
  // Doubles near the 64-bit bounds are far apart, so the next one is found by a factor.
  if (typeof minimum === "number") {
    yield { path, name: "lowest", value: minimum };
    yield { path, name: "below", value: Math.min(minimum - 1, minimum * (1 + Number.EPSILON)) };
  }
  if (typeof maximum === "number") {
    yield { path, name: "highest", value: maximum };
    yield { path, name: "above", value: Math.max(maximum + 1, maximum * (1 + Number.EPSILON)) };
  }
}

const samplesOfTypes: Readonly<Record<string, unknown>> = {
  null: null,
  boolean: true,
  integer: 7,
  number: 0.5,
  string: "text",
  array: [],
  object: {},
};

/** Strings that fit or nearly fit the patterns of the schemas. */
const strings = [
  "",
  "cc",
  "2mb",
  "0MB",
  "RLIMIT_nofile",
  "MB:0=1\n",
  "CAP_kill",
  "0..3",
  "x",
  "c",
  "b",
  "u",
  "p",
  "2MB",
  "64KB",
  "1GB",
  "RLIMIT_NOFILE",
  "RLIMIT_CPU",
  "MB:0=70;1=20",
  "0-3, 7",
  "CAP_SYS_ADMIN",
  "CAP_KILL",
];

function goodStrings(schema: SchemaDocument): readonly string[] {
  const allowed = asList(schema["enum"]).map(String);
  if (allowed.length > 0) return allowed;
  if (schema["pattern"] === undefined) return ["", "text", "/some/path", "зелёный\u0000😀"];
  const pattern = new RegExp(String(schema["pattern"]), "u");
  return strings.filter((text) => pattern.test(text));
}

function goodIntegers(schema: SchemaDocument, random: Random): readonly number[] {
  const lowest = Number(schema["minimum"] ?? -1e6);
  const highest = Number(schema["maximum"] ?? 1e6);
  return [lowest, highest, Math.floor(lowest + random() * (highest - lowest))];
}

/** A copy of a document with one value replaced, added or deleted. */
function replaceAt(
  value: unknown,
  { path, replacement }: { readonly path: Path; readonly replacement: unknown },
): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return replacement;
  const step = { path: rest, replacement };
  if (Array.isArray(value)) {
    return value.map((item, index) => (index === key ? replaceAt(item, step) : item));
  }
  const members = new Map(Object.entries(asSchema(value)));
  const changed = replaceAt(members.get(String(key)), step);
  if (changed === missing) members.delete(String(key));
  else members.set(String(key), changed);
  return Object.fromEntries(members);
}

function asSchema(value: unknown): SchemaDocument {
  if (!isSchemaDocument(value)) throw new Error("an object is missing");
  return value;
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function pick<Entry>(list: readonly Entry[], random: Random): Entry | undefined {
  return list[Math.floor(random() * list.length)];
}

/** Some entries of a list, in the list's order. */
function sample<Entry>(
  list: readonly Entry[],
  { size, random }: { readonly size: number; readonly random: Random },
): readonly Entry[] {
  const drawn = list.map((entry, index) => ({ entry, index, lot: random() }));
  drawn.sort((a, b) => a.lot - b.lot);
  const kept = drawn.slice(0, size).sort((a, b) => a.index - b.index);
  return kept.map(({ entry }) => entry);
}

/** A small seeded generator of numbers from 0 to 1 (Tommy Ettinger's mulberry32, public domain). */
function mulberry32(start: number): Random {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
