// Starts thousands of stubs on a loaded machine: none may hang. Needs no root, but the machine for itself.

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { architecture as hostArchitecture } from "../../src/abi/architecture.ts";
import { syscallNumberOn } from "../../src/abi/syscall-numbers.ts";
import { architectures, spawnStub } from "../init/stub/driver.ts";

const test = suite("kernel/stub-soak");

/** So many live at a time. */
const groupSize = 10;

for (const architecture of architectures) {
  // An emulator takes about a hundred times longer to start.
  const rounds = architecture === hostArchitecture ? 10_000 : 200;

  const number = syscallNumberOn(architecture, "getpid");

  test(`${architecture}: ${rounds} stubs answer one batch each under load, and end`, () => {
    using _load = burn();
    const started = performance.now();
    let slowestMs = 0;
    for (let round = 0; round < rounds; round += groupSize) {
      const begun = performance.now();
      using group = new DisposableStack();
      const stubs = Array.from({ length: groupSize }, (_, index) =>
        group.use(spawnStub(architecture, { nonBlocking: index % 2 === 1 })),
      );
      for (const stub of stubs) {
        const answer = stub.run([{ number }, { number: 4000, onError: 2 }, { number }]);
        assert.equal(
          [answer.stopped, answer.results[0], answer.results[2]],
          [3, stub.pid, stub.pid],
        );
        stub.close();
      }
      for (const stub of stubs) assert.equal(stub.wait(), { exited: 1 });
      slowestMs = Math.max(slowestMs, performance.now() - begun);
    }
    const seconds = (performance.now() - started) / 1000;
    console.log(
      `${architecture}: ${rounds} stubs in ${seconds.toFixed(1)} s, slowest ten ${slowestMs.toFixed(0)} ms`,
    );
  });
}

/** A process that does nothing but use a processor, until it is disposed of. */
function burn(): Disposable {
  const child = Bun.spawn(["/bin/sh", "-c", "while :; do :; done"], { stdout: "ignore" });
  return { [Symbol.dispose]: () => child.kill("SIGKILL") };
}

test.run();
