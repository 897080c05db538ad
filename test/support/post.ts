import { type Agent, type IncomingMessage, request } from 'node:http';

/** What an operation over HTTP was answered with. */
export interface Answer {
  readonly status: number;
  readonly data?: any;
  readonly errors?: readonly { message: string; extensions?: { code: string } }[];
}

export interface Operation {
  readonly query: string;
  readonly variables?: Record<string, unknown>;
}

/** One operation by POST; rejects when no whole answer has come in time. */
export function post(
  url: string,
  { token, agent, withinMs = 5_000 }: { token: string; agent?: Agent; withinMs?: number },
  operation: Operation,
): Promise<Answer> {
  const body = JSON.stringify(operation);
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const signal = AbortSignal.timeout(withinMs);
    const asking = request(`${url}/graphql`, { method: 'POST', agent, headers, signal });
    asking.once('error', reject);
    asking.once('response', (response) => read(response).then(resolve, reject));
    asking.end(body);
  });
}

/** The data of one operation; fails on anything else. */
export async function ask(url: string, token: string, query: string, variables = {}): Promise<any> {
  const { status, data, errors } = await post(url, { token }, { query, variables });
  if (!data || errors) throw new Error(`${status} ${JSON.stringify(errors)}`);
  return data;
}

async function read(response: IncomingMessage): Promise<Answer> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) text += chunk;
  const status = response.statusCode!;
  // A proxy answers with a page of its own.
  return text.startsWith('{') ? { status, ...JSON.parse(text) } : { status };
}
