import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A wire between clients and a server that can be cut, or that lets only some things through. */
export class Wire {
  readonly url: string;
  /** Connections so far, the refused ones as well. */
  connections = 0;
  /** New connections are closed at once. */
  isDown = false;
  /** As where WebSockets are not allowed: who asks for one is cut off. */
  blocksUpgrades = false;
  /** What is sent, either way, goes nowhere. */
  swallows = false;
  /** The same for what comes from the server alone. */
  swallowsAnswers = false;
  readonly #open = new Set<Socket>();
  readonly #upgraded = new Set<Socket>();
  readonly #close: () => Promise<void>;

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url;
    this.#close = close;
  }

  static async to(target: string): Promise<Wire> {
    const { hostname, port } = new URL(target);
    const server = createServer((near) => wire.#carry(near, hostname, Number(port)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const wire = new Wire(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, async () => {
      server.close();
      wire.cut();
    });
    return wire;
  }

  /** Every connection breaks, without a word. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /** The same for WebSockets alone. */
  cutSockets(): void {
    for (const socket of this.#upgraded) socket.destroy();
  }

  /** As it was in the beginning; what is open stays open. */
  mend(): void {
    this.isDown = false;
    this.blocksUpgrades = false;
    this.swallows = false;
    this.swallowsAnswers = false;
  }

  get openConnections(): number {
    return this.#open.size / 2;
  }

  close(): Promise<void> {
    return this.#close();
  }

  #carry(near: Socket, host: string, port: number): void {
    this.connections += 1;
    if (this.isDown) {
      near.destroy();
      return;
    }
    const far = connect(port, host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#open.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        this.#open.delete(from);
        this.#upgraded.delete(from);
        to.destroy();
      });
      from.on('data', (data: Buffer) => {
        const isUpgrade = from === near && /^upgrade: *websocket/im.test(data.toString('latin1'));
        if (isUpgrade) this.#upgraded.add(near);
        if (isUpgrade && this.blocksUpgrades) near.destroy();
        else if (!this.swallows && !(this.swallowsAnswers && from === far)) to.write(data);
      });
      from.on('end', () => to.end());
    }
  }
}
