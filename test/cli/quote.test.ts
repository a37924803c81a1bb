// Quoting as Go's %q; the examples are what `fmt.Printf("%q")` prints.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { quote } from "../../src/cli/quote.ts";

const test = suite("cli/quote");

test("quote() escapes what cannot be printed, as Go does", () => {
  assert.is(quote('a "b" \\ é 日本 /'), '"a \\"b\\" \\\\ é 日本 /"');
  assert.is(quote("\x07\b\f\n\r\t\v"), '"\\a\\b\\f\\n\\r\\t\\v"');
  assert.is(quote("\0\x1b[31m\x7f"), '"\\x00\\x1b[31m\\x7f"');
  assert.is(
    quote("\u0085\u00a0\u200b\u2028\u{e0001}"),
    '"\\u0085\\u00a0\\u200b\\u2028\\U000e0001"',
  );
  assert.is(quote("😀"), '"😀"');
});

test.run();
