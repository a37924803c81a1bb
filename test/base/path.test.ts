// Paths by their text alone.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { pathNames, withoutEndSlashes } from "../../src/base/path.ts";

const test = suite("base/path");

test("pathNames() takes out what names nothing, and never climbs above the beginning", () => {
  assert.equal(pathNames("/a//b/./c/"), ["a", "b", "c"]);
  assert.equal(pathNames("a/../b"), ["b"]);
  assert.equal(pathNames("/../../a/.."), []);
  assert.equal(pathNames("..a/...b"), ["..a", "...b"]);
});

test("withoutEndSlashes() leaves nothing of the root", () => {
  assert.is(withoutEndSlashes("/dev//"), "/dev");
  assert.is(withoutEndSlashes("/a/b"), "/a/b");
  assert.is(withoutEndSlashes("//"), "");
  assert.is(withoutEndSlashes(""), "");
});

test.run();
