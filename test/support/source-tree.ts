// The files of this repository as the tidy test looks at them: text, code without comments and texts, imports; no rules.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

export const root = join(import.meta.dir, "../..");

export type SourceFile = {
  /** Relative to the repository's root. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  /** The text with every comment, string and template emptied; lines keep their numbers. */
  readonly code: string;
  readonly imports: readonly Import[];
};

export type Import = {
  /** What is imported, relative to the root where it is one of our files; otherwise as written. */
  readonly target: string;
  /** A type leaves no trace; `lazy` is `import(...)`, loaded only when it is needed. */
  readonly kind: "value" | "type" | "lazy";
};

/** Paths of all files that git keeps, or in an unpacked archive all files but those that git would ignore. */
export function committedPaths(): readonly string[] {
  if (existsSync(join(root, ".git"))) {
    const git = Bun.spawnSync(["git", "-C", root, "ls-files", "-z"]);
    if (!git.success) throw new Error(`git ls-files: ${git.stderr}`);
    const paths = git.stdout.toString().split("\0");
    return paths.filter((path) => path !== "" && existsSync(join(root, path)));
  }
  return [...new Bun.Glob("**/*").scanSync({ cwd: root, dot: true })].filter(
    (path) => !/^(node_modules|build|dist|\.cache)\//.test(path),
  );
}

/** Reads the TypeScript files. */
export function readSources(paths: readonly string[]): readonly SourceFile[] {
  return paths.filter((path) => path.endsWith(".ts")).map(readSource);
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(root, path), "utf8");
  const found = [
    ...text.matchAll(/^(?:import|export)\s(?:[^"';]*?\sfrom\s)?"([^"]+)"/gm),
    ...text.matchAll(/\bimport\("([^"]+)"\)/g),
  ];
  const imports = found.map(([statement, specifier = ""]) => ({
    target: specifier.startsWith(".") ? normalize(join(dirname(path), specifier)) : specifier,
    kind: importKind(statement),
  }));
  return { path, text, lines: text.split("\n"), code: withoutTexts(text), imports };
}

function importKind(statement: string): Import["kind"] {
  if (statement.startsWith("import(")) return "lazy";
  return /^(import|export) type\b/.test(statement) ? "type" : "value";
}

const token =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(?<=[(,=:[!&|?{};\n]\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n*[])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])*\/[a-z]*/;

/** Empties comments, strings, regular expressions and the constant parts of templates. */
export function withoutTexts(text: string): string {
  const blank = (part: string): string => part.replace(/[^\n]/g, "");
  const simple = new RegExp(token.source, "y");
  let code = "";
  // One entry for each template that is open: how many braces are open in its `${`, or -1 in its constant part.
  const templates: number[] = [];
  for (let at = 0; at < text.length; ) {
    const depth = templates.at(-1);
    const character = text.charAt(at);
    if (depth === -1) {
      if (character === "\\") at += 2;
      else if (text.startsWith("${", at)) {
        templates[templates.length - 1] = 0;
        code += "${";
        at += 2;
      } else {
        if (character === "`") templates.pop();
        if (character === "`" || character === "\n") code += character;
        at += 1;
      }
      continue;
    }
    simple.lastIndex = at;
    const match = simple.exec(text)?.[0];
    if (match !== undefined) {
      code += match.startsWith("/") ? blank(match) : `""${blank(match)}`;
      at += match.length;
      continue;
    }
    if (character === "`") templates.push(-1);
    else if (depth !== undefined && character === "{") templates[templates.length - 1] = depth + 1;
    else if (depth !== undefined && character === "}") templates[templates.length - 1] = depth - 1;
    code += character;
    at += 1;
  }
  return code;
}
