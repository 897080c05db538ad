import { readFileSync } from 'node:fs';
import { parse } from 'graphql';
import { z } from 'zod';

/** As `@graphql-codegen/client-preset` writes it: id to text. */
const plain = z.record(z.string().min(1), z.string());
/** As Apollo's tools write it. */
const apollo = z.object({
  format: z.string(),
  version: z.number(),
  operations: z.array(z.object({ id: z.string().min(1), body: z.string() })),
});

/**
 * Reads the persisted operations of a file, by their ids.
 * @throws Error that says what is wrong with it
 */
export function readManifest(path: string): ReadonlyMap<string, string> {
  const documents = documentsOf(readJson(path));
  if (documents.length === 0) throw new Error('names a file without operations');
  for (const [id, text] of documents) {
    try {
      parse(text);
    } catch (error) {
      throw new Error(`names a file whose operation "${id}" cannot be parsed: ${(error as Error).message}`);
    }
  }
  return new Map(documents);
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const isJson = !(error instanceof SyntaxError);
    throw new Error(
      isJson ? `names a file that cannot be read: ${path}` : `names a file that is not JSON: ${path}`,
    );
  }
}

function documentsOf(json: unknown): (readonly [string, string])[] {
  const { data: manifest } = apollo.safeParse(json);
  if (manifest) return manifest.operations.map(({ id, body }) => [id, body]);
  const { data: documents } = plain.safeParse(json);
  if (documents) return Object.entries(documents);
  throw new Error('names a file that is neither an object of hash to text nor a manifest of Apollo');
}
