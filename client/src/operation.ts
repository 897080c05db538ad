import { type DocumentNode, print } from 'graphql';
import type { Request } from './types.ts';

export type OperationType = 'query' | 'mutation' | 'subscription';

/** An operation as it goes over a wire. */
export interface Payload {
  readonly query: string;
  readonly variables?: Record<string, unknown>;
  readonly operationName?: string;
  readonly extensions?: Record<string, unknown>;
}

const texts = new WeakMap<object, string>();

/** A document of codegen's `persistedDocuments` also goes by its hash, which is what counts where it is known. */
export function payloadOf<Data, Variables>(request: Request<Data, Variables>): Payload {
  const { document, variables, operationName } = request;
  const sha256Hash = hashOf(document);
  return {
    query: typeof document === 'string' ? document : textOf(document),
    ...(variables ? { variables: variables as Record<string, unknown> } : {}),
    ...(operationName ? { operationName } : {}),
    ...(sha256Hash ? byHash(sha256Hash) : {}),
  };
}

const byHash = (sha256Hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash } } });

/** What the client itself asks for. Written out, since the shipped documents of the two would be three times as large. */
export const positionQuery: Payload = {
  query: 'query Position { position }',
  ...byHash('sha256:0fbf2c7825166f9c5bede474edfa0a86e5b8e6d0db5a4da5e9396e6d1c0da4a7'),
};

export const refreshMutation = (token: string): Payload => ({
  query: 'mutation RefreshToken($token: String!) { refreshToken(token: $token) }',
  variables: { token },
  ...byHash('sha256:fcdc586dcea9562e737b2f0537e14625a9ce4fa3b712f7eef91a663a0e82a91d'),
});

function hashOf(document: string | (DocumentNode & { readonly __meta__?: { readonly hash?: string } })) {
  return typeof document === 'string' ? undefined : document.__meta__?.hash;
}

function textOf(document: DocumentNode): string {
  const text = texts.get(document) ?? print(document);
  texts.set(document, text);
  return text;
}

/** Comments, strings and what is within braces and parentheses say nothing about the kind of an operation. */
const noise = /#[^\n\r]*|"""(?:\\"""|[\s\S])*?"""|"(?:\\.|[^"\\\n\r])*"/g;
const header = /\b(query|mutation|subscription)\b\s*([A-Za-z_]\w*)?/g;

/** Of the one that `operationName` chooses, or else of the first. */
export function typeOf({ query, operationName }: Payload): OperationType {
  const outside = outermost(query.replace(noise, ' '));
  for (const [, type, name] of outside.matchAll(header)) {
    if (!operationName || name === operationName) return type as OperationType;
  }
  return 'query';
}

function outermost(text: string): string {
  let depth = 0;
  let found = '';
  for (const character of text) {
    if (character === '{' || character === '(') depth += 1;
    if (depth === 0) found += character;
    if (character === '}' || character === ')') depth -= 1;
  }
  return found;
}
