// How many instructions each command takes above an empty program: what makes start-up longer is seen here, and not only by
// the clock of a quiet machine. Needs root and valgrind.

import { existsSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { countCommands, counted, valgrind } from "../../bench/instructions.ts";
import { executable } from "../cli/executable.ts";

const test = suite("kernel/instructions");
const isThere = existsSync(valgrind);
if (!isThere) console.log("skip: valgrind is not installed");

(isThere ? test : test.skip)("no command takes more instructions than it did", () => {
  const { empty, commands } = countCommands(executable);
  assert.ok(empty > 1 && empty < 10, `an empty program takes ${empty} million`);
  for (const { name, above } of counted) {
    const found = (commands.get(name) ?? Number.NaN) - empty;
    assert.ok(
      found > 1 && found < above,
      `${name}: ${found.toFixed(1)} million above an empty program`,
    );
  }
});

test.run();
