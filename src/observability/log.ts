import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

export type Log = Logger;

/** JSON lines on standard error, readable in a terminal. Standard output is for what a person asked to see. */
export function createLog(level: string): Log {
  const standardError = 2;
  return process.stderr.isTTY
    ? pino({ level }, pretty({ destination: standardError, sync: true, ignore: 'pid,hostname' }))
    : pino({ level }, pino.destination({ dest: standardError, sync: true }));
}

/** The same complaint is made once in so long, with how often there was reason for it. */
const complaintMs = 5_000;

/** Logs what may go wrong many times a second while a part is away. */
export function createComplaint(log: Log, message: string): (error: unknown) => void {
  let count = 0;
  let madeAt = Number.NEGATIVE_INFINITY;
  return (error) => {
    count += 1;
    if (performance.now() - madeAt < complaintMs) return;
    log.warn({ err: error, times: count }, message);
    [count, madeAt] = [0, performance.now()];
  };
}
