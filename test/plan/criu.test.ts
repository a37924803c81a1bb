import { existsSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { criuEnumerations, criuMessages } from "../../src/plan/criu.ts";

const test = suite("plan/criu");
/** It comes with Debian's criu. */
const published = "/usr/include/criu/rpc.proto";
const here = existsSync(published) ? test : test.skip;
if (!existsSync(published)) console.log(`skip: ${published} is missing, there is no criu`);

/** The bodies of the blocks of this kind, by name, without comments. */
function blocks(kind: "message" | "enum"): ReadonlyMap<string, string> {
  const text = readFileSync(published, "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
  const found = text.matchAll(new RegExp(`^${kind}\\s+(\\w+)\\s*\\{([^}]*)\\}`, "gm"));
  return new Map([...found].map(([, name = "", body = ""]) => [name, body]));
}

here("each field has the number, type and label that criu's own description gives it", () => {
  const messages = blocks("message");
  let compared = 0;
  for (const [name, fields] of Object.entries(criuMessages)) {
    const body = messages.get(name) ?? "";
    for (const [field, [number, type]] of Object.entries(fields)) {
      const pattern = new RegExp(`(\\w+)\\s+(\\w+)\\s+${field}\\s*=\\s*(\\d+)`);
      const [, label, theirs = "", theirNumber] = pattern.exec(body) ?? [];
      const repeated = type.startsWith("[");
      const required = type.endsWith("!");
      const plain = type.replace(/[[\].!]/g, "");
      assert.equal(
        [label, theirs.toLowerCase(), Number(theirNumber)],
        [repeated ? "repeated" : required ? "required" : "optional", plain.toLowerCase(), number],
        `${name}.${field}`,
      );
      compared += 1;
    }
  }
  assert.ok(compared > 60);
});

here("each name of an enumeration has criu's own number", () => {
  const enumerations = blocks("enum");
  for (const [name, names] of Object.entries(criuEnumerations)) {
    const theirs = [...(enumerations.get(name) ?? "").matchAll(/(\w+)\s*=\s*(\d+)/g)];
    assert.equal(
      names.map((value, number) => [value, `${number}`]),
      theirs.map(([, value, number]) => [value, number]),
      name,
    );
  }
});

test.run();
