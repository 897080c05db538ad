import { parseArgs } from 'node:util';
import { createTokens } from '../auth/tokens.ts';
import { type Config, parseConfig, readEnvironment } from '../config.ts';
import { inMemory } from '../db/embedded.ts';
import { isUserId } from '../domain/input.ts';
import type { Role } from '../domain/viewer.ts';
import { parseDuration } from '../lib/duration.ts';
import { openDatabase, tokenSecret } from '../open.ts';
import { end } from './end.ts';

const usage =
  'usage: npm run -s token -- --user alice [--name "Alice"] [--role admin] [--role service] [--expires 1h]';

await end(async () => {
  const wanted = parseArguments(process.argv.slice(2));
  const config = parseConfig(readEnvironment());
  const { sign } = createTokens({ ...config.tokens, secret: await secretInForce(config) });
  if (!sign) throw new Error('Tokens are signed by whoever has the keys of JWT_JWKS_URL, not here.');
  console.log(await sign(wanted));
});

async function secretInForce(config: Config): Promise<string | undefined> {
  if (config.tokens.secret || config.tokens.jwksUrl) return config.tokens.secret;
  if (config.databaseUrl) {
    const database = await openDatabase(config);
    const secret = await tokenSecret(config, database);
    await database.close();
    return secret;
  }
  if (config.dataDirectory !== inMemory) return tokenSecret(config, null);
  throw new Error('DATA_DIR=memory: keeps no secret between processes: set JWT_SECRET for both.');
}

function parseArguments(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      user: { type: 'string' },
      name: { type: 'string' },
      role: { type: 'string', multiple: true },
      expires: { type: 'string', default: '1h' },
    },
  });
  if (values.user === undefined) throw new Error(usage);
  if (!isUserId(values.user))
    throw new Error('A user has an id of 1 to 128 characters and no control characters.');
  const roles = values.role ?? [];
  if (!roles.every((role): role is Role => role === 'admin' || role === 'service')) {
    throw new Error('A role is admin or service.');
  }
  const lifetimeMs = parseDuration(values.expires);
  if (!lifetimeMs) throw new Error('`--expires` is a time such as 30m, 1h or 7d.');
  return { userId: values.user, name: values.name, roles, lifetimeMs };
}
