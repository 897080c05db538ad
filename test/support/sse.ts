import { type get, request as httpRequest, type IncomingMessage } from 'node:http';
import type { OperationRequest } from './websocket.ts';
import { type Frame, Stream } from './websocket.ts';

/** One block of an event stream. */
export interface Block {
  id?: string;
  event?: string;
  data?: string;
  retry?: string;
}

/** A GraphQL subscription over Server-Sent Events, with every block as it came. */
export class EventStreamClient {
  readonly stream: Stream;
  readonly blocks: Block[] = [];
  readonly response: Promise<IncomingMessage>;
  /** Resolves with `complete` when the server completed, with `cut` when the connection merely ended. */
  readonly ended: Promise<'complete' | 'cut'>;
  #request: ReturnType<typeof get>;
  #opened!: (position: string) => void;
  /** The position of the first block. */
  readonly opened: Promise<string>;

  constructor(
    url: string,
    token: string | null,
    operation: OperationRequest,
    headers: Record<string, string> = {},
  ) {
    this.stream = new Stream(() => this.cut());
    this.opened = new Promise((resolve) => {
      this.#opened = resolve;
    });
    const body = JSON.stringify(operation);
    this.#request = httpRequest(url, {
      method: 'POST',
      agent: false,
      headers: {
        accept: 'text/event-stream',
        'content-type': 'application/json',
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
    });
    let isComplete = false;
    this.response = new Promise((resolve, reject) => {
      this.#request.on('response', resolve);
      this.#request.on('error', (error) => {
        this.stream.cut();
        reject(error);
      });
    });
    this.response.catch(() => {});
    this.ended = this.response
      .then(async (response) => {
        let text = '';
        let last = '';
        response.setEncoding('utf8');
        for await (const chunk of response as AsyncIterable<string>) {
          text += chunk;
          // To look into what is long as often as it grows takes longer than to get it.
          const mayEnd = (last + chunk).includes('\n\n');
          last = chunk.at(-1) ?? last;
          if (!mayEnd) continue;
          for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
            isComplete ||= this.#read(parse(text.slice(0, end)));
            text = text.slice(end + 2);
          }
        }
      })
      .catch(() => {})
      .then(() => {
        this.stream.cut();
        return isComplete ? 'complete' : 'cut';
      });
    this.#request.end(body);
  }

  /** Drops the connection without a word. */
  cut(): void {
    this.#request.destroy();
  }

  /** True for the completion. */
  #read(block: Block): boolean {
    this.blocks.push(block);
    if (block.id && !block.event) this.#opened(block.id);
    if (block.event === 'next') this.stream.push({ type: 'next', payload: JSON.parse(block.data!) } as Frame);
    if (block.event === 'complete') this.stream.push({ type: 'complete' });
    return block.event === 'complete';
  }
}

export function parse(text: string): Block {
  const block: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const [, name, value] = /^(\w*): ?(.*)$/.exec(line) ?? [];
    if (name) block[name] = value!;
  }
  return block;
}
