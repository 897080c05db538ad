import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Authenticate } from '../auth/authenticate.ts';
import type { NewToken } from '../auth/tokens.ts';
import type { Demo } from '../domain/demo.ts';
import { demoPeople } from '../domain/demo-content.ts';
import type { Viewer } from '../domain/viewer.ts';
import { forbidden, notFound, unauthenticated } from '../errors.ts';
import type { Guard } from '../limits/guard.ts';
import type { ClientAddressOf } from './address.ts';
import { sendJson } from './answer.ts';
import { tokenOf } from './bearer.ts';
import { demandJson, HttpRefusal, parseJson, readBody } from './body.ts';
import { isLocal } from './origin.ts';

const lifetimeMs = 12 * 3_600_000;
const mostBytes = 65_536;

export type DemoRoutes = ReturnType<typeof createDemoRoutes>;

/**
 * The paths beneath `/demo/`. `people` null: there is nobody to sign in as, and no table; the page is told so.
 *
 * A token is given only to a page that was opened by a name of this machine, and that is this server's own: a page
 * elsewhere may have its own name point here (DNS rebinding), or be another server of this machine.
 */
export function createDemoRoutes({ people, authenticate, guard, clientAddressOf }: DemoRoutesParts) {
  const routes: readonly Route[] = people
    ? [
        { path: /^\/demo\/tasks$/, method: 'GET', handle: () => people.demo.tasks() },
        {
          path: /^\/demo\/tasks$/,
          method: 'POST',
          handle: ({ viewer, body }) => people.demo.createTask(viewer, body),
        },
        {
          path: /^\/demo\/tasks\/([^/]+)$/,
          method: 'PUT',
          handle: ({ viewer, parameter, body }) => people.demo.changeTask(viewer, parameter, body),
        },
        {
          path: /^\/demo\/tasks\/([^/]+)$/,
          method: 'DELETE',
          handle: async ({ viewer, parameter }) => {
            await people.demo.deleteTask(viewer, parameter);
            return { id: parameter };
          },
        },
        {
          path: /^\/demo\/nudge$/,
          method: 'POST',
          handle: async ({ viewer, body }) => {
            await people.demo.nudge(viewer, body);
            return {};
          },
        },
        {
          path: /^\/demo\/chatter$/,
          method: 'POST',
          handle: async ({ viewer, body }) => ({ sent: await people.demo.chatter(viewer, body) }),
        },
        {
          path: /^\/demo\/journal$/,
          method: 'GET',
          handle: async ({ viewer }) => ({ events: await people.demo.journal(viewer) }),
        },
      ]
    : [];

  return {
    has: (pathname: string): boolean => pathname.startsWith('/demo/'),

    async respond(request: IncomingMessage, response: ServerResponse, { pathname }: URL): Promise<void> {
      if (pathname === '/demo/people') {
        const shown = people && isLocal(request.headers.host) ? demoPeople : [];
        return sendJson(response, 200, { people: shown });
      }
      if (pathname === '/demo/token') return signIn(request, response);
      const found = routes.filter(({ path }) => path.test(pathname));
      if (found.length === 0) throw new HttpRefusal(404, 'NOT_FOUND', `There is nothing at ${pathname}.`);
      const route = found.find(({ method }) => method === request.method);
      if (!route)
        throw wrongMethod(
          response,
          found.map(({ method }) => method),
        );
      const token = tokenOf(request);
      if (token === null) throw unauthenticated();
      const viewer = await authenticate(token);
      await guard.operating(viewer, clientAddressOf(request));
      const body = hasBody(route.method) ? await jsonOf(request, viewer) : undefined;
      sendJson(
        response,
        200,
        await route.handle({ viewer, body, parameter: route.path.exec(pathname)![1] ?? '' }),
      );
    },
  };

  async function signIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!people) throw new HttpRefusal(404, 'NOT_FOUND', 'Nobody can be signed in as here.');
    if (request.method !== 'POST') throw wrongMethod(response, ['POST']);
    const { host, origin } = request.headers;
    if (!isLocal(host) || (origin !== undefined && origin !== `http://${host}`)) {
      throw forbidden('Only a page of this server, opened by a name of this machine, signs in by one click.');
    }
    await guard.operating(null, clientAddressOf(request));
    const { userId } = ((await jsonOf(request, null)) ?? {}) as { userId?: unknown };
    const person = demoPeople.find(({ id }) => id === userId);
    if (!person) throw notFound('That person');
    const { name, roles } = person;
    const expiresAt = new Date(Date.now() + lifetimeMs);
    sendJson(response, 200, {
      token: await people.sign({ userId: person.id, name, roles, lifetimeMs }),
      expiresAt,
    });
  }

  async function jsonOf(request: IncomingMessage, viewer: Viewer | null): Promise<unknown> {
    demandJson(request);
    const effort = guard.effortOf(viewer, clientAddressOf(request));
    return parseJson('the body', await readBody(request, { most: mostBytes, effort }));
  }
}

const hasBody = (method: Route['method']) => method === 'POST' || method === 'PUT';

function wrongMethod(response: ServerResponse, methods: readonly string[]): HttpRefusal {
  const allowed = [...methods, 'OPTIONS'].join(', ');
  response.setHeader('allow', allowed);
  return new HttpRefusal(405, 'BAD_USER_INPUT', `The methods here are ${allowed}.`);
}

interface Route {
  readonly path: RegExp;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly handle: (request: { viewer: Viewer; body: unknown; parameter: string }) => Promise<object>;
}

interface DemoRoutesParts {
  readonly people: {
    readonly demo: Demo;
    readonly sign: (claims: NewToken) => Promise<string>;
  } | null;
  readonly authenticate: Authenticate;
  readonly guard: Pick<Guard, 'operating' | 'effortOf'>;
  readonly clientAddressOf: ClientAddressOf;
}
