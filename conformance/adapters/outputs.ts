// What test programs say, summed up: the Test Anything Protocol (also that of bats), and the lines of youki's contest.
// It knows nothing of how the programs are run.

export type Check = {
  readonly name: string;
  readonly verdict: "pass" | "fail" | "skip";
  /** What follows a verdict: the details of a failure, the reason of a skip. */
  readonly detail: string;
};

/** Checks, and what is wrong with the program as a whole, which makes it fail whatever its checks say. */
export type Report = {
  readonly checks: readonly Check[];
  readonly trouble?: string;
};

const tapLine = /^(ok|not ok)\b\s*(\d*)\s*(?:-\s*)?(.*)$/;
const tapDirective = /(?<!\\)#\s*(skip|todo)\b:?\s*(.*)$/i;
const tapPlan = /^1\.\.(\d+)\s*(?:#\s*(.*))?$/;

/**
 * Sums up TAP. A program may say several documents, one after the other or one in the other: their plans are added up.
 * A test that is expected to fail (`todo`) counts as skipped when it does.
 */
export function readTap(output: string): Report {
  const checks: Check[] = [];
  const details: string[][] = [];
  let announced = 0;
  let plans = 0;
  let bail: string | undefined;
  for (const line of output.split("\n")) {
    const plan = tapPlan.exec(line);
    const test = plan === null ? tapLine.exec(line) : null;
    if (plan !== null) {
      plans += 1;
      announced += Number(plan[1]);
      if (Number(plan[1]) === 0)
        checks.push({ name: "everything", verdict: "skip", detail: plan[2] ?? "" });
    } else if (test !== null) {
      checks.push(tapCheck(test[1] === "ok", test[3] ?? ""));
      details[checks.length - 1] = [];
    } else if (line.startsWith("Bail out!")) {
      bail ??= line.slice("Bail out!".length).trim();
    } else if (checks.length > 0 && !line.startsWith("TAP version")) {
      details[checks.length - 1]?.push(line);
    }
  }
  const whole = checks.map((check, index) => {
    if (check.verdict !== "fail") return check;
    return { ...check, detail: (details[index] ?? []).join("\n").trimEnd() };
  });
  const came = checks.filter(({ name }) => name !== "everything").length;
  const trouble = tapTrouble({ plans, announced, came, bail });
  return trouble === undefined ? { checks: whole } : { checks: whole, trouble };
}

function tapCheck(passed: boolean, text: string): Check {
  const directive = tapDirective.exec(text);
  const name = text.replace(tapDirective, "").replaceAll("\\#", "#").trim();
  const word = directive?.[1]?.toLowerCase();
  if (word === "skip" || (word === "todo" && !passed)) {
    return { name, verdict: "skip", detail: directive?.[2] ?? "" };
  }
  return { name, verdict: passed ? "pass" : "fail", detail: "" };
}

type Tally = {
  readonly plans: number;
  readonly announced: number;
  readonly came: number;
  readonly bail: string | undefined;
};

function tapTrouble({ plans, announced, came, bail }: Tally): string | undefined {
  if (bail !== undefined) return `it has bailed out: ${bail}`;
  if (plans === 0 && came === 0) return "there is no TAP in its output";
  if (plans === 0) return "it has said no plan";
  if (announced !== came) return `it has announced ${announced} tests and ${came} came`;
  return undefined;
}

const contestLine = /^(\d+) \/ (\d+) : (.*) : (ok|not ok|skipped)$/;

/** Sums up contest's output: each group of tests begins and ends with a line of its own and says how many there are. */
export function readContest(output: string): Report {
  const checks: Check[] = [];
  let group: string | undefined;
  let groups = 0;
  let missing = 0;
  for (const line of output.split("\n")) {
    const test = contestLine.exec(line);
    if (line.startsWith("# Start group ")) {
      group = line.slice("# Start group ".length).trim();
      groups += 1;
    } else if (line.startsWith("# End group ")) {
      group = undefined;
    } else if (test !== null) {
      const verdict = ({ ok: "pass", skipped: "skip" } as const)[test[4] ?? ""] ?? "fail";
      checks.push({ name: `${group ?? "?"}::${test[3]}`, verdict, detail: "" });
      missing = Number(test[2]) - Number(test[1]);
    } else {
      const last = checks.at(-1);
      if (last?.verdict === "fail" && group !== undefined) {
        checks[checks.length - 1] = { ...last, detail: `${last.detail}${line.trim()}\n` };
      }
    }
  }
  if (groups === 0) return { checks, trouble: "it has run no group of tests" };
  if (group !== undefined || missing !== 0) {
    return { checks, trouble: `group ${group ?? "?"} has not come to its end` };
  }
  return { checks };
}
