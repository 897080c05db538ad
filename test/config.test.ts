import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ConfigError, parseConfig } from '../src/config.ts';
import { errorCodes } from '../src/errors.ts';
import { version } from '../src/lib/version.ts';

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const secret = 'x'.repeat(32);

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    parseConfig(environment);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).problems;
  }
}

describe('the configuration', () => {
  test('of an empty environment has the defaults', () => {
    expect(parseConfig({})).toEqual({
      isProduction: false,
      port: 4_000,
      host: 'localhost',
      databaseUrl: undefined,
      dataDirectory: '.data',
      redisUrls: undefined,
      tokens: { secret: undefined, jwksUrl: undefined, issuer: undefined, audience: undefined },
      corsOrigins: undefined,
      graphiql: true,
      demo: { files: undefined, hasPeople: true },
      journalRetentionMs: 7 * 86_400_000,
      limits: {
        connectionsPerUser: 20,
        subscriptionsPerConnection: 100,
        subscriptionCostPerConnection: 10_000,
        operation: {
          tokens: 15_000,
          selections: 1_000,
          depth: 15,
          aliases: 50,
          directives: 50,
          cost: 100_000,
        },
        connectionRatePerIp: { count: 60, perMs: 60_000 },
        socketMessageRate: { count: 300, perMs: 1_000 },
        operationRatePerUser: { count: 600, perMs: 60_000 },
        messageRatePerUser: { count: 60, perMs: 10_000 },
        bodyBytes: 4_194_304,
        messageBytes: 1_048_576,
        sendBufferBytes: 1_048_576,
      },
      persistedOperations: null,
      trustedProxies: undefined,
      drainSeconds: 10,
      presenceGraceSeconds: 10,
      eventTypes: undefined,
      metricsToken: undefined,
      logLevel: 'info',
      slowOperationMs: 1_000,
      tracing: undefined,
    });
  });

  test('takes empty and blank values for unset', () => {
    const names = variables();
    const empty = Object.fromEntries(names.map((name) => [name, '']));
    const blank = Object.fromEntries(names.map((name) => [name, '  ']));

    expect(parseConfig(empty)).toEqual(parseConfig({}));
    expect(parseConfig(blank)).toEqual(parseConfig({}));
  });

  test('reports every mistake together, by name', () => {
    const problems = problemsOf({
      PORT: 'many',
      DATABASE_URL: 'mysql://localhost',
      JWT_SECRET: 'short',
      JOURNAL_RETENTION: 'a week',
      CONNECTION_RATE_PER_IP: 'often',
      CORS_ORIGINS: 'example.com',
      LOG_LEVEL: 'loud',
      GRAPHIQL: 'yes',
      DEMO: 'yes',
    });

    expect(problems.map((problem) => problem.split(' ')[0]).sort()).toEqual(
      [
        'CORS_ORIGINS',
        'CONNECTION_RATE_PER_IP',
        'DATABASE_URL',
        'DEMO',
        'GRAPHIQL',
        'JOURNAL_RETENTION',
        'JWT_SECRET',
        'LOG_LEVEL',
        'PORT',
      ].sort(),
    );
  });

  test('reports mistakes and contradictions together', () => {
    expect(problemsOf({ NODE_ENV: 'production', PORT: 'many' })).toEqual([
      'PORT is not a whole number',
      expect.stringMatching(/^JWT_SECRET is missing/),
    ]);
  });

  test('says each mistake on a line of its own', () => {
    expect(() => parseConfig({ PORT: 'many', LOG_LEVEL: 'loud' })).toThrow(
      'The configuration has mistakes:\n  PORT is not a whole number\n  LOG_LEVEL is not a level such as info',
    );
  });

  test.each([
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '80.5'],
    ['DATABASE_URL', 'localhost:5432'],
    ['DEMO_FILES', '/nowhere'],
    ['REDIS_URL', 'http://localhost'],
    ['REDIS_URL', 'redis://one,two'],
    ['JWT_SECRET', 'x'.repeat(31)],
    ['JWT_JWKS_URL', 'file:///etc/keys'],
    ['CORS_ORIGINS', 'https://example.com/path'],
    ['CORS_ORIGINS', 'https://example.com/'],
    ['CORS_ORIGINS', 'capacitor://localhost/'],
    ['CORS_ORIGINS', 'javascript:alert'],
    ['CORS_ORIGINS', 'null'],
    ['JOURNAL_RETENTION', '7'],
    ['JOURNAL_RETENTION', '500ms'],
    ['JOURNAL_RETENTION', '1w'],
    ['JOURNAL_RETENTION', '0s'],
    ['JOURNAL_RETENTION', '-1d'],
    ['MAX_CONNECTIONS_PER_USER', '0'],
    ['SOCKET_MESSAGE_RATE', '300'],
    ['SOCKET_MESSAGE_RATE', '0/1s'],
    ['SOCKET_MESSAGE_RATE', '300/0s'],
    ['SOCKET_MESSAGE_RATE', '300/1s/2s'],
    ['MAX_BODY_BYTES', '1e6'],
    ['DRAIN_SECONDS', '10s'],
    ['SLOW_OPERATION_MS', '0'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'localhost:4318'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'api-key'],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
    ['TRUSTED_PROXIES', '10.0.0.0/33'],
    ['TRUSTED_PROXIES', '::1,10.0.0'],
    ['TRUSTED_PROXIES', 'proxy.example.com'],
    ['TRUSTED_PROXIES', '2001:db8::/x'],
  ])('refuses %s=%s', (name, value) => {
    expect(problemsOf({ [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name} `))]);
  });

  test.each([
    ['1s', 1_000],
    ['1500ms', 1_500],
    ['15m', 900_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
  ])('reads %s as a duration of %i milliseconds', (text, milliseconds) => {
    expect(parseConfig({ JOURNAL_RETENTION: text }).journalRetentionMs).toBe(milliseconds);
  });

  test('reads rates as a number of things in a time', () => {
    expect(parseConfig({ MESSAGE_RATE_PER_USER: '5/500ms' }).limits.messageRatePerUser).toEqual({
      count: 5,
      perMs: 500,
    });
  });

  test('reads lists by their commas, without white space and empty items', () => {
    const { corsOrigins, eventTypes, redisUrls, trustedProxies } = parseConfig({
      CORS_ORIGINS: 'https://one.example.com, http://localhost:3000,',
      EVENT_TYPES: 'a, b ,,c',
      REDIS_URL: 'redis://one:6379,rediss://two:6380',
      TRUSTED_PROXIES: '10.0.0.0/8,::1',
    });

    expect(corsOrigins).toEqual(['https://one.example.com', 'http://localhost:3000']);
    expect(eventTypes).toEqual(['a', 'b', 'c']);
    expect(redisUrls).toEqual(['redis://one:6379', 'rediss://two:6380']);
    expect(trustedProxies).toEqual(['10.0.0.0/8', '::1']);
  });

  test('counts the bytes of a secret, not its characters', () => {
    expect(parseConfig({ JWT_SECRET: 'é'.repeat(16) }).tokens.secret).toBe('é'.repeat(16));
  });

  test('takes a secret or keys, not both', () => {
    const problems = problemsOf({ JWT_SECRET: secret, JWT_JWKS_URL: 'https://login.example.com/keys' });
    expect(problems).toEqual([expect.stringMatching(/^JWT_JWKS_URL stands beside JWT_SECRET/)]);
  });
});

describe('tracing', () => {
  test('goes beneath the one address, or to the other as it is', () => {
    const [one, other] = ['http://collector:4318', 'http://collector:4318/own'];
    const urlOf = (environment: Record<string, string>) => parseConfig(environment).tracing?.url;

    expect(urlOf({ OTEL_EXPORTER_OTLP_ENDPOINT: one })).toBe(`${one}/v1/traces`);
    expect(urlOf({ OTEL_EXPORTER_OTLP_ENDPOINT: `${one}/` })).toBe(`${one}/v1/traces`);
    expect(urlOf({ OTEL_EXPORTER_OTLP_ENDPOINT: one, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: other })).toBe(
      other,
    );
  });

  test('takes headers with their values encoded', () => {
    const { tracing } = parseConfig({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
      OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%2Cb, tenant=one=two',
    });

    expect(tracing?.headers).toEqual({ 'api-key': 'a,b', tenant: 'one=two' });
  });
});

describe('production', () => {
  const production = { NODE_ENV: 'production' };

  test('refuses to start without a secret or keys', () => {
    expect(problemsOf(production)).toEqual([expect.stringMatching(/^JWT_SECRET is missing/)]);
    expect(problemsOf({ ...production, JWT_SECRET: ' ' })).toEqual([
      expect.stringMatching(/^JWT_SECRET is missing/),
    ]);
  });

  test('starts with either', () => {
    expect(parseConfig({ ...production, JWT_SECRET: secret }).isProduction).toBe(true);
    expect(parseConfig({ ...production, JWT_JWKS_URL: 'https://login.example.com/keys' }).isProduction).toBe(
      true,
    );
  });

  test('has GraphiQL only where it is asked for', () => {
    expect(parseConfig({ ...production, JWT_SECRET: secret }).graphiql).toBe(false);
    expect(parseConfig({ ...production, JWT_SECRET: secret, GRAPHIQL: '1' }).graphiql).toBe(true);
    expect(parseConfig({ GRAPHIQL: '0' }).graphiql).toBe(false);
  });
});

describe('the documentation', () => {
  test('names exactly the variables of the configuration', () => {
    const named = [...read('docs/configuration.md').matchAll(/^\| (`[A-Z_`, ]+`)/gm)].flatMap(([, cell]) => [
      ...cell!.matchAll(/`([A-Z_]+)`/g),
    ]);
    expect(named.map(([, name]) => name).sort()).toEqual(variables().sort());
  });

  test('names exactly the codes of errors, with their messages', () => {
    const rows = [...read('docs/errors.md').matchAll(/^\| `([A-Z_]+)` *\|(.*)$/gm)];

    expect(rows.map(([, code]) => code).sort()).toEqual(Object.keys(errorCodes).sort());
    for (const [, code, rest] of rows) {
      expect(rest).toContain(errorCodes[code as keyof typeof errorCodes].message);
    }
  });
});

/** As they stand in the schema. */
function variables(): string[] {
  return [...read('src/config.ts').matchAll(/^ {4}([A-Z_]+):/gm)].map(([, name]) => name!);
}

describe('the version', () => {
  test('is the one of package.json', () => {
    expect(version).toBe(JSON.parse(read('package.json')).version);
  });
});
