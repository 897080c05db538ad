import { Lexer, Source, TokenKind } from 'graphql';
import { tooComplex } from './too-complex.ts';

/** Each error says its line, and counts lines from the beginning to do so: long texts make errors dear. */
export const mostCharacters = 100_000;
export const mostLines = 4_000;
/** Whoever reads a tree goes as deep as it is. A JSON value has up to 32 levels, and stands in fields. */
export const mostNesting = 200;
/** An alias is answered once for each row. */
export const mostNameCharacters = 200;

export interface TextLimits {
  readonly tokens: number;
  readonly aliases: number;
  readonly directives: number;
}

/**
 * What is looked at before a text is parsed: in one pass, without a tree and without going into depth. What each
 * definition has of its own can be counted here already; what it spreads comes to it when there is a tree.
 * @throws OPERATION_TOO_COMPLEX
 */
export function demandReadable(text: string, limits: TextLimits): void {
  if (text.length > mostCharacters) throw tooComplex('characters', mostCharacters, text.length);
  const lexer = new Lexer(new Source(text));
  const counts = { tokens: 0, aliases: 0, directives: 0 };
  const count = (measure: keyof TextLimits) => {
    counts[measure] += 1;
    if (counts[measure] > limits[measure]) throw tooComplex(measure, limits[measure], counts[measure]);
  };
  let nesting = 0;
  let parentheses = 0;
  for (let kind = next(lexer); kind !== TokenKind.EOF; kind = next(lexer)) {
    count('tokens');
    if (kind === TokenKind.NAME) demandShort(lexer.token.value);
    if (opening.has(kind)) nesting += 1;
    else if (closing.has(kind)) nesting -= 1;
    if (nesting > mostNesting) throw tooComplex('nesting', mostNesting, nesting);
    if (kind === TokenKind.PAREN_L) parentheses += 1;
    else if (kind === TokenKind.PAREN_R) parentheses -= 1;
    else if (kind === TokenKind.AT) count('directives');
    // Within them it stands between an argument and its value.
    else if (kind === TokenKind.COLON && parentheses === 0) count('aliases');
    else if (kind === TokenKind.BRACE_R && nesting === 0)
      Object.assign(counts, { aliases: 0, directives: 0 });
  }
  if (lexer.line > mostLines) throw tooComplex('lines', mostLines, lexer.line);
}

function demandShort(name: string): void {
  if (name.length > mostNameCharacters) throw tooComplex('name', mostNameCharacters, name.length);
}

const opening: ReadonlySet<string> = new Set([TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L]);
const closing: ReadonlySet<string> = new Set([TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R]);

function next(lexer: Lexer): string {
  try {
    return lexer.advance().kind;
  } catch {
    // A mistake is for the parser to tell, which reads no further either.
    return TokenKind.EOF;
  }
}
