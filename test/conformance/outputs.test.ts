// TAP and contest's lines, good and malformed, summed up.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Report, readContest, readTap } from "../../conformance/adapters/outputs.ts";

const test = suite("conformance/outputs");

const verdicts = ({ checks }: Report) => checks.map(({ name, verdict }) => `${verdict} ${name}`);

test("readTap() knows passed, failed and skipped tests, with what was said of a failure", () => {
  const report = readTap(`TAP version 13
1..4
ok 1 - the first # of its kind
not ok 2 - the second
  ---
  message: why
  ...
ok 3 - the third # SKIP there is none here
not ok 4 the fourth # todo later
`);
  assert.equal(verdicts(report), [
    "pass the first # of its kind",
    "fail the second",
    "skip the third",
    "skip the fourth",
  ]);
  assert.is(report.checks[1]?.detail, "  ---\n  message: why\n  ...");
  assert.is(report.checks[2]?.detail, "there is none here");
  assert.is(report.trouble, undefined);
});

test("readTap() reads what bats says", () => {
  const report = readTap(
    "1..2\nok 1 runc version # skip not today\nnot ok 2 runc state\n# (in test file x.bats, line 7)\n",
  );
  assert.equal(verdicts(report), ["skip runc version", "fail runc state"]);
  assert.is(report.checks[1]?.detail, "# (in test file x.bats, line 7)");
});

test("readTap() takes a plan at the end, and several documents", () => {
  const document = "TAP version 13\nok 1 - a\nok 2 - b\n1..2\n";
  assert.is(readTap(document).trouble, undefined);
  const twice = readTap(document + document);
  assert.is(twice.checks.length, 4);
  assert.is(twice.trouble, undefined);
});

test("readTap() counts a plan of no tests as skipped", () => {
  const report = readTap("1..0 # SKIP no such kernel\n");
  assert.equal(report, {
    checks: [{ name: "everything", verdict: "skip", detail: "SKIP no such kernel" }],
  });
});

test("readTap() says what is wrong with malformed TAP", () => {
  assert.is(readTap("").trouble, "there is no TAP in its output");
  assert.is(readTap("panic: runtime error\nokay\n").trouble, "there is no TAP in its output");
  assert.is(readTap("ok 1 - a\n").trouble, "it has said no plan");
  assert.is(readTap("1..3\nok 1 - a\n").trouble, "it has announced 3 tests and 1 came");
  assert.is(readTap("1..1\nok 1 - a\nok 2 - b\n").trouble, "it has announced 1 tests and 2 came");
  assert.is(readTap("1..2\nok 1 - a\nBail out! no disk\n").trouble, "it has bailed out: no disk");
});

test("readContest() knows its verdicts, by group, with what was said of a failure", () => {
  const report = readContest(`# Start group lifecycle
1 / 3 : create : ok
2 / 3 : kill : not ok
\tno such container
3 / 3 : delete : skipped
# End group lifecycle

# Start group hooks
1 / 1 : a : b : ok
# End group hooks
`);
  assert.equal(verdicts(report), [
    "pass lifecycle::create",
    "fail lifecycle::kill",
    "skip lifecycle::delete",
    "pass hooks::a : b",
  ]);
  assert.is(report.checks[1]?.detail, "no such container\n");
  assert.is(report.trouble, undefined);
});

test("readContest() says what is missing", () => {
  assert.is(readContest("error: no such thing\n").trouble, "it has run no group of tests");
  assert.is(
    readContest("# Start group a\n1 / 2 : b : ok\n").trouble,
    "group a has not come to its end",
  );
  assert.is(
    readContest("# Start group a\n1 / 2 : b : ok\n# End group a\n").trouble,
    "group ? has not come to its end",
  );
});

test.run();
