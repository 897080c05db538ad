import type { TestServer } from './server.ts';
import type { Frame, SocketClient, Stream } from './websocket.ts';

const document = `subscription Follow($model: String!, $ids: [ID!], $actions: [ModelAction!], $where: JSON, $after: Position) {
  modelUpdated(model: $model, ids: $ids, actions: $actions, where: $where, after: $after) {
    model recordId action membership changed data omitted record { __typename id }
  }
}`;

/** What one subscription of `modelUpdated` is told. */
export class ModelStream {
  readonly socket: SocketClient;
  readonly #stream: Stream;
  position: string | undefined;

  private constructor(socket: SocketClient, stream: Stream) {
    this.socket = socket;
    this.#stream = stream;
  }

  /** Resolves when it is attached. */
  static async open(
    server: TestServer,
    viewer: string,
    variables: Record<string, unknown>,
    roles: ('admin' | 'service')[] = [],
  ): Promise<ModelStream> {
    const socket = await server.socket(viewer, roles);
    const stream = socket.run({ query: document, variables });
    await socket.run({ query: '{ viewer { id } }' }).next();
    return new ModelStream(socket, stream);
  }

  /** The next event. */
  async next(): Promise<any> {
    const payload = await this.#stream.next();
    if (!payload.data) throw new Error(JSON.stringify(payload.errors));
    this.position = payload.extensions!.position;
    return payload.data.modelUpdated;
  }

  /** The code that it is refused or ended with. */
  async code(): Promise<string | undefined> {
    return codeOf(await this.#stream.frame());
  }

  /** What has come and was not asked for. */
  get waiting(): readonly Frame[] {
    return this.#stream.waiting;
  }
}

function codeOf(frame: Frame | null): string | undefined {
  if (frame?.type === 'error') return frame.payload[0]!.extensions.code;
  return frame?.type === 'next' ? frame.payload.errors?.[0]?.extensions.code : undefined;
}
