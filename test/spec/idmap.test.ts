import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readIdmap } from "../../src/spec/idmap.ts";
import type { IDMapping, Spec } from "../../src/spec/types.ts";

const test = suite("spec/idmap");

function range(containerID: number, hostID: number, size: number): IDMapping {
  return { containerID, hostID, size };
}

const spec: Spec = {
  ociVersion: "1.2.0",
  linux: {
    uidMappings: [range(0, 0, 1), range(1, 2, 1000)],
    gidMappings: [range(0, 500, 10), range(10, 100, 5)],
  },
};

function read(...options: readonly string[]): unknown {
  return readIdmap({ destination: "/a", options }, spec);
}

function wrong(option: string): string | undefined {
  const idmap = readIdmap({ destination: "/a", options: [option] }, spec);
  return idmap !== undefined && "wrong" in idmap ? idmap.wrong : undefined;
}

test("readIdmap() takes the maps of the mount, of the option, or of the container, in this order", () => {
  const uidMappings = [range(0, 1, 2)];
  const gidMappings = [range(3, 4, 5)];
  const option = "ridmap=uids=0-7-1;gids=0-8-1";
  assert.equal(
    readIdmap({ destination: "/a", options: [option], uidMappings, gidMappings }, spec),
    { recursive: true, maps: { uids: uidMappings, gids: gidMappings } },
  );
  assert.equal(read("ro", option), {
    recursive: true,
    maps: { uids: [range(0, 7, 1)], gids: [range(0, 8, 1)] },
  });
  assert.equal(read("idmap"), { recursive: false, maps: "container" });
  assert.equal(read("ridmap"), { recursive: true, maps: "container" });
  assert.is(read("bind", "idmapped", "ridmapx"), undefined);
});

test("readIdmap() takes several ranges, and ranges in the container's ids", () => {
  assert.equal(read("idmap=uids=0-1-10#10-11-10;gids=0-100-10"), {
    recursive: false,
    maps: { uids: [range(0, 1, 10), range(10, 11, 10)], gids: [range(0, 100, 10)] },
  });
  assert.equal(read("idmap=gids=@0-8-4;uids=@1-3-10"), {
    recursive: false,
    // The second range of the container's groups begins in the middle of this one.
    maps: { uids: [range(1, 4, 10)], gids: [range(0, 508, 2), range(2, 100, 2)] },
  });
});

test("readIdmap() says what is wrong with an option", () => {
  assert.is(wrong("idmap=uids=0-1-1"), "must have both uids and gids");
  assert.is(wrong("idmap=uids=0-1-1;uids=0-1-1;gids=0-1-1"), "has uids twice");
  assert.is(wrong("idmap=users=0-1-1"), "has neither uids= nor gids= in users=0-1-1");
  assert.is(wrong("idmap=;"), "has neither uids= nor gids= in ");
  for (const range of ["", "0-1", "0-1-1-1", "-1-1-1", "0x1-1-1", "0-1-1 ", "00000000001-1-1", "@"])
    assert.match(wrong(`idmap=uids=${range};gids=0-1-1`) ?? "", "FROM-TO-LENGTH", range);
  assert.match(wrong("idmap=uids=@0-990-20;gids=0-1-1") ?? "", "which the container does not map");
  assert.match(wrong("idmap=uids=@0-9999999999-1;gids=0-1-1") ?? "", "does not map");
});

test.run();
