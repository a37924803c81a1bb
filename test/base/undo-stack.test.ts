import { suite } from "uvu";
import * as assert from "uvu/assert";
import { UndoStack } from "../../src/base/undo-stack.ts";

const test = suite("base/undo-stack");

test("dispose() takes back in reverse, and once", () => {
  const undone: string[] = [];
  const undo = new UndoStack();
  undo.defer(() => undone.push("first"));
  const resource = { [Symbol.dispose]: () => void undone.push("resource") };
  assert.is(undo.use(resource), resource);
  undo.defer(() => undone.push("last"));
  undo.dispose();
  undo.dispose();
  assert.equal(undone, ["last", "resource", "first"]);
});

test("dispose() goes on when an action fails, and throws what the first one has thrown", () => {
  const undone: string[] = [];
  const undo = new UndoStack();
  undo.defer(() => undone.push("first"));
  undo.defer(() => {
    throw new Error("later");
  });
  undo.defer(() => {
    throw new Error("earlier");
  });
  assert.throws(() => undo.dispose(), "earlier");
  assert.equal(undone, ["first"]);
});

test("a stack can be held with using", () => {
  let undone = 0;
  {
    using undo = new UndoStack();
    undo.defer(() => {
      undone += 1;
    });
  }
  assert.is(undone, 1);
});

test.run();
