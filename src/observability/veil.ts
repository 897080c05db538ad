const hidden = '[hidden]';

/** Shorter ones may be a part of any word. */
const shortestSecret = 8;

/**
 * What looks like a secret, wherever in a line it stands, and what is left of it. Of an escaped line break before it
 * JSON leaves a letter, so none looks for the beginning of a word.
 */
const patterns: readonly (readonly [RegExp, string])[] = [
  // postgres://user:password@host
  [/(:\/\/[^\s/:@"]*):[^\s/"]*@/g, `$1:${hidden}@`],
  [/(Bearer|Basic)\s+[^\s"'\\,]+/gi, `$1 ${hidden}`],
  // JSON Web Tokens, from where they begin in a word
  [/(?<![\w-])((?:(?!eyJ)[\w-])*)eyJ[\w-]*(?:\.[\w-]*)+/g, `$1${hidden}`],
  [/(token|secret|password|api_?key)(=|%3d)[^&\s"\\#]+/gi, `$1$2${hidden}`],
  [
    /"((?:proxy-)?authorization|(?:set-)?cookie|\w*(?:token|secret|password))":"(?:[^"\\]|\\.)*"/gi,
    `"$1":"${hidden}"`,
  ],
];

/** Characters that are not seen, and change how what stands beside them is seen. JSON leaves most as they are. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** The end of a line of JSON is the only one in it. */
const unseenInLine = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const escaped = (character: string) =>
  [...Array(character.length).keys()]
    .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
    .join('');

const quoted = (text: string) => JSON.stringify(text).slice(1, -1);

/** How it may stand in a line: also in what was quoted before, by a message for one. */
function spellings(secret: string): string[] {
  return [...new Set([quoted(quoted(secret)), quoted(secret), encodeURIComponent(secret)])];
}

/**
 * Makes a line of JSON fit to be kept and looked at: without these secrets and whatever looks like one, and without
 * characters that are not seen.
 */
export function createVeil(secrets: readonly string[]): (line: string) => string {
  const known = secrets
    .filter((secret) => secret.length >= shortestSecret)
    // One may begin with another, of which the rest would be left.
    .toSorted((one, other) => other.length - one.length)
    .flatMap(spellings);
  return (line) => {
    let veiled = line;
    for (const secret of known) veiled = veiled.replaceAll(secret, hidden);
    for (const [pattern, rest] of patterns) veiled = veiled.replace(pattern, rest);
    return veiled.replace(unseenInLine, escaped);
  };
}

/**
 * The same line for a terminal, whose own commands are characters: of all texts in it only their visible form is
 * left. The lines of a stack are ours and stay.
 */
export function legible(line: string): string {
  const legibly = (key: string, value: unknown) => {
    if (typeof value !== 'string') return value;
    const lines = key === 'stack' ? value.split('\n') : [value];
    return lines.map((text) => text.replace(unseen, escaped)).join('\n');
  };
  try {
    return `${JSON.stringify(JSON.parse(line, legibly))}\n`;
  } catch {
    // A secret looked like a part of the line, a number for one.
    return line;
  }
}
