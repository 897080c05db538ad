import { readdirSync } from 'node:fs';
import { CloseCode } from 'graphql-ws';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config.ts';
import { reservedTypes } from '../../src/domain/event.ts';
import { errorCodes } from '../../src/errors.ts';
import { schema } from '../../src/schema/index.ts';
import { Closing } from '../../src/transports/closing.ts';
import { pages, read } from './pages.ts';

/** The rows of all tables of a page, each as its cells. */
const rowsOf = (page: string): string[][] =>
  [...read(page).matchAll(/^\|(.+)\|$/gm)].map(([, row]) => row!.split('|').map((cell) => cell.trim()));

/** The first cells that are of a form, by what it finds. */
const firstsOf = (page: string, form: RegExp): string[] =>
  rowsOf(page).flatMap(([first]) => {
    const found = form.exec(first!);
    return found ? [found[1]!] : [];
  });

describe('docs/configuration.md', () => {
  const defaults = rowsOf('docs/configuration.md').flatMap(([variable, value]) => {
    const name = /^`([A-Z_]+)`$/.exec(variable!)?.[1];
    const text = /^`(.+?)`/.exec(value ?? '')?.[1];
    return name && text ? [{ name, text }] : [];
  });

  test('has defaults', () => {
    expect(defaults.length).toBeGreaterThan(25);
  });

  test.each(defaults)('says rightly that $name is $text when it is not set', ({ name, text }) => {
    expect(parseConfig({ [name]: text })).toEqual(parseConfig({}));
  });
});

describe('docs/errors.md', () => {
  const text = (page: string, code: string) => rowsOf(page).find(([first]) => first === code)!;

  test.each(Object.entries(errorCodes))('says whether %s may be tried again', (code, { mayRetry }) => {
    expect(text('docs/errors.md', `\`${code}\``)[2]).toBe(mayRetry ? 'yes' : 'no');
  });

  test('has exactly the close codes that are sent', () => {
    const { InternalClientError, BadResponse, ConnectionAcknowledgementTimeout } = CloseCode;
    const ofClients: number[] = [InternalClientError, BadResponse, ConnectionAcknowledgementTimeout];
    const ofProtocol = Object.values(CloseCode).filter(
      (code): code is CloseCode => typeof code === 'number' && !ofClients.includes(code),
    );
    // Those of the library of sockets, for too many pieces and for too large a message.
    const sent = new Set([...ofProtocol, ...Object.values(Closing).map(({ code }) => code), 1008, 1009]);
    expect(firstsOf('docs/errors.md', /^(\d{4})$/)).toEqual([...sent].sort().map(String));
  });

  test('has exactly the HTTP statuses that are answered', () => {
    const folder = 'src/transports/';
    const files = readdirSync(new URL(`../../${folder}`, import.meta.url));
    const answered = files.flatMap((file) =>
      [
        ...read(folder + file).matchAll(
          /(?:HttpRefusal\(|status: |^ {2}[A-Z_]+: |statusLine\(|refuse\(\w+, )([1-5]\d\d)\b/gm,
        ),
      ].map(([, status]) => status!),
    );
    // docs/plain.md has what REST answers to what it has made; nothing there can be a conflict.
    const ofRest = new Set(['201', '409']);
    const expected = new Set([...answered, '500'].filter((status) => !ofRest.has(status)));
    expect(firstsOf('docs/errors.md', /^(\d{3})$/)).toEqual([...expected].sort());
  });
});

describe('docs/plain.md', () => {
  test('has the statuses of docs/errors.md alone', () => {
    const known = firstsOf('docs/errors.md', /^(\d{3})$/);
    expect(firstsOf('docs/plain.md', /^(\d{3})$/).filter((status) => !known.includes(status))).toEqual([]);
  });

  test('has every event of the stream whose name is refused to others', () => {
    const ofClients = ['open', 'error', 'next', 'complete'];
    const told = firstsOf('docs/plain.md', /^`([a-z_]+)`$/);
    const reserved = [...reservedTypes].filter((type) => !ofClients.includes(type));
    expect(told).toEqual(expect.arrayContaining(reserved));
  });
});

describe('docs/api.md', () => {
  const types = [schema.getQueryType()!, schema.getMutationType()!, schema.getSubscriptionType()!];
  const fields = types.flatMap((type) =>
    Object.values(type.getFields()).map(({ name, args }) => ({
      name,
      args: args.map((arg) => arg.name).sort(),
    })),
  );
  const documented = [...read('docs/api.md').matchAll(/^\| `(\w+)(?:\((.*?)\))?` *\| /gm)].map(
    ([, name, args]) => ({ name: name!, args: (args ?? '').split(', ').filter(Boolean).sort() }),
  );

  test.each(fields)('has $name, with its arguments', (field) => {
    expect(documented).toContainEqual(field);
  });
});

describe('docs/operation-cost.md', () => {
  const page = rowsOf('docs/operation-cost.md');
  const configured = rowsOf('docs/configuration.md');
  const limits = page.filter(([, , variable]) => /^`MAX_/.test(variable ?? ''));

  test.each(limits)(
    'has for %s the default that configuration.md has',
    (_measure, _counts, variable, value) => {
      expect(configured.find(([name]) => name === variable)?.[1]).toBe(`\`${value}\``);
    },
  );

  test('has limits', () => {
    expect(limits.length).toBeGreaterThan(4);
  });
});

describe('every page', () => {
  const variables = [...read('src/config.ts').matchAll(/^ {4}([A-Z_]+):/gm)].map(([, name]) => name!);
  const enums = Object.values(schema.getTypeMap()).flatMap((type) =>
    'getValues' in type ? type.getValues().map(({ name }) => name) : [],
  );
  const ofClient = readdirSync(new URL('../../client/src/', import.meta.url))
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [...read(`client/src/${file}`).matchAll(/'([A-Z]+(?:_[A-Z]+)+)'/g)])
    .map(([, code]) => code!);
  /** Of the tests and of the examples. */
  const others = ['TEST_DATABASE_URL', 'TEST_REDIS_URL', 'CHROMIUM_PATH', 'REALTIME_URL', 'REALTIME_TOKEN'];
  const known = new Set([...variables, ...enums, ...Object.keys(errorCodes), ...ofClient, ...others]);
  const { scripts } = JSON.parse(read('package.json'));

  test.each(pages())('%s names variables and codes that there are', (page) => {
    const named = [...read(page).matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)].map(([, name]) => name!);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test.each(pages())('%s names commands that there are', (page) => {
    const named = [...read(page).matchAll(/npm run (?:-s )?([\w:-]+)(?! -w)\b/g)].map(([, name]) => name!);
    expect(named.filter((name) => !(name in scripts) && name !== 'dev')).toEqual([]);
  });
});
