import type { Socket } from 'node:net';

/** Whether who is at the other end of a socket takes what is written to it. */
export class Progress {
  #taken = 0;

  /** What happened since the last time of asking. `idle`: there was nothing to take. */
  since({ bytesWritten, writableLength }: Socket): 'idle' | 'reading' | 'stalled' {
    const taken = bytesWritten - writableLength;
    const isReading = taken > this.#taken;
    this.#taken = taken;
    if (writableLength === 0) return 'idle';
    return isReading ? 'reading' : 'stalled';
  }
}
