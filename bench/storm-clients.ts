import WebSocket from 'ws';

/** What the parent asks of this process, and what it answers: as many clients as it is told, each as cheap as can be. */
export type Order =
  | { do: 'connect'; url: string; tokens: string[]; clients: number; channels: number }
  | { do: 'dropAll'; overMs: number }
  | { do: 'resume' };
export interface Report {
  /** Of each client, from the beginning of its connection until it had the end of its channel. */
  readonly tookMs: number[];
  readonly payloads: number;
}

/** At so many handshakes at once the kernel's queue of connections is not the measure yet. */
const wave = 250;

class Client {
  #url: string;
  #token: string;
  #query: string;
  #socket: WebSocket | undefined;
  #position: string | null = null;
  payloads = 0;

  constructor(url: string, token: string, channel: string) {
    this.#url = url.replace(/^http/, 'ws');
    this.#token = token;
    this.#query = `subscription S($after: Position) { channelMessage(channel: ${JSON.stringify(channel)}, after: $after) { id body } }`;
  }

  /** Resolves when the subscription has begun, or, behind a position, when the end of the channel was heard. */
  open(): Promise<void> {
    const socket = new WebSocket(`${this.#url}/graphql`, 'graphql-transport-ws', {
      perMessageDeflate: false,
    });
    this.#socket = socket;
    const isResume = this.#position !== null;
    return new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on('open', () =>
        socket.send(JSON.stringify({ type: 'connection_init', payload: { token: this.#token } })),
      );
      socket.on('message', (data) => {
        const text = String(data);
        if (text.includes('"errors"')) reject(new Error(text));
        else if (text.startsWith('{"id":"s","type":"next"')) {
          this.payloads += 1;
          const at = text.lastIndexOf('"position":"') + 12;
          this.#position = text.slice(at, text.indexOf('"', at));
          if (text.includes('"body":"end"')) resolve();
        } else if (text.includes('"connection_ack"')) {
          this.#position ??= JSON.parse(text).payload.position;
          const variables = { after: this.#position };
          socket.send(
            JSON.stringify({ id: 's', type: 'subscribe', payload: { query: this.#query, variables } }),
          );
          if (!isResume) resolve();
        } else if (text.startsWith('{"id":"s"')) reject(new Error(text));
      });
    });
  }

  drop(): void {
    this.#socket?.terminate();
  }
}

let clients: Client[] = [];

async function obey(order: Order): Promise<Report> {
  const tookMs: number[] = [];
  switch (order.do) {
    case 'connect':
      clients = Array.from({ length: order.clients }, (_, index) => {
        return new Client(
          order.url,
          order.tokens[index % order.tokens.length]!,
          `c${index % order.channels}`,
        );
      });
      for (let from = 0; from < clients.length; from += wave) {
        await Promise.all(clients.slice(from, from + wave).map((client) => client.open()));
      }
      break;
    case 'dropAll':
      await Promise.all(
        clients.map(async (client) => {
          await new Promise((resolve) => setTimeout(resolve, Math.random() * order.overMs));
          client.drop();
        }),
      );
      break;
    case 'resume':
      for (const client of clients) client.payloads = 0;
      await Promise.all(
        clients.map(async (client) => {
          const startedAt = performance.now();
          await client.open();
          tookMs.push(performance.now() - startedAt);
        }),
      );
  }
  return { tookMs, payloads: clients.reduce((sum, { payloads }) => sum + payloads, 0) };
}

process.on('message', (order: Order) => {
  obey(order).then(
    (report) => process.send!(report),
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit(0));
