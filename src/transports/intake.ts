import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { Effort } from '../limits/effort.ts';
import type { Pace } from '../limits/pace.ts';

/** Who is not read is read again so soon: a close and pongs are behind what waits. */
const longestRestMs = 1_000;

/**
 * What one socket sends, message by message. Who does not read the answers, floods, or makes the node work without end
 * is not asked for more questions; what of them is here already, a read from the network at the most, is kept.
 */
export class Intake {
  readonly #socket: WebSocket;
  readonly #parts: IntakeParts;
  #waiting: Buffer[] = [];
  /** Why it is not read at the moment, how many reasons. */
  #pauses = 0;
  #isResting = false;

  constructor(socket: WebSocket, parts: IntakeParts) {
    this.#socket = socket;
    this.#parts = parts;
    socket.on('message', (data) => this.#take(data as Buffer));
    for (const frame of ['ping', 'pong']) {
      socket.on(frame, () => {
        const floodMs = this.#count();
        if (floodMs !== null && !this.#isResting) this.#rest(floodMs);
      });
    }
    socket.once('close', () => {
      this.#waiting = [];
    });
  }

  #take(json: Buffer): void {
    if (this.#isResting) return void this.#waiting.push(json);
    const { restMs } = this.#parts.effort();
    if (restMs !== null) this.#waiting.push(json);
    const ms = restMs ?? this.#handle(json);
    if (ms !== null) this.#rest(ms);
  }

  /** The answer is how long to rest then. */
  #handle(json: Buffer): number | null {
    const floodMs = this.#count();
    // Nothing is done for who has been told to leave.
    if (this.#socket.readyState === this.#socket.OPEN) this.#parts.handle(json);
    return floodMs;
  }

  #count(): number | null {
    const { pace, isFull, drained, flooded } = this.#parts;
    pace.count();
    if (isFull()) this.#pauseUntil(drained());
    const { floodMs } = pace;
    if (floodMs !== null && !this.#isResting) flooded();
    return floodMs;
  }

  #rest(ms: number): void {
    this.#isResting = true;
    const rest = async () => {
      for (let restMs: number | null = ms; restMs !== null; restMs = await this.#catchUp()) {
        await wait(Math.min(restMs, longestRestMs), undefined, { ref: false });
      }
      this.#isResting = false;
    };
    this.#pauseUntil(rest());
  }

  /** The answer is how long to rest again. */
  async #catchUp(): Promise<number | null> {
    for (let json = this.#waiting[0]; json !== undefined; json = this.#waiting[0]) {
      const { restMs } = this.#parts.effort();
      if (restMs !== null) return restMs;
      this.#waiting.shift();
      const floodMs = this.#handle(json);
      if (floodMs !== null) return floodMs;
      // Others are served between two of them, as between two that come from the network.
      await turn();
    }
    return null;
  }

  #pauseUntil(ready: Promise<void>): void {
    this.#pauses += 1;
    this.#socket.pause();
    void ready.then(() => {
      this.#pauses -= 1;
      if (this.#pauses === 0) this.#socket.resume();
    });
  }
}

interface IntakeParts {
  readonly pace: Pace;
  effort(): Effort;
  /** Of answers. */
  isFull(): boolean;
  drained(): Promise<void>;
  flooded(): void;
  handle(json: Buffer): void;
}
