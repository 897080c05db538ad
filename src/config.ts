import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { z } from 'zod';
import { parseDuration } from './lib/duration.ts';
import { readManifest } from './lib/manifest.ts';
import { isNetwork } from './lib/network.ts';

/** Thrown with every mistake at once. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration has mistakes:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** A number of things in a time. */
export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

export type Config = ReturnType<typeof parseConfig>;

/** The environment over what a `.env` file in the working directory says. Empty values count as unset. */
export function readEnvironment(): Record<string, string> {
  const file = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {};
  return { ...withoutEmpty(file), ...withoutEmpty(process.env) };
}

/** @throws ConfigError */
export function parseConfig(environment: Readonly<Record<string, string | undefined>>) {
  const values = withoutEmpty(environment);
  const parsed = schema.safeParse(values);
  const problems = [
    ...(parsed.error?.issues ?? []).map(({ path, message }) => `${path.join('.')} ${message}`),
    ...contradictions(values),
  ];
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return parsed.data;
}

function contradictions(values: Record<string, string>): string[] {
  return [...aboutTokens(values), ...aboutPersistedOperations(values)];
}

function aboutTokens({ NODE_ENV, JWT_SECRET, JWT_JWKS_URL }: Record<string, string>): string[] {
  if (JWT_SECRET && JWT_JWKS_URL) return ['JWT_JWKS_URL stands beside JWT_SECRET: keep one of them'];
  if (NODE_ENV !== 'production' || JWT_SECRET || JWT_JWKS_URL) return [];
  return ['JWT_SECRET is missing: production needs it, or JWT_JWKS_URL'];
}

function aboutPersistedOperations(values: Record<string, string>): string[] {
  if (values.PERSISTED_OPERATIONS_ONLY !== '1') return [];
  return [
    ...(values.PERSISTED_OPERATIONS ? [] : ['PERSISTED_OPERATIONS is missing: nothing at all could be run']),
    ...(values.GRAPHIQL === '1'
      ? ['GRAPHIQL stands beside PERSISTED_OPERATIONS_ONLY: it could run nothing']
      : []),
  ];
}

function withoutEmpty(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value?.trim())) as Record<
    string,
    string
  >;
}

const whole = (lowest: number, highest = Number.MAX_SAFE_INTEGER) =>
  z
    .string()
    .regex(/^\d+$/, 'is not a whole number')
    .transform(Number)
    .refine((value) => value >= lowest && value <= highest, `is not between ${lowest} and ${highest}`);

const duration = z.string().transform((text, context) => {
  const milliseconds = parseDuration(text);
  if (milliseconds !== null && milliseconds >= 1_000) return milliseconds;
  context.addIssue({ code: 'custom', message: 'is not a duration of at least 1s, such as 30s, 12h or 7d' });
  return z.NEVER;
});

/** Windows end by timers, which count to 24 days; and a user is not locked out for longer than this. */
const longestRateMs = 86_400_000;

const rate = z.string().transform((text, context): Rate => {
  const [count = '', per = '', ...rest] = text.split('/');
  const perMs = parseDuration(per);
  const isRate = /^[1-9]\d*$/.test(count) && perMs && perMs <= longestRateMs && rest.length === 0;
  if (isRate) return { count: Number(count), perMs };
  context.addIssue({ code: 'custom', message: 'is not a rate such as 60/1m, within a day at most' });
  return z.NEVER;
});

const url = (protocols: readonly string[]) =>
  z.string().refine(
    (text) => {
      return URL.canParse(text) && protocols.includes(new URL(text).protocol);
    },
    `is not an address that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
  );

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

/** Also those of apps, `capacitor://localhost` for one, of which the URL standard knows no origin. */
function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, host, origin } = new URL(text);
  return text === (origin === 'null' && host !== '' ? `${protocol}//${host}` : origin);
}

const origins = list.refine(
  (items) => items.every((item) => item === '*' || isOrigin(item)),
  'is not a list of origins such as https://app.example.com',
);

const networks = list.refine(
  (items) => items.every(isNetwork),
  'is not a list of addresses and networks such as 10.0.0.0/8 or 2001:db8::1',
);

const redisUrls = list.refine(
  (items) =>
    items.every((item) => URL.canParse(item) && ['redis:', 'rediss:'].includes(new URL(item).protocol)),
  'is not redis://…, rediss://… or a list of such addresses',
);

/** https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables */
const headers = z.string().transform((text, context): Record<string, string> => {
  try {
    const pairs = text.split(',').map((pair) => /^\s*([\w.-]+)\s*=(.*)$/.exec(pair)!.slice(1));
    return Object.fromEntries(pairs.map(([name, value]) => [name, decodeURIComponent(value!.trim())]));
  } catch {
    context.addIssue({ code: 'custom', message: 'is not a list of headers such as api-key=abc,tenant=one' });
    return z.NEVER;
  }
});

const manifest = z.string().transform((path, context) => {
  try {
    return readManifest(path);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
    return z.NEVER;
  }
});

const samplers = [
  ...(['always_on', 'always_off', 'traceidratio'] as const),
  ...(['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'] as const),
];

const schema = z
  .object({
    NODE_ENV: z.string().default('development'),
    PORT: whole(0, 65_535).default(4_000),
    HOST: z.string().default('localhost'),
    DATABASE_URL: url(['postgres:', 'postgresql:']).optional(),
    DATA_DIR: z.string().default('.data'),
    REDIS_URL: redisUrls.optional(),
    JWT_SECRET: z
      .string()
      .refine((secret) => Buffer.byteLength(secret) >= 32, 'is shorter than 32 bytes')
      .optional(),
    JWT_JWKS_URL: url(['http:', 'https:']).optional(),
    JWT_ISSUER: z.string().optional(),
    JWT_AUDIENCE: z.string().optional(),
    CORS_ORIGINS: origins.optional(),
    GRAPHIQL: z.enum(['0', '1'], 'is neither 0 nor 1').optional(),
    DEMO: z.enum(['0', '1'], 'is neither 0 nor 1').default('1'),
    DEMO_FILES: z
      .string()
      .refine((path) => existsSync(join(path, 'index.html')), 'is not a directory with an index.html')
      .optional(),
    JOURNAL_RETENTION: duration.default(parseDuration('7d')!),
    MAX_CONNECTIONS_PER_USER: whole(1).default(20),
    MAX_SUBSCRIPTIONS_PER_CONNECTION: whole(1).default(100),
    CONNECTION_RATE_PER_IP: rate.default({ count: 60, perMs: 60_000 }),
    TRUSTED_PROXIES: networks.optional(),
    MAX_SUBSCRIPTION_COST_PER_CONNECTION: whole(1).default(10_000),
    MAX_OPERATION_TOKENS: whole(1).default(15_000),
    MAX_OPERATION_SELECTIONS: whole(1).default(1_000),
    MAX_OPERATION_DEPTH: whole(1).default(15),
    MAX_OPERATION_ALIASES: whole(0).default(50),
    MAX_OPERATION_DIRECTIVES: whole(0).default(50),
    MAX_OPERATION_COST: whole(1).default(100_000),
    PERSISTED_OPERATIONS: manifest.optional(),
    PERSISTED_OPERATIONS_ONLY: z.enum(['0', '1'], 'is neither 0 nor 1').optional(),
    SOCKET_MESSAGE_RATE: rate.default({ count: 300, perMs: 1_000 }),
    OPERATION_RATE_PER_USER: rate.default({ count: 600, perMs: 60_000 }),
    MESSAGE_RATE_PER_USER: rate.default({ count: 60, perMs: 10_000 }),
    MAX_BODY_BYTES: whole(1).default(4_194_304),
    MAX_MESSAGE_BYTES: whole(1).default(1_048_576),
    SEND_BUFFER_BYTES: whole(1).default(1_048_576),
    DRAIN_SECONDS: whole(0, 3_600).default(10),
    PRESENCE_GRACE_SECONDS: whole(0, 3_600).default(10),
    EVENT_TYPES: list.optional(),
    METRICS_TOKEN: z.string().optional(),
    LOG_LEVEL: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], 'is not a level such as info')
      .default('info'),
    SLOW_OPERATION_MS: whole(1).default(1_000),
    OTEL_EXPORTER_OTLP_ENDPOINT: url(['http:', 'https:']).optional(),
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url(['http:', 'https:']).optional(),
    OTEL_EXPORTER_OTLP_HEADERS: headers.default({}),
    OTEL_SERVICE_NAME: z.string().default('gravitycar-realtime'),
    OTEL_TRACES_SAMPLER: z
      .enum(samplers, `is none of ${samplers.join(', ')}`)
      .default('parentbased_always_on'),
    OTEL_TRACES_SAMPLER_ARG: z
      .string()
      .refine((text) => /^\d*\.?\d+$/.test(text) && Number(text) <= 1, 'is not a number from 0 to 1')
      .transform(Number)
      .default(1),
  })
  .transform((values) => {
    const isProduction = values.NODE_ENV === 'production';
    const isPersistedOnly = values.PERSISTED_OPERATIONS_ONLY === '1';
    return {
      isProduction,
      port: values.PORT,
      host: values.HOST,
      databaseUrl: values.DATABASE_URL,
      dataDirectory: values.DATA_DIR,
      redisUrls: values.REDIS_URL,
      tokens: {
        secret: values.JWT_SECRET,
        jwksUrl: values.JWT_JWKS_URL,
        issuer: values.JWT_ISSUER,
        audience: values.JWT_AUDIENCE,
      },
      corsOrigins: values.CORS_ORIGINS,
      graphiql: values.GRAPHIQL ? values.GRAPHIQL === '1' : !isProduction && !isPersistedOnly,
      demo: values.DEMO === '1' ? { files: values.DEMO_FILES, hasPeople: !isProduction } : null,
      journalRetentionMs: values.JOURNAL_RETENTION,
      limits: {
        connectionsPerUser: values.MAX_CONNECTIONS_PER_USER,
        subscriptionsPerConnection: values.MAX_SUBSCRIPTIONS_PER_CONNECTION,
        subscriptionCostPerConnection: values.MAX_SUBSCRIPTION_COST_PER_CONNECTION,
        operation: {
          tokens: values.MAX_OPERATION_TOKENS,
          selections: values.MAX_OPERATION_SELECTIONS,
          depth: values.MAX_OPERATION_DEPTH,
          aliases: values.MAX_OPERATION_ALIASES,
          directives: values.MAX_OPERATION_DIRECTIVES,
          cost: values.MAX_OPERATION_COST,
        },
        connectionRatePerIp: values.CONNECTION_RATE_PER_IP,
        socketMessageRate: values.SOCKET_MESSAGE_RATE,
        operationRatePerUser: values.OPERATION_RATE_PER_USER,
        messageRatePerUser: values.MESSAGE_RATE_PER_USER,
        bodyBytes: values.MAX_BODY_BYTES,
        messageBytes: values.MAX_MESSAGE_BYTES,
        sendBufferBytes: values.SEND_BUFFER_BYTES,
      },
      persistedOperations: values.PERSISTED_OPERATIONS
        ? { documents: values.PERSISTED_OPERATIONS, isOnly: isPersistedOnly }
        : null,
      trustedProxies: values.TRUSTED_PROXIES,
      drainSeconds: values.DRAIN_SECONDS,
      presenceGraceSeconds: values.PRESENCE_GRACE_SECONDS,
      eventTypes: values.EVENT_TYPES,
      metricsToken: values.METRICS_TOKEN,
      logLevel: values.LOG_LEVEL,
      slowOperationMs: values.SLOW_OPERATION_MS,
      tracing: tracingOf(values),
    };
  });

/** Undefined: nothing is traced. */
function tracingOf(values: TracingVariables) {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = values;
  const address = own ?? (base && `${base.replace(/\/$/, '')}/v1/traces`);
  if (!address) return undefined;
  return {
    url: address,
    headers: values.OTEL_EXPORTER_OTLP_HEADERS,
    serviceName: values.OTEL_SERVICE_NAME,
    sampler: values.OTEL_TRACES_SAMPLER,
    ratio: values.OTEL_TRACES_SAMPLER_ARG,
  };
}

interface TracingVariables {
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined;
  readonly OTEL_EXPORTER_OTLP_TRACES_ENDPOINT?: string | undefined;
  readonly OTEL_EXPORTER_OTLP_HEADERS: Record<string, string>;
  readonly OTEL_SERVICE_NAME: string;
  readonly OTEL_TRACES_SAMPLER: (typeof samplers)[number];
  readonly OTEL_TRACES_SAMPLER_ARG: number;
}
