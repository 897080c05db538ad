import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/** The house, roof first. A floor imports from itself and from the floors below it. */
const floors: readonly (readonly string[])[] = [
  ['main.ts', 'cli'],
  ['server.ts', 'open.ts', 'listen.ts'],
  ['transports'],
  ['schema'],
  ['resolvers'],
  ['context.ts'],
  ['auth', 'limits'],
  ['domain'],
  ['db', 'redis'],
  ['observability'],
  ['realtime'],
  ['config.ts', 'errors.ts', 'lib'],
];

const root = fileURLToPath(new URL('../src/', import.meta.url));
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts'))
  .sort();
const sources = new Map(files.map((path) => [path, readFileSync(root + path, 'utf8')]));
const longest = 330;

/** The height counted from the roof; -1 outside of the house. */
const floorOf = (path: string) => floors.findIndex((rooms) => rooms.includes(path.split('/')[0]!));

/** As they are written, dynamic ones and re-exports included. */
function importsOf(path: string): string[] {
  const found = sources.get(path)!.matchAll(/(?:^|\s)(?:from|import)\s*\(?\s*'([^']+)'/g);
  return [...found].map(([, specifier]) => specifier!);
}

/** Those of our own files, from `src`. */
function neighboursOf(path: string): string[] {
  return importsOf(path)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => posix.join(posix.dirname(path), specifier));
}

/** Those that a folder's files have and it may not, as `file: import`. */
function strangers(folder: string, isAllowed: (imported: string) => boolean): string[] {
  return files
    .filter((path) => path.startsWith(`${folder}/`))
    .flatMap((path) => {
      const packages = importsOf(path).filter((specifier) => !specifier.startsWith('.'));
      return [...packages, ...neighboursOf(path)]
        .filter((imported) => !isAllowed(imported))
        .map((imported) => `${path}: ${imported}`);
    });
}

const matching = (pattern: RegExp) => files.filter((path) => pattern.test(sources.get(path)!));

describe('the house', () => {
  test.each(files)('has %s on a floor, looking only down', (path) => {
    expect(floorOf(path)).not.toBe(-1);
    expect(neighboursOf(path).filter((imported) => floorOf(imported) < floorOf(path))).toEqual([]);
    expect(neighboursOf(path).filter((imported) => floorOf(imported) === -1)).toEqual([]);
  });

  test('is built of files that are there', () => {
    const missing = files.flatMap((path) => neighboursOf(path).filter((imported) => !sources.has(imported)));
    expect(missing).toEqual([]);
  });
});

describe('the realtime cellar', () => {
  test('knows no PostgreSQL, no GraphQL and no nouns: it imports from itself and from Node alone', () => {
    expect(strangers('realtime', (imported) => /^(node:|realtime\/)/.test(imported))).toEqual([]);
  });
});

describe('the domain', () => {
  test('knows neither GraphQL nor a wire', () => {
    const isForeign = (imported: string) => /^(graphql|@pothos|ws$|node:http|graphql-ws)/.test(imported);
    expect(strangers('domain', (imported) => !isForeign(imported))).toEqual([]);
  });
});

describe('the resolvers', () => {
  test('know neither the database nor the builder nor its library', () => {
    const isForeign = (imported: string) =>
      /^(db\/|schema\/|@pothos|drizzle-orm|postgres|graphql)/.test(imported);
    expect(strangers('resolvers', (imported) => !isForeign(imported))).toEqual([]);
  });
});

describe('the schema', () => {
  test('knows no database', () => {
    const isForeign = (imported: string) => /^(db\/|drizzle-orm|postgres)/.test(imported);
    expect(strangers('schema', (imported) => !isForeign(imported))).toEqual([]);
  });
});

describe('the sources', () => {
  test('read the environment in config.ts alone', () => {
    expect(matching(/process\s*\.\s*env|import\.meta\.env/)).toEqual(['config.ts']);
  });

  test('have no barrels and no default exports', () => {
    expect(matching(/^export (\*|\{[^}]*\} from)/m)).toEqual([]);
    expect(matching(/^export default/m)).toEqual([]);
    expect(files.filter((path) => path.endsWith('index.ts'))).toEqual(['schema/index.ts']);
  });

  test(`have at most ${longest} lines to a file`, () => {
    const long = files.filter((path) => sources.get(path)!.trimEnd().split('\n').length > longest);
    expect(long).toEqual([]);
  });

  test('write their imports with extensions and without detours', () => {
    const odd = files.flatMap((path) =>
      importsOf(path).filter((specifier) => specifier.startsWith('.') && !specifier.endsWith('.ts')),
    );
    expect(odd).toEqual([]);
  });
});

describe.each(['client/src', 'web/src'])('%s', (folder) => {
  const home = fileURLToPath(new URL(`../${folder}/`, import.meta.url));
  /** Codegen's. */
  const isWritten = (path: string) => /\.tsx?$/.test(path) && path !== 'documents/graphql.ts';
  const paths = readdirSync(home, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter(isWritten);

  test(`has at most ${longest} lines to a file`, () => {
    expect(paths.length).toBeGreaterThan(10);
    const long = paths.filter(
      (path) =>
        readFileSync(home + path, 'utf8')
          .trimEnd()
          .split('\n').length > longest,
    );
    expect(long).toEqual([]);
  });
});
