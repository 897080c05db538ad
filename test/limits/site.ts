import type { Role } from '../../src/domain/viewer.ts';
import { usualPatience } from '../../src/limits/patience.ts';
import { preparedDatabase } from '../support/database.ts';
import { type OwnRedis, startRedis } from '../support/redis-server.ts';
import { type DatabaseKind, type TestServer, testServer } from '../support/server.ts';
import { EventStreamClient } from '../support/sse.ts';
import { type OperationRequest, type Payload, SocketClient } from '../support/websocket.ts';

/** Where limits are tried out: what they count on one node, and on several. */
export const sites = ['one node', 'two nodes', 'two nodes with Redis'] as const;
export type SiteKind = (typeof sites)[number];

export interface Site {
  readonly nodes: readonly TestServer[];
  readonly redis: OwnRedis | null;
  close(): Promise<void>;
}

/** Nodes that believe what is said of a client's address, so that everybody can have one of their own. */
export async function startSite(kind: SiteKind, limits: Record<string, string>): Promise<Site> {
  const redis = kind === 'two nodes with Redis' ? await startRedis() : null;
  const database: DatabaseKind = kind === 'one node' ? 'embedded' : 'postgres';
  const shared = database === 'postgres' ? await preparedDatabase() : null;
  const environment = {
    TRUSTED_PROXIES: '127.0.0.1,::1',
    ...(redis ? { REDIS_URL: redis.url } : {}),
    ...limits,
  };
  // A busy machine is no Redis that is away.
  const patience = { ...usualPatience, countMs: 30_000 };
  const start = () => testServer(database, environment, shared?.url, patience);
  const nodes = [await start()];
  if (shared) nodes.push(await start());
  return {
    nodes,
    redis,
    close: async () => {
      for (const node of nodes) await node.close();
      await shared?.drop();
      await redis?.stop();
    },
  };
}

let visitors = 0;

/** What an operation was answered with. */
export interface Answer extends Payload {
  readonly status: number;
  readonly headers: Headers;
}

/** Somebody at an address of their own, who turns to the nodes one after the other. */
export class Visitor {
  readonly address = `198.51.100.${++visitors}`;
  readonly userId = `visitor-${visitors}`;
  readonly #site: Site;
  readonly #isAnonymous: boolean;
  readonly #roles: readonly Role[];
  #visits = 0;

  constructor(
    site: Site,
    { isAnonymous = false, roles = [] }: { isAnonymous?: boolean; roles?: readonly Role[] } = {},
  ) {
    this.#site = site;
    this.#isAnonymous = isAnonymous;
    this.#roles = roles;
  }

  async post(operation: OperationRequest, accept = 'application/json', node = this.#next()): Promise<Answer> {
    const headers = { ...(await this.#headers(node)), 'content-type': 'application/json', accept };
    const body = JSON.stringify(operation);
    const response = await fetch(`${node.url}/graphql`, { method: 'POST', headers, body });
    const text = await response.text();
    const payload = text.startsWith('{') ? JSON.parse(text) : JSON.parse(/^data: (.*)$/m.exec(text)![1]!);
    return { ...payload, status: response.status, headers: response.headers };
  }

  /** A request of plain HTTP. */
  async get(path: string): Promise<{ status: number; headers: Headers; body: any }> {
    const node = this.#next();
    const response = await fetch(node.url + path, { headers: await this.#headers(node) });
    // A stream that is open has no end.
    if (response.headers.get('content-type')?.includes('event-stream')) void response.body!.cancel();
    const body = response.bodyUsed ? null : await response.json();
    return { status: response.status, headers: response.headers, body };
  }

  /** A socket that says who it is, and may be let in. */
  async socket(node = this.#next()): Promise<SocketClient> {
    const init = this.#isAnonymous ? undefined : { token: await this.#token(node) };
    return new SocketClient(`${node.url}/graphql`, init, { headers: this.#where });
  }

  async stream(operation: OperationRequest, node = this.#next()): Promise<EventStreamClient> {
    return new EventStreamClient(`${node.url}/graphql`, await this.#token(node), operation, this.#where);
  }

  get #where() {
    return { 'x-forwarded-for': this.address };
  }

  async #headers(node: TestServer): Promise<Record<string, string>> {
    if (this.#isAnonymous) return this.#where;
    return { ...this.#where, authorization: `Bearer ${await this.#token(node)}` };
  }

  #token(node: TestServer): Promise<string> {
    return node.token(this.userId, this.#roles);
  }

  #next(): TestServer {
    const { nodes } = this.#site;
    this.#visits += 1;
    return nodes[this.#visits % nodes.length]!;
  }
}

/** The codes of a series of answers, `ok` for what was done. */
export function codesOf(answers: readonly Payload[]): string[] {
  return answers.map(({ errors }) => errors?.[0]?.extensions.code ?? 'ok');
}

/** How many of each there are. */
export function tally(codes: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const code of codes) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

/** Does something so many times, one after the other. */
export async function times<Result>(
  count: number,
  work: (index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let index = 0; index < count; index += 1) results.push(await work(index));
  return results;
}
