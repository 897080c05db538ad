/** Which pages may talk to this server. Programs that are no browser send no origin. */
export type IsAllowedOrigin = (origin: string | undefined, host: string | undefined) => boolean;

/** `allowed` undefined: pages of this server, and in development those of this machine. */
export function createOriginCheck(
  allowed: readonly string[] | undefined,
  isProduction: boolean,
): IsAllowedOrigin {
  return (origin, host) => {
    if (origin === undefined) return true;
    if (!URL.canParse(origin)) return false;
    const { host: originHost, hostname } = new URL(origin);
    if (originHost === host) return true;
    if (allowed) return allowed.includes('*') || allowed.includes(origin);
    return !isProduction && localNames.has(hostname);
  };
}

/** Whether a `Host` header names this machine itself. */
export function isLocal(host: string | undefined): boolean {
  return URL.canParse(`http://${host}`) && localNames.has(new URL(`http://${host}`).hostname);
}

const localNames = new Set(['localhost', '127.0.0.1', '[::1]']);
