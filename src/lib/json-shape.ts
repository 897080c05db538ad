/** Reading a value means making every part of it, one by one, while nobody else is served. */
const deepest = 100;
const mostParts = 200_000;
/** What is shorter cannot be much of either. */
const harmless = 16_384;

/**
 * Whether a text of JSON is of more parts, or of more levels, than is read here. It is looked at before it is parsed:
 * four megabytes of brackets take half a second to parse, and four milliseconds to look at.
 */
export function isExcessive(json: string): boolean {
  if (json.length <= harmless) return false;
  let [depth, parts] = [0, 0];
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === quote) {
      at = endOfString(json, at);
      if (at === -1) return false;
    } else if (code === brace || code === bracket) {
      depth += 1;
      parts += 1;
    } else if (code === brace + 2 || code === bracket + 2) depth -= 1;
    else if (code === comma) parts += 1;
    if (depth > deepest || parts > mostParts) return true;
  }
  return false;
}

const [quote, comma, bracket, backslash, brace] = [0x22, 0x2c, 0x5b, 0x5c, 0x7b];

/** -1 where it has none. */
function endOfString(json: string, start: number): number {
  let end = json.indexOf('"', start + 1);
  while (end !== -1 && isEscaped(json, end)) end = json.indexOf('"', end + 1);
  return end;
}

function isEscaped(json: string, at: number): boolean {
  let first = at;
  while (json.charCodeAt(first - 1) === backslash) first -= 1;
  return (at - first) % 2 === 1;
}
