import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import { describeError } from './error.ts';
import { createVeil, legible } from './veil.ts';

export type Log = Logger;

const standardError = 2;

/**
 * JSON lines on standard error, readable in a terminal. Standard output is for what a person asked to see.
 * One thing is one line, whatever clients have put into it; `secrets` are in none of them. `destination` is a file's descriptor.
 */
export function createLog(
  level: string,
  secrets: readonly string[] = [],
  isTerminal: boolean = process.stderr.isTTY,
  destination = standardError,
): Log {
  const veil = createVeil(secrets);
  const streamWrite = isTerminal ? (line: string) => legible(veil(line)) : veil;
  const options = { level, serializers: { err: describeError }, hooks: { streamWrite } };
  return isTerminal
    ? pino(options, pretty({ destination, sync: true, ignore: 'pid,hostname' }))
    : pino(options, pino.destination({ dest: destination, sync: true }));
}

/** The same complaint is made once in so long, with how often there was reason for it. */
const complaintMs = 5_000;

/** Logs what may go wrong many times a second while a part is away. */
export function createComplaint(log: Log, message: string): (error: unknown) => void {
  const reasons = createGate();
  return (error) => {
    const times = reasons();
    if (times > 0) log.warn({ err: error, times }, message);
  };
}

/** Opens once in five seconds: answers how often somebody came since it was open last, and else 0. */
export function createGate(): () => number {
  let count = 0;
  let openedAt = Number.NEGATIVE_INFINITY;
  return () => {
    count += 1;
    if (performance.now() - openedAt < complaintMs) return 0;
    const times = count;
    [count, openedAt] = [0, performance.now()];
    return times;
  };
}
