// ts-runc update: changes the resources of a container, by options or by a JSON document.

import { raise } from "../base/fault.ts";
import { updateContainer } from "../container/update.ts";
import { readDescriptor, readText } from "../host/files.ts";
import type { NewSchemata } from "../host/resctrl.ts";
import { parseContainerId } from "../spec/container-id.ts";
import { parseConfig } from "../spec/load.ts";
import { validateResources } from "../spec/validate.ts";
import type { Invocation } from "./invocation.ts";
import { integer, type OptionValues, text } from "./options.ts";
import { parseSize } from "./size.ts";

export async function update(invocation: Invocation): Promise<number> {
  const { globals, values, positionals, log } = invocation;
  const [id = ""] = positionals;
  const place = { root: globals.root, id: parseContainerId(id) };
  const file = text(values, "resources");
  const document =
    file === undefined ? readOptions(values) : parseConfig(readDocument(file), "resources");
  const resources = validateResources(document, { document: "resources" });
  if (values.has("kernel-memory") || values.has("kernel-memory-tcp")) {
    log.warning("Kernel memory settings are ignored and will be removed");
  }
  await updateContainer(place, { resources, schemata: readSchemata(values) }, log.warning);
  return 0;
}

function readDocument(file: string): string {
  const doing = `reading the resources from ${file}`;
  return file === "-" ? readDescriptor(0, doing) : readText(file, doing);
}

/** The document that the options stand for; with a document of the caller's they are ignored, as by runc. */
function readOptions(values: OptionValues): unknown {
  return {
    memory: given({
      limit: size(values, "memory"),
      reservation: size(values, "memory-reservation"),
      swap: size(values, "memory-swap"),
    }),
    cpu: given({
      period: unsigned(values, "cpu-period"),
      quota: signed(values, "cpu-quota"),
      burst: unsigned(values, "cpu-burst"),
      shares: unsigned(values, "cpu-share"),
      realtimePeriod: unsigned(values, "cpu-rt-period"),
      realtimeRuntime: signed(values, "cpu-rt-runtime"),
      idle: signed(values, "cpu-idle"),
      cpus: text(values, "cpuset-cpus"),
      mems: text(values, "cpuset-mems"),
    }),
    ...(values.has("pids-limit") ? { pids: { limit: integer(values, "pids-limit") } } : {}),
    ...(integer(values, "blkio-weight") === 0
      ? {}
      : { blockIO: { weight: integer(values, "blkio-weight") } }),
  };
}

function given(properties: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
}

function size(values: OptionValues, name: string): number | undefined {
  const value = text(values, name);
  return value === undefined ? undefined : parseSize(value, name);
}

function unsigned(values: OptionValues, name: string): number | undefined {
  return wholeNumber(values, name, { pattern: /^\d+$/, reader: "ParseUint" });
}

function signed(values: OptionValues, name: string): number | undefined {
  return wholeNumber(values, name, { pattern: /^[+-]?\d+$/, reader: "ParseInt" });
}

function wholeNumber(
  values: OptionValues,
  name: string,
  form: { readonly pattern: RegExp; readonly reader: string },
): number | undefined {
  const value = text(values, name);
  if (value === undefined) return undefined;
  const number = form.pattern.test(value) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  const why = Number.isNaN(number) ? "invalid syntax" : "value out of range";
  return raise({
    kind: "refused",
    message: `invalid value for ${name}: strconv.${form.reader}: parsing ${JSON.stringify(value)}: ${why}`,
  });
}

/** What is asked of resctrl; undefined when nothing is. */
function readSchemata(values: OptionValues): NewSchemata | undefined {
  const l3CacheSchema = text(values, "l3-cache-schema");
  const memBwSchema = text(values, "mem-bw-schema");
  if (l3CacheSchema === undefined && memBwSchema === undefined) return undefined;
  return {
    ...(l3CacheSchema === undefined ? {} : { l3CacheSchema }),
    ...(memBwSchema === undefined ? {} : { memBwSchema }),
  };
}
