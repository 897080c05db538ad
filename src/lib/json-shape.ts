/** Reading a value means making every part of it, one by one, while nobody else is served. */
const mostLevels = 100;
const mostParts = 200_000;
/** What is shorter cannot be much of either. */
const harmless = 16_384;

/** Whether JSON in UTF-8 is of more parts, or of more levels, than is read here. */
export function isExcessive(json: Buffer): boolean {
  return json.length > harmless && new JsonShape().isExcessiveWith(json);
}

/**
 * Looks at JSON before it is parsed, and while it still arrives: four megabytes of brackets take half a second to parse,
 * and are refused here with the first fifth of a megabyte.
 */
export class JsonShape {
  #bytes = 0;
  #depth = 0;
  #deepest = 0;
  #parts = 0;
  /** In what has been seen, a string has begun and not ended; and in it an escape. */
  #isString = false;
  #isEscape = false;

  /** With the next bytes of UTF-8, in which what is looked for stands for nothing else. */
  isExcessiveWith(bytes: Buffer): boolean {
    let [depth, deepest, parts] = [this.#depth, this.#deepest, this.#parts];
    for (let at = this.#isString ? this.#endOfString(bytes, 0) + 1 : 0; at < bytes.length; at += 1) {
      const byte = bytes[at];
      if (byte === quote) at = this.#endOfString(bytes, at + 1);
      else if (byte === brace || byte === bracket) {
        depth += 1;
        parts += 1;
        if (depth > deepest) deepest = depth;
      } else if (byte === brace + 2 || byte === bracket + 2) depth -= 1;
      else if (byte === comma) parts += 1;
    }
    [this.#depth, this.#deepest, this.#parts] = [depth, deepest, parts];
    this.#bytes += bytes.length;
    return this.#bytes > harmless && (deepest > mostLevels || parts > mostParts);
  }

  /** Where the string ends that goes on at `start`; behind the last byte where it does not. */
  #endOfString(bytes: Buffer, start: number): number {
    const first = this.#isEscape ? start + 1 : start;
    let end = bytes.indexOf(quote, first);
    while (end !== -1 && isEscaped(bytes, first, end)) end = bytes.indexOf(quote, end + 1);
    this.#isString = end === -1;
    this.#isEscape = this.#isString && isEscaped(bytes, first, bytes.length);
    return this.#isString ? bytes.length : end;
  }
}

const [quote, comma, bracket, backslash, brace] = [0x22, 0x2c, 0x5b, 0x5c, 0x7b];

/** Whether what stands `at` is, in a string that is read from `first` on. */
function isEscaped(bytes: Buffer, first: number, at: number): boolean {
  let start = at;
  while (start > first && bytes[start - 1] === backslash) start -= 1;
  return (at - start) % 2 === 1;
}
