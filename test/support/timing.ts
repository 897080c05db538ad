/**
 * How often what was measured first took longer than what was measured second, of all pairs: 0.5 where nobody could
 * tell the two apart. Ranks alone count, so that a pause of the machine does not.
 */
export function superiority(first: readonly number[], second: readonly number[]): number {
  let wins = 0;
  for (const one of first) for (const other of second) wins += one > other ? 1 : one === other ? 0.5 : 0;
  return wins / (first.length * second.length);
}

/** Milliseconds that each of two things takes, tried in turns and in random order. */
export async function compareTimes(
  rounds: number,
  first: (round: number) => Promise<unknown>,
  second: (round: number) => Promise<unknown>,
): Promise<number> {
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    for (const which of Math.random() < 0.5 ? ([0, 1] as const) : ([1, 0] as const)) {
      const startedAt = performance.now();
      await [first, second][which]!(round);
      times[which].push(performance.now() - startedAt);
    }
  }
  return superiority(...times);
}
