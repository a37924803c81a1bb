// CRIU's messages to bytes and back, by the table of plan/criu.ts: the protobuf library is told their descriptions at run
// time, so that no generated code and no protoc is needed. Loaded by checkpoint and restore alone.

import {
  createFileRegistry,
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { present } from "../../base/assert.ts";
import { raise } from "../../base/fault.ts";
import { type CriuRequest, criuEnumerations, criuMessages } from "../../plan/criu.ts";

export type CriuResponse = {
  /** Name of the request type; its number where CRIU has one that is not known here. */
  readonly type: string;
  readonly success: boolean;
  readonly errno: number;
  readonly errorMessage: string;
  readonly notify: { readonly script: string; readonly pid: number } | undefined;
  readonly version: { readonly number: number } | undefined;
  readonly features: ReadonlySet<string>;
};

const registry = createFileRegistry(describe(), () => undefined);

function describe(): ReturnType<typeof fromJson<typeof FileDescriptorProtoSchema>> {
  return fromJson(FileDescriptorProtoSchema, {
    name: "rpc.proto",
    syntax: "proto2",
    messageType: Object.entries(criuMessages).map(([name, fields]) => ({
      name,
      field: Object.entries(fields).map(([field, [number, type]]) =>
        describeField(field, { number, type }),
      ),
    })),
    enumType: Object.entries(criuEnumerations).map(([name, names]) => ({
      name,
      value: names.map((value, number) => ({ name: value, number })),
    })),
  });
}

function describeField(
  name: string,
  { number, type }: { readonly number: number; readonly type: string },
): JsonObject {
  const repeated = type.startsWith("[");
  const required = type.endsWith("!");
  const plain = type.replace(/[[\]!]/g, "");
  const isEnumeration = criuEnumerations[plain.slice(1)] !== undefined;
  return {
    name,
    number,
    label: repeated ? "LABEL_REPEATED" : required ? "LABEL_REQUIRED" : "LABEL_OPTIONAL",
    ...(plain.startsWith(".")
      ? { type: isEnumeration ? "TYPE_ENUM" : "TYPE_MESSAGE", typeName: plain }
      : { type: `TYPE_${plain}` }),
  };
}

/** The description of a message, by its name in rpc.proto. */
export function describeMessage(name: string): DescMessage {
  return present(registry.getMessage(name), name);
}

/** Encodes a request. */
export function encodeRequest(request: CriuRequest): Uint8Array {
  // JSON and back takes the readonly types to the library's own.
  const json: JsonValue = JSON.parse(JSON.stringify(request));
  return toBinary(describeMessage("criu_req"), fromJson(describeMessage("criu_req"), json));
}

/**
 * Decodes a response.
 *
 * @throws `host` fault when it cannot be understood
 */
export function decodeResponse(bytes: Uint8Array): CriuResponse {
  try {
    const response = describeMessage("criu_resp");
    return readResponse(
      asObject(toJson(response, fromBinary(response, bytes), { useProtoFieldName: true })),
    );
  } catch (cause) {
    return raise({ kind: "host", message: "unable to parse the response of criu" }, cause);
  }
}

function readResponse(json: JsonObject): CriuResponse {
  const notify = asObject(json["notify"]);
  const version = asObject(json["version"]);
  return {
    type: String(json["type"]),
    success: json["success"] === true,
    errno: asNumber(json["cr_errno"]),
    errorMessage: asText(json["cr_errmsg"]),
    notify:
      json["notify"] === undefined
        ? undefined
        : { script: asText(notify["script"]), pid: asNumber(notify["pid"]) },
    version: json["version"] === undefined ? undefined : { number: versionNumber(version) },
    features: new Set(
      Object.entries(asObject(json["features"]))
        .map(([name, has]) => (has === true ? [name] : []))
        .flat(),
    ),
  };
}

/** 31701 for 3.17.1, as CRIU's own bindings count. One built from the repository is what the next minor version will be. */
function versionNumber(version: JsonObject): number {
  const minor = asNumber(version["minor_number"]);
  const base = asNumber(version["major_number"]) * 10_000;
  if (asText(version["gitid"]) !== "") return base + (minor + 1) * 100;
  return base + minor * 100 + asNumber(version["sublevel"]);
}

function asObject(value: JsonValue | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

function asNumber(value: JsonValue | undefined): number {
  return typeof value === "number" ? value : 0;
}

function asText(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}
