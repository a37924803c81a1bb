// The documents of conformance/schema as a program: what the validators of ts-runc say to them, as TAP.
//
//   conformance/schema/run [FILTER]     FILTER is a part of a document's kind, quality and name, like config/bad
//
// Exit status 0 means that each document was judged as it should be.

import * as validators from "../../build/validators.js";
import { judgeDocuments } from "./judge.ts";

function main(argv: readonly string[]): number {
  const [filter = ""] = argv;
  if (argv.length > 1 || filter.startsWith("-")) {
    console.error("usage: conformance/schema/run [FILTER]");
    return 2;
  }
  const verdicts = judgeDocuments(validators).filter(({ title }) => title.includes(filter));
  console.log(`TAP version 14\n1..${verdicts.length}`);
  for (const [index, { title, unmet }] of verdicts.entries()) {
    console.log(`${unmet === undefined ? "ok" : "not ok"} ${index + 1} - ${title}`);
    if (unmet !== undefined) console.log(`  ---\n  message: ${unmet}\n  ...`);
  }
  return verdicts.length > 0 && verdicts.every(({ unmet }) => unmet === undefined) ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
