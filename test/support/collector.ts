import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as OTLP has it in JSON, with the instance that made it. */
export interface CollectedSpan {
  readonly instance: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly links?: readonly { traceId: string; spanId: string }[];
  readonly attributes: readonly { key: string; value: Record<string, unknown> }[];
  readonly status: { code?: number };
}

/** Takes traces as collectors do: OTLP over HTTP, in JSON. */
export class Collector {
  readonly spans: CollectedSpan[] = [];
  readonly headers: Record<string, unknown>[] = [];
  readonly #server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => {
      this.headers.push(request.headers);
      if (request.url === '/v1/traces') this.#take(JSON.parse(body));
      response.end('{}');
    });
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The spans of one trace by that name. */
  named(traceId: string, name: string): CollectedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId && span.name === name);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #take(body: any): void {
    for (const { resource, scopeSpans } of body.resourceSpans) {
      const attribute = resource.attributes.find(({ key }: any) => key === 'service.instance.id');
      const instance = attribute.value.stringValue;
      for (const { spans } of scopeSpans) for (const span of spans) this.spans.push({ instance, ...span });
    }
  }
}
