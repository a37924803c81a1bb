// Each wrong value of config.json, alone, through the executable: exit code 1 and one error, which names the property, the value
// and the rule; and nothing is left behind. Needs root.

import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { logMessages, type Outcome } from "../cli/executable.ts";
import { ruleCases } from "../spec/rule-cases.ts";
import { missingValue } from "../support/names-value.ts";
import { openUser } from "../support/ordinary-user.ts";
import { openRoom } from "../support/room.ts";
import { fullConfig, pointerTo, withValue, wrongValues } from "../support/schema-properties.ts";

const test = suite("kernel/every-property");
const room = openRoom("every");
const user = openUser(room);
const bundle = room.makeBundle();
const files = filesOf(bundle.directory);
const states = { root: join(room.directory, "state"), user: join(user.runtimeDirectory, "state") };

type Wrong = {
  readonly document: unknown;
  readonly pointer: string;
  /** A part of the message. */
  readonly rule: string;
  readonly by: keyof typeof states;
  readonly options?: readonly string[];
};

function create(wrong: Pick<Wrong, "document" | "by" | "options">): Outcome {
  writeFileSync(join(bundle.directory, "config.json"), wordConfig(wrong.document));
  const more = [...(wrong.options ?? []), "--bundle", bundle.directory, room.newId()];
  if (wrong.by === "root") return room.tsRunc(["create", ...more]);
  return user.runtime("ts-runc", ["--root", states.user, "create", ...more]);
}

/** As JSON with every digit of its numbers: JSON.stringify rounds those above 2^53, and the loader refuses what is rounded. */
function wordConfig(document: unknown): string {
  const isLarge = (value: unknown): value is number =>
    Number.isInteger(value) && !Number.isSafeInteger(value);
  const text = JSON.stringify(document, (_, value: unknown) =>
    isLarge(value) ? `#${BigInt(value)}` : value,
  );
  return text.replaceAll(/"#(-?\d+)"/g, "$1");
}

/** What is refused before anything has been done leaves no state root either, nor a file in the bundle. */
async function expectNothingLeft(): Promise<void> {
  assert.equal(Object.values(states).filter(existsSync), []);
  assert.equal(filesOf(bundle.directory), files);
  await user.expectNothingLeft();
}

function filesOf(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).sort();
}

function expectNamed(wrong: Wrong): void {
  const { document, pointer, rule } = wrong;
  const { status, stdout, stderr } = create(wrong);
  const about = `${pointer}, ${rule}: ${stderr.slice(0, 2000)}`;
  assert.is(status, 1, about);
  assert.is(stdout, "", about);
  assert.is(stderr.trimEnd().split("\n").length, 1, about);
  const [message = "", ...others] = logMessages(stderr);
  assert.equal(others, [], about);
  const start = `runc create failed: config.json is not valid: ${pointer}: `;
  assert.is(message.slice(0, start.length), start, about);
  const said = message.slice(start.length);
  assert.ok(said.includes(rule), about);
  assert.is(missingValue(said, { document, pointer }), undefined, about);
}

test("create refuses each value that the schemas do not allow", async () => {
  const full = fullConfig();
  const wrong = wrongValues();
  for (const one of wrong) {
    const got = `got ${JSON.stringify(one.value)}`;
    const pointer = pointerTo(one.path);
    expectNamed({ document: withValue(full, one), pointer, rule: got, by: "root" });
  }
  assert.ok(wrong.length > 380, `${wrong.length} values`);
  await expectNothingLeft();
});

test("create refuses each value that the rules of the specification do not allow", async () => {
  for (const { broken: document, pointer, message: rule, facts = {} } of ruleCases) {
    const by = facts.rootless === true ? "user" : "root";
    const options = facts.noPivot === true ? ["--no-pivot"] : [];
    expectNamed({ document, pointer, rule, by, options });
  }
  assert.ok(ruleCases.length > 130, `${ruleCases.length} rules`);
  await expectNothingLeft();
});

test("create tells all of many wrong values in its one error", async () => {
  const some = wrongValues().filter(({ path }) => /^(hostname|process\.cwd|mounts)$/.test(path));
  const document = some.reduce(withValue, fullConfig());
  const { status, stderr } = create({ document, by: "root" });
  assert.is(status, 1);
  const [message = "", ...others] = logMessages(stderr);
  assert.equal(others, []);
  assert.is(some.length, 3);
  for (const { path, value } of some) {
    assert.match(message, `${pointerTo(path)}: must be `);
    assert.match(message, `got ${JSON.stringify(value)}`);
  }
  await expectNothingLeft();
});

test.after(() => room.remove());

test.run();
