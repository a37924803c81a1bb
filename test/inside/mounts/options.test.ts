// Mount options sorted: every option of the specification's table, and what wins when two contradict each other.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mountAttributes, propagations } from "../../../src/abi/mount.ts";
import { knownMountOptions, parseMountOptions } from "../../../src/inside/mounts/options.ts";

const test = suite("inside/mounts/options");
const { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOATIME, MOUNT_ATTR_RDONLY, MOUNT_ATTR__ATIME } =
  mountAttributes;

test("parseMountOptions() takes every known option for something else than data", () => {
  for (const option of knownMountOptions()) {
    assert.equal(parseMountOptions([option]).data, [], option);
  }
  // What every object of ours has is no option either, nor its recursive form.
  const others = ["mode=755", "size=64k", "toString", "rtoString", "constructor", "rdefaults"];
  assert.equal(parseMountOptions(others).data, others);
});

test("parseMountOptions() lets the last of contradicting options count, in both directions", () => {
  const attributes = (...options: readonly string[]) => parseMountOptions(options).attributes;
  assert.equal(attributes("ro"), { set: MOUNT_ATTR_RDONLY, clear: 0 });
  assert.equal(attributes("ro", "rw"), { set: 0, clear: MOUNT_ATTR_RDONLY });
  assert.equal(attributes("rw", "ro"), { set: MOUNT_ATTR_RDONLY, clear: 0 });
  assert.equal(attributes("nodev", "ro"), { set: MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY, clear: 0 });
});

test("parseMountOptions() clears the whole choice of atime before it sets one", () => {
  const { set, clear } = parseMountOptions(["noatime"]).attributes;
  assert.equal({ set, clear }, { set: MOUNT_ATTR_NOATIME, clear: MOUNT_ATTR__ATIME });
  assert.is(parseMountOptions(["noatime", "relatime"]).attributes.set, 0);
});

test("parseMountOptions() keeps the recursive forms apart from the others", () => {
  const { attributes, recursiveAttributes } = parseMountOptions(["rro", "nodev"]);
  assert.is(attributes.set, MOUNT_ATTR_NODEV);
  assert.is(recursiveAttributes.set, MOUNT_ATTR_RDONLY);
});

test("parseMountOptions() tells bind from rbind", () => {
  const kinds = ["bind", "rbind", "ro"].map((option) => {
    const { bind, recursiveBind } = parseMountOptions([option]);
    return { bind, recursiveBind };
  });
  assert.equal(kinds, [
    { bind: true, recursiveBind: false },
    { bind: true, recursiveBind: true },
    { bind: false, recursiveBind: false },
  ]);
});

test("parseMountOptions() keeps propagations in the order given", () => {
  assert.equal(parseMountOptions(["rprivate", "shared"]).propagations, [
    { type: propagations.MS_PRIVATE, recursive: true },
    { type: propagations.MS_SHARED, recursive: false },
  ]);
});

test("parseMountOptions() turns flags of the superblock on and off", () => {
  assert.equal(parseMountOptions(["sync", "dirsync", "async"]).superblock, ["dirsync"]);
});

test.run();
