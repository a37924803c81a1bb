// The maps that a config leaves out, from the texts of subuid(5) and passwd(5).

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { automaticMap, findSubordinateIds, findUserName } from "../../src/plan/subordinate-ids.ts";

const test = suite("plan/subordinate-ids");
const owner = { name: "who", id: 1000 };

test("findSubordinateIds() takes the first range by name or number", () => {
  const text = "other:1:2\nwho:100000:65536\nwho:5:6\n";
  assert.equal(findSubordinateIds(text, owner), { first: 100_000, size: 65_536 });
  assert.equal(findSubordinateIds("1000:7:8", owner), { first: 7, size: 8 });
  assert.is(findSubordinateIds(text, { name: undefined, id: 1000 }), undefined);
});

for (const line of [
  "who:1",
  "who:1:2:3",
  "who:x:2",
  "who:-1:2",
  "who:1:0",
  "who:4294967290:100",
  "whose:1:2",
  ":1:2",
]) {
  test(`findSubordinateIds() passes over ${line}`, () => {
    assert.is(findSubordinateIds(line, owner), undefined);
    assert.equal(findSubordinateIds(`${line}\nwho:7:8`, owner), { first: 7, size: 8 });
  });
}

test("findUserName() finds the name of a number", () => {
  const passwd = "root:x:0:0::/:/bin/sh\nwho:x:1000:5::/:/bin/sh\n";
  assert.is(findUserName(passwd, 1000), "who");
  assert.is(findUserName(passwd, 5), undefined);
});

test("automaticMap() maps the container's own id to the caller's, and the others around it", () => {
  assert.equal(automaticMap(0, 1000, undefined), [{ containerID: 0, hostID: 1000, size: 1 }]);
  assert.equal(automaticMap(0, 1000, { first: 100, size: 5 }), [
    { containerID: 0, hostID: 1000, size: 1 },
    { containerID: 1, hostID: 100, size: 5 },
  ]);
  assert.equal(automaticMap(2, 1000, { first: 100, size: 5 }), [
    { containerID: 0, hostID: 100, size: 2 },
    { containerID: 2, hostID: 1000, size: 1 },
    { containerID: 3, hostID: 102, size: 3 },
  ]);
  assert.equal(automaticMap(9, 1000, { first: 100, size: 5 }), [
    { containerID: 0, hostID: 100, size: 5 },
    { containerID: 9, hostID: 1000, size: 1 },
  ]);
});

test.run();
