import type { Config } from '../config.ts';

/** What of the configuration is nobody's business, wherever it may turn up. */
export function secretsOf({ tokens, metricsToken, databaseUrl, redisUrls, tracing }: Config): string[] {
  const urls = [databaseUrl, ...(redisUrls ?? []), tracing?.url].filter((url) => url !== undefined);
  const given = [tokens.secret, metricsToken, ...Object.values(tracing?.headers ?? {})];
  return [...given, ...urls.flatMap(passwordsOf)].filter((secret) => secret !== undefined);
}

/** As it stands in the address, and as it is meant. The password of a trial that is the user's name is none. */
function passwordsOf(url: string): string[] {
  const { username, password } = new URL(url);
  return password === username ? [] : [password, decodeURIComponent(password)];
}

/** The configuration as the log tells it at the start. */
export function describeConfig(config: Config): object {
  const { databaseUrl, dataDirectory, redisUrls, tokens, metricsToken, tracing, ...rest } = config;
  return {
    ...rest,
    database: databaseUrl ? placeOf(databaseUrl) : `embedded in ${dataDirectory}`,
    redis: redisUrls?.map(placeOf) ?? 'none',
    tokens: {
      keys: tokens.jwksUrl
        ? placeOf(tokens.jwksUrl)
        : tokens.secret
          ? 'a given secret'
          : 'a generated secret',
      issuer: tokens.issuer,
      audience: tokens.audience,
    },
    metricsToken: metricsToken ? 'set' : 'not set',
    tracing: tracing ? { url: placeOf(tracing.url), sampler: tracing.sampler, ratio: tracing.ratio } : 'off',
  };
}

/** Where an address leads, without who goes there. */
function placeOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
