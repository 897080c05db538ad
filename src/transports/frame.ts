import type { Duplex } from 'node:stream';

/**
 * What is sent to many is written past `ws` and `node:http`, so that its bytes are made once and not copied. Both
 * hand each whole frame or chunk to the socket in one turn, and neither compresses here: what is written between
 * two of theirs stands between two of theirs.
 */

const finalText = 0x81;
const [twoBytes, eightBytes] = [126, 127];

/** The beginning of a text frame of RFC 6455, section 5.2, unmasked, with the first part of its payload. */
export function frameHead(start: Buffer, restLength: number): Buffer {
  const length = start.length + restLength;
  const size = length < twoBytes ? 2 : length < 65_536 ? 4 : 10;
  const head = Buffer.allocUnsafe(size + start.length);
  head[0] = finalText;
  if (size === 2) head[1] = length;
  else if (size === 4) {
    head[1] = twoBytes;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = eightBytes;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  head.set(start, size);
  return head;
}

/** One chunk of RFC 9112, section 7.1. */
export function chunk(text: string): Buffer {
  const length = Buffer.byteLength(text).toString(16);
  return Buffer.from(`${length}\r\n${text}\r\n`);
}

let corked: Duplex[] = [];

/** What is written to a socket in one turn leaves in one piece: each piece is a system call. */
export function corkForThisTurn(wire: Duplex): void {
  if (wire.writableCorked > 0) return;
  wire.cork();
  if (corked.push(wire) === 1) process.nextTick(uncork);
}

function uncork(): void {
  const wires = corked;
  corked = [];
  for (const wire of wires) wire.uncork();
}
