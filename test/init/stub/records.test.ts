// What the stub does with each field of a record.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { syscallNumbers } from "../../../src/abi/syscall-numbers.ts";
import { spawnStub } from "./driver.ts";

const test = suite("init/stub/records");

test("a record's result is what the system call returned", () => {
  using stub = spawnStub("x86_64");
  const number = syscallNumbers.getpid.x86_64;
  const answer = stub.run([{ number }, { number }, { number: 9999, onError: 3 }]);
  assert.equal(answer, { stopped: 3, results: [stub.pid, stub.pid, -38], outputs: [] });
  stub.close();
  assert.equal(stub.wait(), { exited: 1 });
});

test.run();
