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
