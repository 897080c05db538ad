import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** What the parent asks of this process. Each order is answered once it is done. */
export type Order =
  | { do: 'connect'; wire: Wire; port: number; tokens: string[]; queries: string[]; clients: number }
  /** Counts until each of the clients that are read has had so many. */
  | { do: 'expect'; each: number }
  | { do: 'freeze'; clients: number }
  | { do: 'leave' };
export type Wire = 'websocket' | 'sse';

export interface Report {
  /** Of the clients that are looked at closely, in milliseconds. */
  readonly latencies: number[];
  readonly cpuSeconds: number;
}

const wave = 200;
/** Of so many clients one is looked at closely; the others count. */
const sampled = 50;
const newline = '\r\n';
const marker = Buffer.from('event: next');
const sentAtPattern = /"body":"([\d.]+) (\d+) /;

let clients: Client[] = [];
let changed = () => {};

/**
 * A client that is cheap, so that it is not what is measured: a bare socket, frames that are counted by their heads.
 */
abstract class Client {
  count = 0;
  isFrozen = false;
  readonly latencies: number[] = [];
  protected readonly socket: Socket;
  readonly #isSampled: boolean;
  #last = -1;

  constructor(port: number, isSampled: boolean) {
    this.#isSampled = isSampled;
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('error', (error) => fail(error));
  }

  abstract open(token: string, query: string): Promise<void>;

  freeze(): void {
    this.isFrozen = true;
    this.socket.pause();
  }

  leave(): void {
    this.socket.removeAllListeners();
    this.socket.on('error', () => {});
    this.socket.destroy();
  }

  protected heard(payload: Buffer | null): void {
    this.count += 1;
    changed();
    if (!this.#isSampled || !payload) return;
    const [, sentAt, index] = sentAtPattern.exec(String(payload)) ?? [];
    // Of a stream's block it may be that only the beginning has come.
    if (sentAt === undefined) return;
    this.latencies.push(performance.timeOrigin + performance.now() - Number(sentAt));
    // In a burst nobody knows in which order they were taken.
    if (Number(index) === 0) return;
    if (Number(index) <= this.#last) fail(new Error(`${index} after ${this.#last}`));
    this.#last = Number(index);
  }
}

class SocketClient extends Client {
  #rest: Buffer = Buffer.alloc(0);
  #acknowledged = () => {};

  open(token: string, query: string): Promise<void> {
    const key = randomBytes(16).toString('base64');
    const head = [
      'GET /graphql HTTP/1.1',
      'Host: 127.0.0.1',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${key}`,
      'Sec-WebSocket-Protocol: graphql-transport-ws',
    ];
    this.socket.write([...head, '', ''].join(newline));
    return new Promise((resolve) => {
      let text = '';
      const upgraded = (data: Buffer) => {
        text += data.toString('latin1');
        const end = text.indexOf(newline + newline);
        if (end < 0) return;
        this.socket.off('data', upgraded);
        this.socket.on('data', (data) => this.#read(data as Buffer));
        this.#send({ type: 'connection_init', payload: { token } });
        this.#read(Buffer.from(text.slice(end + 4), 'latin1'));
      };
      this.socket.on('data', upgraded);
      this.#acknowledged = () => {
        this.#send({ type: 'subscribe', id: 's', payload: { query } });
        resolve();
      };
    });
  }

  #send(message: object): void {
    this.#frame(0x81, Buffer.from(JSON.stringify(message)));
  }

  /** Masked with zeros, which leaves the payload as it is. */
  #frame(first: number, payload: Buffer): void {
    const head =
      payload.length < 126
        ? [first, 0x80 | payload.length]
        : [first, 0x80 | 126, payload.length >> 8, payload.length & 255];
    this.socket.write(Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload]));
  }

  #read(data: Buffer): void {
    let rest = this.#rest.length > 0 ? Buffer.concat([this.#rest, data]) : data;
    while (rest.length >= 2) {
      const short = rest[1]! & 127;
      const at = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (rest.length < at) break;
      const length =
        short < 126 ? short : short === 126 ? rest.readUInt16BE(2) : Number(rest.readBigUInt64BE(2));
      if (rest.length < at + length) break;
      this.#hear(rest[0]! & 15, rest.subarray(at, at + length));
      rest = rest.subarray(at + length);
    }
    this.#rest = rest;
  }

  #hear(code: number, payload: Buffer): void {
    if (code === 9) this.#frame(0x8a, payload);
    else if (code === 8) fail(new Error(`closed: ${payload}`));
    // Of a subscription's frames, the type comes after its id; the acknowledgement has none.
    else if (payload.includes('"type":"next"')) this.heard(payload);
    else if (payload.includes('"connection_ack"')) this.#acknowledged();
    else if (payload.includes('"ping"')) this.#send({ type: 'pong' });
    else fail(new Error(String(payload)));
  }
}

class StreamClient extends Client {
  /** The end of what was read, shorter than what is looked for. */
  #rest: Buffer = Buffer.alloc(0);

  open(token: string, query: string): Promise<void> {
    const head = [
      `GET /graphql?query=${encodeURIComponent(query)} HTTP/1.1`,
      'Host: 127.0.0.1',
      'Accept: text/event-stream',
      `Authorization: Bearer ${token}`,
    ];
    this.socket.write([...head, '', ''].join(newline));
    return new Promise((resolve) => {
      this.socket.once('data', (data) => {
        if (!String(data).startsWith('HTTP/1.1 200')) fail(new Error(String(data)));
        this.#read(data as Buffer);
        this.socket.on('data', (data) => this.#read(data as Buffer));
        resolve();
      });
    });
  }

  #read(data: Buffer): void {
    const all = this.#rest.length > 0 ? Buffer.concat([this.#rest, data]) : data;
    let at = all.indexOf(marker);
    let end = 0;
    while (at >= 0) {
      const next = all.indexOf(marker, at + marker.length);
      this.heard(all.subarray(at, next < 0 ? undefined : next));
      end = at + marker.length;
      at = next;
    }
    this.#rest = all.subarray(Math.max(end, all.length - marker.length + 1));
  }
}

function fail(error: Error): void {
  console.error(error);
  process.exit(1);
}

async function obey(order: Order): Promise<Report> {
  const before = process.cpuUsage();
  switch (order.do) {
    case 'connect': {
      const { wire, port, tokens, queries } = order;
      clients = [];
      for (let from = 0; from < order.clients; from += wave) {
        const these = Array.from({ length: Math.min(wave, order.clients - from) }, (_, offset) => {
          const index = from + offset;
          const client = new (wire === 'sse' ? StreamClient : SocketClient)(port, index % sampled === 0);
          clients.push(client);
          return client.open(tokens[index % tokens.length]!, queries[index % queries.length]!);
        });
        await Promise.all(these);
      }
      break;
    }
    case 'expect':
      for (const client of clients) {
        client.count = 0;
        client.latencies.length = 0;
      }
      await counted(order.each);
      break;
    case 'freeze':
      for (const client of clients.slice(1, order.clients + 1)) client.freeze();
      break;
    case 'leave':
      for (const client of clients) client.leave();
      clients = [];
  }
  const { user, system } = process.cpuUsage(before);
  const latencies = clients.flatMap((client) => (client.isFrozen ? [] : client.latencies));
  return { latencies, cpuSeconds: (user + system) / 1e6 };
}

/** Every one of them, neither fewer nor more. */
async function counted(each: number): Promise<void> {
  const read = clients.filter(({ isFrozen }) => !isFrozen);
  let missing = read.length * each;
  await new Promise<void>((resolve) => {
    changed = () => {
      missing -= 1;
      if (missing === 0) resolve();
    };
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  changed = () => {};
  for (const { count } of read) if (count !== each) fail(new Error(`${count} payloads instead of ${each}`));
}

process.on('message', (order: Order) => {
  obey(order).then(
    (report) => process.send!(report),
    (error) => fail(error),
  );
});
process.on('disconnect', () => process.exit(0));
