import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authenticate } from '../auth/authenticate.ts';
import type { Notifications } from '../domain/notification.ts';
import { forbidden, unauthenticated, unavailable } from '../errors.ts';
import type { Effort } from '../limits/effort.ts';
import type { Guard } from '../limits/guard.ts';
import type { ClientAddressOf } from './address.ts';
import { heldUntilTaken, sendFailure, sendJson, statusOf } from './answer.ts';
import { tokenOf } from './bearer.ts';
import { demandJson, HttpRefusal, parseJson, readBody } from './body.ts';
import type { Present } from './operation.ts';
import type { IsAllowedOrigin } from './origin.ts';
import type { PlainEvents } from './plain-events.ts';
import { createNotificationTwins, type RestAnswer, type RestRequest } from './rest.ts';

export type Plain = ReturnType<typeof createPlain>;

/** The interfaces that need no GraphQL: one event stream, and REST. */
export function createPlain(parts: PlainParts) {
  const { authenticate, guard, events, notifications, present, isAllowedOrigin, isDraining, limits } = parts;
  const twins = createNotificationTwins(notifications);
  const routes: readonly Route[] = [
    { path: /^\/realtime\/events$/, method: 'GET', handle: 'stream' },
    { path: /^\/notifications$/, method: 'GET', handle: twins.list },
    { path: /^\/notifications\/send$/, method: 'POST', handle: twins.send },
    { path: /^\/notifications\/([^/]+)\/read$/, method: 'PUT', handle: twins.read },
  ];

  return {
    /** Whether a path is one of these, or would be if it were there. */
    has: (pathname: string): boolean => /^\/(realtime|notifications)(\/|$)/.test(pathname),

    async respond(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
      try {
        await route(request, response, url);
      } catch (error) {
        fail(response, error);
      }
    },
  };

  async function route(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const found = routes.find(({ path }) => path.test(url.pathname));
    if (!found) throw new HttpRefusal(404, 'NOT_FOUND', `There is nothing at ${url.pathname}.`);
    const { path, method, handle } = found;
    const methods = method === 'GET' ? ['GET', 'HEAD'] : [method];
    if (!methods.includes(request.method!)) {
      const allowed = [...methods, 'OPTIONS'].join(', ');
      response.setHeader('allow', allowed);
      throw new HttpRefusal(405, 'BAD_USER_INPUT', `The methods here are ${allowed}.`);
    }
    const isStream = handle === 'stream';
    const { origin, host } = request.headers;
    // A page opens one with no preflight before it.
    if (isStream && !isAllowedOrigin(origin, host)) {
      throw forbidden('Pages of this origin may not open an event stream.');
    }
    const token = tokenOf(request) ?? (isStream ? url.searchParams.get('token') : null);
    if (token === null) throw unauthenticated();
    let viewer = await authenticate(token);
    if (isStream) {
      // Over a connection that was open before; it would not be told to leave again.
      if (isDraining()) throw unavailable();
      return events.respond({ request, response, url, viewer });
    }
    const address = parts.clientAddressOf(request);
    await guard.operating(viewer, address);
    const body = method === 'POST' ? await jsonOf(request, guard.effortOf(viewer, address)) : undefined;
    // A body may take a minute: its sender may have been blocked meanwhile.
    if (method === 'POST') viewer = await authenticate(token);
    const parameter = decoded(path.exec(url.pathname)![1] ?? '');
    const portion = heldUntilTaken(guard.portionOf(viewer, address), response);
    const respond = () => handle({ viewer, url, parameter, body });
    const { status, ...answer } = await (method === 'GET' ? portion.read(respond) : respond());
    sendJson(response, status, { success: true, ...answer });
  }

  async function jsonOf(request: IncomingMessage, effort: Effort): Promise<unknown> {
    demandJson(request);
    return parseJson('the body', await readBody(request, { most: limits.bodyBytes, effort }));
  }

  function fail(response: ServerResponse, error: unknown): void {
    const shown = present(error);
    if (response.headersSent) return void response.destroy();
    const { code, retryAfterMs, errorId } = shown.extensions;
    const said = { code, message: shown.message, retry_after_ms: retryAfterMs, error_id: errorId };
    sendFailure(response, statusOf(error, shown), { success: false, error: said }, shown);
  }
}

/** What is not encoded as it should be names nothing. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

interface Route {
  readonly path: RegExp;
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly handle: 'stream' | ((request: RestRequest) => Promise<RestAnswer>);
}

interface PlainParts {
  readonly authenticate: Authenticate;
  readonly guard: Pick<Guard, 'operating' | 'effortOf' | 'portionOf'>;
  readonly clientAddressOf: ClientAddressOf;
  readonly events: PlainEvents;
  readonly notifications: Notifications;
  readonly present: Present;
  readonly isAllowedOrigin: IsAllowedOrigin;
  readonly limits: { readonly bodyBytes: number };
  isDraining(): boolean;
}
