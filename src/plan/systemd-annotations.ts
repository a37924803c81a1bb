// Reads the annotations `org.systemd.property.NAME` into properties of the unit; their values are GVariant's text format.

import { raise } from "../base/fault.ts";
import { ownMember } from "../base/own-member.ts";
import type { UnitProperty, UnitValue } from "./systemd-unit.ts";

const prefix = "org.systemd.property.";

/**
 * Collects the properties. `NAMESec` with a number becomes `NAMEUSec`, as systemd has it on the bus.
 *
 * @throws `refused` in runc's words
 */
export function planAskedProperties(
  annotations: Readonly<Record<string, string>>,
): readonly UnitProperty[] {
  return Object.entries(annotations)
    .map(([key, text]) => {
      const name = key.startsWith(prefix) ? key.slice(prefix.length) : "";
      if (name === "") return [];
      const fault = name.length < 3 ? "too short" : /^[A-Za-z]+$/.test(name) ? undefined : mixed;
      if (fault !== undefined) {
        raise({ kind: "refused", message: `annotation ${key} name incorrect: ${fault}` });
      }
      const refuse = (reason: string): never =>
        raise({
          kind: "refused",
          message: `annotation ${key}=${text} value parse error: ${reason}`,
        });
      const parsed = parseVariant(text, refuse);
      return [{ name, ...parsed }].map((property) =>
        /[a-z]Sec$/.test(name) ? inMicroseconds(property, refuse) : property,
      );
    })
    .flat();
}

const mixed = "contains non-alphabetic character";

type Parsed = { readonly signature: string; readonly value: UnitValue };
type Refuse = (reason: string) => never;

function inMicroseconds({ name, value }: UnitProperty, refuse: Refuse): UnitProperty {
  const seconds = typeof value === "number" || typeof value === "bigint" ? value : undefined;
  if (seconds === undefined) return refuse("not a number");
  const micros =
    typeof seconds === "bigint" ? seconds * 1_000_000n : BigInt(Math.trunc(seconds * 1_000_000));
  if (micros < 0n || micros >= 2n ** 64n) return refuse("value out of range");
  return { name: name.replace(/Sec$/, "USec"), signature: "t", value: micros };
}

/** Keywords that may stand in front of a value instead of `@` and a signature. */
const keywords: Readonly<Record<string, string>> = {
  boolean: "b",
  byte: "y",
  int16: "n",
  uint16: "q",
  int32: "i",
  uint32: "u",
  int64: "x",
  uint64: "t",
  double: "d",
  string: "s",
  objectpath: "o",
  signature: "g",
};

const tokens =
  /\s*(?:(?<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<type>@[a-z]+)|(?<number>[-+]?(?:0x[0-9a-fA-F]+|\d[\d.]*(?:e[-+]?\d+)?|\.\d+))|(?<word>[a-z]+\d*)|(?<sign>[[\],]))/y;

/** Parses a simple value, or an array of them. */
function parseVariant(source: string, refuse: Refuse): Parsed {
  let at = 0;
  const next = (): Readonly<Record<string, string | undefined>> => {
    tokens.lastIndex = at;
    const found = tokens.exec(source);
    if (found === null) return refuse(at === source.length ? "unexpected end" : "unknown token");
    at = tokens.lastIndex;
    return found.groups ?? {};
  };
  const parse = (wanted: string | undefined): Parsed => {
    const { text, type, number, word, sign } = next();
    if (text !== undefined) return settle(unquote(text), wanted ?? "s");
    if (number !== undefined) return parseNumber(number, wanted, refuse);
    if (type !== undefined) return parse(type.slice(1));
    if (word === "true" || word === "false") return settle(word === "true", wanted ?? "b");
    const keyword = word === undefined ? undefined : ownMember(keywords, word);
    if (keyword !== undefined) return parse(keyword);
    if (sign !== "[") return refuse(`unexpected ${JSON.stringify(sign ?? word)}`);
    return parseArray(wanted);
  };
  const parseArray = (wanted: string | undefined): Parsed => {
    const inner = wanted?.startsWith("a") === true ? wanted.slice(1) : undefined;
    const values: UnitValue[] = [];
    let signature = inner;
    if (/^\s*\]/.test(source.slice(at))) next();
    else {
      for (let sign: string | undefined = ","; sign !== "]"; sign = next()["sign"]) {
        if (sign !== ",") return refuse("want a comma or the end of the array");
        const element = parse(signature);
        signature ??= element.signature;
        values.push(element.value);
      }
    }
    if (signature === undefined) return refuse("unable to infer type");
    return { signature: `a${signature}`, value: values };
  };
  const settle = (value: string | boolean, wanted: string): Parsed => {
    const fits = typeof value === "string" ? ["s", "o", "g"] : ["b"];
    return fits.includes(wanted) ? { signature: wanted, value } : refuse("type mismatch");
  };
  const parsed = parse(undefined);
  return source.slice(at).trim() === "" ? parsed : refuse("unexpected text at the end");
}

/** Bits of each whole number, and whether it has a sign. */
const widths: Readonly<Record<string, readonly [bits: bigint, signed: boolean]>> = {
  y: [8n, false],
  n: [16n, true],
  q: [16n, false],
  i: [32n, true],
  u: [32n, false],
  x: [64n, true],
  t: [64n, false],
};

function parseNumber(text: string, wanted: string | undefined, refuse: Refuse): Parsed {
  const whole = /^[-+]?(?:0x[0-9a-fA-F]+|\d+)$/.test(text);
  const signature = wanted ?? (whole ? "i" : "d");
  if (signature === "d") {
    const value = Number(text);
    return Number.isFinite(value) ? { signature, value } : refuse("invalid number");
  }
  const width = ownMember(widths, signature);
  if (width === undefined || !whole) return refuse("type mismatch");
  const [bits, signed] = width;
  const magnitude = BigInt(text.replace(/^[-+]/, ""));
  const value = text.startsWith("-") ? -magnitude : magnitude;
  const least = signed ? -(2n ** (bits - 1n)) : 0n;
  const most = 2n ** (signed ? bits - 1n : bits) - 1n;
  if (value < least || value > most) return refuse("value out of range");
  return { signature, value: bits === 64n ? value : Number(value) };
}

function unquote(text: string): string {
  const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };
  return text
    .slice(1, -1)
    .replace(/\\(.)/g, (_, letter: string) => ownMember(escapes, letter) ?? letter);
}
