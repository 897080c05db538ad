import { inBatches } from '../lib/batches.ts';
import { isAway, sqlState } from './database.ts';

const mostTogether = 100;
/** Whatever holds one of them up must not hold the others up for long. */
const lockMs = 500;

/**
 * Writes what is asked for at the same time by one transaction. What the database refuses keeps nothing else from
 * being written: then each is tried alone. A transaction whose end is not known has failed for all of them.
 *
 * `write` waits for locks so long and no longer; undefined: as long as statements may take.
 */
export function writtenTogether<Input, Row>(
  write: (inputs: readonly Input[], lockMs: number | undefined) => Promise<readonly (Row | Error)[]>,
): (input: Input) => Promise<Row> {
  const writeAlone = async (input: Input) => {
    const [row] = await write([input], undefined);
    if (row instanceof Error) throw row;
    return row!;
  };
  return inBatches<Input, Row>(async (inputs) => {
    try {
      return await write(inputs, lockMs);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // Not waited for: whoever comes next need not stand behind them.
      return inputs.map(writeAlone);
    }
  }, mostTogether);
}

/** Said by the server, so that it is certain that nothing was committed; what a socket says is no such thing. */
const isRefusal = (error: unknown) => serverSaid.test(sqlState(error) ?? '') && !isAway(error);

/** The classes of SQLSTATE. */
const serverSaid = /^(?:[0-5][0-9A-Z]|F0|HV|P0|XX)[0-9A-Z]{3}$/;
