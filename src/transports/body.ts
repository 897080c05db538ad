import type { IncomingMessage } from 'node:http';
import { Refusal } from '../errors.ts';
import { JsonShape } from '../lib/json-shape.ts';
import type { Effort } from '../limits/effort.ts';
import { excessive } from './excessive.ts';
import type { Parameters } from './operation.ts';

/** An HTTP status and what is said with it. */
export class HttpRefusal extends Refusal {
  readonly status: number;

  constructor(status: number, code: Refusal['code'], message: string) {
    super(code, message);
    this.status = status;
  }
}

/**
 * A page elsewhere may send what a form can send without asking first: those types of bodies are never read.
 * @throws HttpRefusal 415
 */
export function demandJson({ headers }: IncomingMessage): void {
  const [type = ''] = (headers['content-type'] ?? '').split(';');
  if (/^application\/(graphql\+)?json$/i.test(type.trim())) return;
  throw new HttpRefusal(415, 'BAD_USER_INPUT', 'The body is sent as `application/json`.');
}

/**
 * Reads a whole body of JSON when it is the client's turn.
 * @throws HttpRefusal 413 past `most` bytes or for too many values in it, 400 when the client leaves before its end
 * @throws RATE_LIMITED
 */
export async function readBody(
  request: IncomingMessage,
  { most, effort }: { most: number; effort: Effort },
): Promise<string> {
  const parts = await collect(request, most);
  await effort.turn(parts.reduce((bytes, part) => bytes + part.length, 0));
  return Buffer.concat(parts).toString();
}

function collect(request: IncomingMessage, most: number): Promise<Buffer[]> {
  const parts: Buffer[] = [];
  const shape = new JsonShape();
  let bytes = 0;
  return new Promise((resolve, reject) => {
    const cut = () => reject(new HttpRefusal(400, 'BAD_USER_INPUT', 'The body ended too early.'));
    const refuse = (message: string) => {
      request.pause();
      reject(new HttpRefusal(413, 'LIMIT_EXCEEDED', message));
    };
    request.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > most) return refuse(`The body is larger than ${most} bytes.`);
      if (shape.isExcessiveWith(part)) return refuse(excessive().message);
      parts.push(part);
    });
    request.once('end', () => {
      request.off('close', cut);
      resolve(parts);
    });
    request.once('error', cut);
    // It may have left while its token was looked at: then there is neither an end nor an error.
    request.once('close', cut);
    if (request.destroyed) cut();
  });
}

/** What a client asks for by GET: JSON in the query string. */
export function parametersOfUrl({ searchParams }: URL): Parameters {
  return {
    query: searchParams.get('query') ?? undefined,
    documentId: searchParams.get('documentId') ?? undefined,
    operationName: searchParams.get('operationName') ?? undefined,
    variables: parseJson('variables', searchParams.get('variables')),
    extensions: parseJson('extensions', searchParams.get('extensions')),
  };
}

/** What a client asks for by POST. @throws HttpRefusal 400 */
export function parametersOfBody(body: string): Parameters {
  const parameters = parseJson('the body', body);
  if (typeof parameters === 'object' && parameters !== null && !Array.isArray(parameters)) return parameters;
  throw new HttpRefusal(400, 'BAD_USER_INPUT', 'The body is a JSON object.');
}

/** Undefined for nothing. @throws HttpRefusal 400 */
export function parseJson(name: string, text: string | null): unknown {
  if (text === null || text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new HttpRefusal(400, 'BAD_USER_INPUT', `That is not JSON: ${name}.`);
  }
}
