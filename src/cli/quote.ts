// A text in double quotes as Go's %q writes it, which is how runc's messages and log lines look; not JSON.

const escapes: ReadonlyMap<string, string> = new Map([
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ["\f", "\\f"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\v", "\\v"],
  ['"', '\\"'],
  ["\\", "\\\\"],
]);

/** Quotes a text; what cannot be printed is escaped. */
export function quote(text: string): string {
  // \p{C}: control, format, unassigned; \p{Z}: separators, of which only the plain space stays.
  return `"${text.replaceAll(/["\\]|(?! )[\p{C}\p{Z}]/gu, escapeCharacter)}"`;
}

function escapeCharacter(character: string): string {
  const known = escapes.get(character);
  if (known !== undefined) return known;
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code < 0x80) return `\\x${hex.padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
