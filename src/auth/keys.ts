import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import { unavailable } from '../errors.ts';

/** Keys are fetched anew when they are older: a key that was taken back is good for no longer. */
const freshMs = 5 * 60_000;
/** While the server of the keys is away, those that it gave last are good for so long. */
const mostStaleMs = 60 * 60_000;
/** It is not asked more often, whatever keys tokens name. */
const againMs = 10_000;
/** Without any keys nothing can be done: then it is asked this often. */
const firstAgainMs = 1_000;
/** How long it may take to answer, and how much. */
const answerMs = 5_000;
const mostBytes = 262_144;

/**
 * The keys of those who sign tokens, from the address that publishes them. Which one a token names is the token's to
 * say, and which there are is not: keys within tokens, and addresses of keys, are not looked at.
 * @throws UNAVAILABLE when they cannot be had
 */
export function createKeys({ url, failed }: KeysOptions): JWTVerifyGetKey {
  let keys: JWTVerifyGetKey | undefined;
  let fetchedAt = Number.NEGATIVE_INFINITY;
  let askedAt = Number.NEGATIVE_INFINITY;
  /** The last time that they were asked for it was in vain. */
  let isAway = false;
  let asking: Promise<void> | undefined;

  return async (header, token) => {
    if (performance.now() - fetchedAt >= freshMs) {
      const asked = ask();
      // Who was away the last time is not waited for while there are keys.
      if (!keys || !isAway) await asked;
    }
    const known = keysInForce();
    try {
      return await known(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      // It may have been published since.
      await ask();
      if (isAway) throw unavailable();
      return await keysInForce()(header, token);
    }
  };

  function keysInForce(): JWTVerifyGetKey {
    if (!keys || performance.now() - fetchedAt >= mostStaleMs) throw unavailable();
    return keys;
  }

  /** Once at a time, and not too often. */
  async function ask(): Promise<void> {
    const isTooSoon = performance.now() - askedAt < (keys ? againMs : firstAgainMs);
    if (!asking && isTooSoon) return;
    asking ??= fetchKeys(url)
      .then(
        (fetched) => {
          [keys, fetchedAt, isAway] = [fetched, performance.now(), false];
        },
        (error) => {
          isAway = true;
          failed(error);
        },
      )
      .finally(() => {
        [asking, askedAt] = [undefined, performance.now()];
      });
    await asking;
  }
}

async function fetchKeys(url: string): Promise<JWTVerifyGetKey> {
  const response = await fetch(url, {
    headers: { accept: 'application/jwk-set+json, application/json' },
    // An address that sends elsewhere is for the operator to mend.
    redirect: 'error',
    signal: AbortSignal.timeout(answerMs),
  });
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`The keys are answered with HTTP ${response.status}.`);
  }
  return createLocalJWKSet(JSON.parse(await textOf(response)));
}

async function textOf({ body }: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body ?? []) {
    parts.push(part);
    bytes += part.length;
    if (bytes > mostBytes) throw new Error(`The keys are more than ${mostBytes} bytes.`);
  }
  return Buffer.concat(parts).toString();
}

interface KeysOptions {
  readonly url: string;
  /** The keys could not be fetched. */
  failed(error: unknown): void;
}
