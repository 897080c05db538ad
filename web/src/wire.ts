/**
 * What lies between one client and the server, and can be cut: connections end at that moment, as when a cable is
 * pulled, whatever was under way is lost, and none can be opened until it is mended.
 */
export class Wire {
  readonly #sockets = new Set<WebSocket>();
  readonly #listeners = new Set<() => void>();
  #requests = new AbortController();
  #isCut = false;

  get isCut(): boolean {
    return this.#isCut;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#requests.abort();
    for (const socket of this.#sockets) sever(socket);
    this.#sockets.clear();
    this.#tell();
  }

  mend(): void {
    if (!this.#isCut) return;
    this.#isCut = false;
    this.#requests = new AbortController();
    this.#tell();
  }

  /** In the place of the global `WebSocket`. */
  readonly WebSocket = new Proxy(WebSocket, {
    construct: (Target, [url, protocols]: [string, string[]]) => {
      if (this.#isCut) return new DeadSocket();
      const socket = new Target(url, protocols);
      this.#sockets.add(socket);
      socket.addEventListener('close', () => this.#sockets.delete(socket));
      return socket;
    },
  });

  /** In the place of the global `fetch`. */
  readonly fetch: typeof fetch = async (input, init) => {
    if (this.#isCut) throw new TypeError('The wire is cut.');
    const signals = [this.#requests.signal, ...(init?.signal ? [init.signal] : [])];
    return fetch(input, { ...init, signal: AbortSignal.any(signals) });
  };

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Whoever holds it sees it break at once, and nothing of what still arrives. */
function sever(socket: WebSocket): void {
  socket.dispatchEvent(new CloseEvent('close', { code: 1006, wasClean: false }));
  socket.onmessage = null;
  socket.onclose = null;
  socket.onerror = null;
  socket.onopen = null;
  socket.close();
}

/** A socket that cannot be opened. */
class DeadSocket {
  readonly readyState = WebSocket.CLOSED;
  onclose: ((event: CloseEvent) => void) | null = null;
  onerror: ((event: Event) => void) | null = null;

  constructor() {
    setTimeout(() => {
      this.onerror?.(new Event('error'));
      this.onclose?.(new CloseEvent('close', { code: 1006, wasClean: false }));
    });
  }

  addEventListener(): void {}
  removeEventListener(): void {}
  close(): void {}
  send(): void {}
}
