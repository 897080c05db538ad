import { applyTo, type ListEvent } from '../../examples/live-list.ts';
import type { TestServer } from './server.ts';
import type { SocketClient } from './websocket.ts';

export const subscribe = `subscription List($model: String!, $ids: [ID!], $where: JSON, $after: Position) {
  modelUpdated(model: $model, ids: $ids, where: $where, after: $after) { recordId action membership changed data omitted }
}`;

export interface ListRequest {
  readonly model: string;
  readonly ids?: string[];
  readonly where?: Record<string, unknown>;
}

/** A client's list that follows its query: a state with a position, and the events behind it. */
export class LiveList {
  rows = new Map<string, any>();
  /** How often it had to begin anew. */
  expirations = 0;
  failure: unknown;
  readonly #server: TestServer;
  readonly #viewer: string;
  readonly #request: ListRequest;
  readonly #load: () => Promise<Map<string, any>>;
  #socket: SocketClient | undefined;
  #position: string | null = null;
  #isClosed = false;
  readonly #running: Promise<void>;

  constructor(
    server: TestServer,
    viewer: string,
    request: ListRequest,
    load: () => Promise<Map<string, any>>,
  ) {
    this.#server = server;
    this.#viewer = viewer;
    this.#request = request;
    this.#load = load;
    this.#running = this.#run().catch((error) => {
      this.failure = error;
    });
  }

  /** Loses the connection; it comes back by itself. */
  cut(): void {
    this.#socket?.cut();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.cut();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      if (this.#position === null) {
        this.#position = (await this.#server.ask(this.#viewer, '{ position }')).position;
        this.rows = await this.#load();
      }
      this.#socket = await this.#server.socket(this.#viewer);
      if (this.#isClosed) return this.#socket.close();
      const variables = { ...this.#request, after: this.#position };
      const stream = this.#socket.run({ query: subscribe, variables });
      for (let frame = await stream.frame(); frame; frame = await stream.frame()) {
        if (frame.type === 'next' && frame.payload.data) {
          applyTo(this.rows, frame.payload.data.modelUpdated as ListEvent<any>);
          this.#position = frame.payload.extensions!.position;
          continue;
        }
        const errors =
          frame.type === 'next' ? frame.payload.errors! : frame.type === 'error' ? frame.payload : [];
        if (errors[0]?.extensions.code !== 'POSITION_EXPIRED') throw new Error(JSON.stringify(frame));
        this.#position = null;
        this.expirations += 1;
        break;
      }
      await this.#socket.close();
    }
  }
}
