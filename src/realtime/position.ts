import { createCipheriv, createDecipheriv, createHash, timingSafeEqual } from 'node:crypto';

/** One life of the journal. When the database becomes another one, a new epoch begins. */
export interface Epoch {
  /** 8 bytes as hex. */
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
  /** Positions up to here stay valid after the epoch ended; null while it lasts. */
  readonly until: number | null;
}

export type Opened = { readonly position: number } | 'expired' | 'malformed';

const checkBytes = 4;
const blockBytes = 16;
const epochBytes = 8;

/**
 * Seals positions for clients: `epoch · AES-256(position · zeros) · check`, base64url.
 *
 * The block cipher hides how much the whole system writes, and the eight zero bytes authenticate: a forged
 * block decrypts to them once in 2^64. One block, so no mode and no nonce is needed, and equal positions look
 * equal. The check has no key: it tells a mangled string from one of another database.
 */
export class Positions {
  #current!: Epoch;
  /** Blocks do not depend on each other, so one cipher does for all of them. */
  #cipher!: ReturnType<typeof createCipheriv>;
  #epochs!: Map<string, Epoch>;

  constructor(epochs: readonly Epoch[]) {
    this.renew(epochs);
  }

  /** From now on positions are of the current one of these. */
  renew(epochs: readonly Epoch[]): void {
    this.#epochs = new Map(epochs.map((epoch) => [epoch.id, epoch]));
    const current = epochs.find((epoch) => epoch.until === null);
    if (!current) throw new Error('There is no current epoch.');
    this.#current = current;
    this.#cipher = createCipheriv('aes-256-ecb', current.key, null).setAutoPadding(false);
  }

  seal(position: number): string {
    const block = Buffer.alloc(blockBytes);
    block.writeBigUInt64BE(BigInt(position));
    const sealed = Buffer.concat([Buffer.from(this.#current.id, 'hex'), this.#cipher.update(block)]);
    return Buffer.concat([sealed, check(sealed)]).toString('base64url');
  }

  open(text: string): Opened {
    const bytes = Buffer.from(text, 'base64url');
    if (bytes.length !== epochBytes + blockBytes + checkBytes || bytes.toString('base64url') !== text)
      return 'malformed';
    const sealed = bytes.subarray(0, -checkBytes);
    if (!timingSafeEqual(check(sealed), bytes.subarray(-checkBytes))) return 'malformed';
    const epoch = this.#epochs.get(sealed.toString('hex', 0, epochBytes));
    if (!epoch) return 'expired';
    const decipher = createDecipheriv('aes-256-ecb', epoch.key, null).setAutoPadding(false);
    const block = decipher.update(sealed.subarray(epochBytes));
    const position = Number(block.readBigUInt64BE());
    if (block.readBigUInt64BE(8) !== 0n || !Number.isSafeInteger(position)) return 'malformed';
    return epoch.until !== null && position > epoch.until ? 'expired' : { position };
  }
}

function check(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, checkBytes);
}
