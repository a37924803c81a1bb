// The lines that `ps` selects out of the output of ps(1).

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { selectLines } from "../../src/cli/ps.ts";
import { catchFault } from "../spec/catch-fault.ts";

const test = suite("cli/ps");

const output = `UID          PID    PPID  C STIME TTY          TIME CMD
root           1       0  0 06:33 ?        00:00:00 init 77
root          77       1  0 06:33 ?        00:00:00 sleep 1
root         770      77  0 06:33 ?        00:00:00 sleep 77
`;

test("selectLines() goes by the column PID, and keeps the heading and the lines as they are", () => {
  const [heading, , line] = output.split("\n");
  assert.is(selectLines(output, [77]), `${heading}\n${line}\n`);
  assert.is(selectLines(output, []), `${heading}\n`);
  assert.is(
    selectLines("  PID COMMAND\n   77 sleep\n    1 init\n", [1]),
    "  PID COMMAND\n    1 init\n",
  );
});

test("selectLines() refuses output without the column, and a column that holds no numbers", () => {
  const message = (text: string): string => {
    const fault = catchFault(() => selectLines(text, [1]))?.fault;
    return fault?.kind === "refused" ? fault.message : `no such fault: ${fault?.kind}`;
  };
  assert.is(message("COMMAND\nsleep\n"), "couldn't find PID field in ps output");
  assert.is(message("CMD PID\nsleep one 77\n"), 'unable to parse pid: "one" is not a number');
});

test.run();
