import type { IncomingMessage, ServerResponse } from 'node:http';
import cors from 'cors';
import type { Authenticate } from '../auth/authenticate.ts';
import { forbidden, unauthenticated, unavailable } from '../errors.ts';
import type { Effort } from '../limits/effort.ts';
import type { Guard } from '../limits/guard.ts';
import { wantsEventStream } from './accept.ts';
import type { ClientAddressOf } from './address.ts';
import { heldUntilTaken, send, sendFailure, sendJson, statusOf } from './answer.ts';
import { isSameToken, tokenOf } from './bearer.ts';
import { demandJson, HttpRefusal, parametersOfBody, parametersOfUrl, readBody } from './body.ts';
import type { DemoRoutes } from './demo.ts';
import type { createGraphiql } from './graphiql.ts';
import { sendPage, setSecurityHeaders } from './headers.ts';
import { type Operations, type Parameters, type Present, toJson, type Yoga } from './operation.ts';
import type { IsAllowedOrigin } from './origin.ts';
import type { Plain } from './plain.ts';
import type { Site } from './site.ts';
import type { createEventStreams } from './sse.ts';
import { urlOf } from './url.ts';
import { welcomePage } from './welcome.ts';

/** Every path of the server but the upgrade to WebSocket. */
export function createHttpHandler(parts: HttpParts) {
  const { yoga, authenticate, streams, present, isAllowedOrigin, limits } = parts;
  const isAllowed = ({ headers }: IncomingMessage) => isAllowedOrigin(headers.origin, headers.host);
  const welcome = welcomePage({ graphiql: parts.graphiql !== null });
  // No credentials: nothing that a browser adds by itself is looked at. Any header is allowed to whom anything is.
  const allowOrigins = cors((request: IncomingMessage, decide) => {
    decide(null, {
      origin: isAllowed(request),
      maxAge: 86_400,
      exposedHeaders: ['Retry-After', 'WWW-Authenticate'],
    });
  });

  return (request: IncomingMessage, response: ServerResponse): void => {
    setSecurityHeaders(response);
    allowOrigins(request as never, response as never, () => {
      route(request, response).catch((error) => refuse(response, error));
    });
  };

  async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = urlOf(request);
    if (url === null) throw new HttpRefusal(400, 'BAD_USER_INPUT', 'That is not an address.');
    if (parts.plain.has(url.pathname)) return parts.plain.respond(request, response, url);
    // A page opens one with no preflight before it, as it opens a WebSocket.
    if (wantsEventStream(request.headers.accept) !== 'no' && !isAllowed(request)) {
      throw forbidden('Pages of this origin may not open an event stream.');
    }
    if (parts.demo?.has(url.pathname)) return parts.demo.respond(request, response, url);
    if (parts.site?.has(url.pathname)) return parts.site.respond(request, response, url);
    switch (url.pathname) {
      case '/graphql':
        return graphql(request, response, url);
      case '/':
        return sendPage(response, welcome);
      case '/live':
        return sendJson(response, 200, { status: 'live' });
      case '/ready': {
        const { status, body } = await parts.readiness();
        return sendJson(response, status, body);
      }
      case '/metrics':
        return metrics(request, response);
      default:
        throw new HttpRefusal(404, 'NOT_FOUND', `There is nothing at ${url.pathname}.`);
    }
  }

  async function graphql(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    if (parts.graphiql && request.method === 'GET' && request.headers.accept?.includes('text/html')) {
      return sendPage(response, await parts.graphiql(request.headers.host));
    }
    if (request.method === 'POST') demandJson(request);
    const wish = wantsEventStream(request.headers.accept);
    const lastEventId = request.headers['last-event-id'];
    const resume = typeof lastEventId === 'string' && lastEventId !== '' ? [lastEventId] : [];
    const token = tokenOf(request) ?? (wish === 'no' ? null : url.searchParams.get('token'));
    let viewer = token === null ? null : await authenticate(token);
    const address = parts.clientAddressOf(request);
    const effort = parts.guard.effortOf(viewer, address);
    const charge = () => parts.guard.operating(viewer, address);
    // Before anything is read, where it can be nothing else than an operation.
    if (wish === 'no') await charge();
    if (request.method === 'GET') parametersOfUrl(url);
    const body =
      request.method === 'POST' ? await readBody(request, { most: limits.bodyBytes, effort }) : undefined;
    // A body may take a minute: its sender may have been blocked meanwhile.
    if (body !== undefined && token !== null) viewer = await authenticate(token);
    const parameters = wish === 'no' ? null : parametersFor(request, url, body);
    if (parameters && (wish === 'preferred' || isSubscription(parameters, effort))) {
      if (viewer === null) throw unauthenticated();
      // Over a connection that was open before; it would not be told to leave again.
      if (parts.isDraining()) throw unavailable();
      const isReadOnly = request.method === 'GET';
      const traceparent = traceparentOf(request);
      return streams(response, {
        parameters,
        viewer,
        lastEventId: resume[0],
        isReadOnly,
        traceparent,
        effort,
      });
    }
    if (wish !== 'no') await charge();
    // Its own kind of request costs a third of the platform's, and less than streams do.
    const { method = 'GET', headers } = request;
    const asked = new yoga.fetchAPI.Request(url.href, { method, headers: headers as HeadersInit, body });
    const answer = await yoga.fetch(asked, {
      viewer,
      resume,
      wire: 'http',
      traceparent: traceparentOf(request),
      effort,
      portion: heldUntilTaken(parts.guard.portionOf(viewer, address), response),
    });
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(await answer.text());
  }

  function isSubscription(parameters: Parameters, effort: Effort): boolean {
    const prepared = parts.operations.prepare(parameters, { viewer: null, resume: [], wire: 'http', effort });
    return !Array.isArray(prepared) && prepared.operation.operation === 'subscription';
  }

  async function metrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (parts.metricsToken && !isSameToken(tokenOf(request) ?? '', parts.metricsToken))
      throw unauthenticated();
    send(response, 200, parts.metrics.contentType, await parts.metrics.text());
  }

  function refuse(response: ServerResponse, error: unknown): void {
    const shown = present(error);
    if (response.headersSent) return void response.destroy();
    sendFailure(response, statusOf(error, shown), toJson({ errors: [shown] }), shown);
  }
}

function traceparentOf({ headers: { traceparent } }: IncomingMessage): string | undefined {
  return typeof traceparent === 'string' ? traceparent : undefined;
}

/** What says in a URL which operation is meant. */
const operationNames = ['query', 'documentId', 'extensions'];

/** Null where it is for Yoga to say what is wrong with the request. */
function parametersFor(request: IncomingMessage, url: URL, body: string | undefined): Parameters | null {
  if (request.method === 'GET')
    return operationNames.some((name) => url.searchParams.has(name)) ? parametersOfUrl(url) : null;
  return body ? parametersOfBody(body) : null;
}

interface HttpParts {
  readonly yoga: Yoga;
  readonly operations: Operations;
  readonly authenticate: Authenticate;
  readonly guard: Pick<Guard, 'operating' | 'effortOf' | 'portionOf'>;
  readonly clientAddressOf: ClientAddressOf;
  readonly streams: ReturnType<typeof createEventStreams>;
  readonly plain: Plain;
  /** Null: there is none. */
  readonly demo: DemoRoutes | null;
  /** The demo application; null: `/` is a page that says that the server runs. */
  readonly site: Site | null;
  readonly present: Present;
  readonly isAllowedOrigin: IsAllowedOrigin;
  readonly isDraining: () => boolean;
  readonly readiness: () => Promise<{ status: number; body: object }>;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  readonly metricsToken: string | undefined;
  /** Null: there is none. */
  readonly graphiql: ReturnType<typeof createGraphiql> | null;
  readonly limits: { readonly bodyBytes: number };
}
