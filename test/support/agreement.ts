import type { Follower } from './follower.ts';

const shown = 10;

/**
 * What followers of one channel that promise to miss nothing have missed, seen twice or out of order, in words;
 * empty when the promise was kept.
 */
export function disagreements(followers: readonly Follower[], acknowledged: readonly number[]): string[] {
  const reference = followers[0]?.heard ?? [];
  return followers.flatMap(({ name, channel, heard, endedBy }) => {
    const unique = new Set(heard);
    const missed = acknowledged.filter((number) => !unique.has(number));
    const twice = unique.size === heard.length ? [] : heard.filter((one, at) => heard.indexOf(one) !== at);
    const turn = heard.findIndex((number, index) => number !== reference[index]);
    const who = `${name} of ${channel}`;
    return [
      ...(endedBy ? [`${who} ended: ${endedBy}`] : []),
      ...(missed.length > 0 ? [`${who} missed ${missed.length}: ${missed.slice(0, shown)}`] : []),
      ...(twice.length > 0 ? [`${who} heard ${twice.length} twice: ${twice.slice(0, shown)}`] : []),
      ...(turn >= 0
        ? [
            `${who} heard otherwise than ${followers[0]!.name} from place ${turn}: ` +
              `${heard.slice(turn, turn + shown)} instead of ${reference.slice(turn, turn + shown)}`,
          ]
        : []),
    ];
  });
}
