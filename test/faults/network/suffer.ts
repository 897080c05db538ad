import { signToken } from '../../support/node-process.ts';
import { inWords, spread } from '../../support/spread.ts';
import type { SteadySender } from '../../support/steady-sender.ts';
import { until } from '../../support/until.ts';
import { describeFault, directionsOf, type Fault, type Role } from './faults.ts';
import type { Listening } from './listening.ts';
import { latencies, longestSilence, normalSince } from './measure.ts';
import { type Host, treat } from './namespaces.ts';
import { Probe } from './probe.ts';
import type { Site } from './site.ts';

const recoveredWithinMs = 60_000;
/** With Redis. */
const normalMs = 100;

type Name = 'a' | 'b';

/** Which node relays; waits until it is one. */
export async function findLeader({ nodes }: Site): Promise<Name> {
  let leader: Name | undefined;
  await until('one node relays', 30_000, async () => {
    const [a, b] = await Promise.all([nodes.a, nodes.b].map((node) => node.metric('realtime_relay_leading')));
    if (a! + b! === 1) leader = a === 1 ? 'a' : 'b';
    return leader !== undefined;
  });
  return leader!;
}

/** Lives through one fault, while messages are sent: most of them through the node that it does not touch. */
export async function suffer(fault: Fault, { site, sender, listening, through }: Scene): Promise<void> {
  const leader = await findLeader(site);
  const other: Name = leader === 'a' ? 'b' : 'a';
  const hostOf = (role: Role): Host => (role === 'leader' ? leader : role === 'other' ? other : role);
  const affected: Name = fault.from === 'other' ? other : leader;
  const spared: Name = affected === 'a' ? 'b' : 'a';
  through(site.nodes[spared].url, site.nodes[affected].url);
  const followersOf = (name: Name) => listening.on(site.nodes[name].name);
  const everybody = [...followersOf('a'), ...followersOf('b')];
  await normalAgain(sender, everybody, performance.now());

  const probe = fault.to === 'postgres' ? new Probe(site.nodes[affected], await signToken('ada')) : null;
  const from = performance.now();
  const ends = directionsOf(fault, hostOf(fault.from), hostOf(fault.to));
  const heals = ends.map((direction) => treat(...direction, fault.treatment));
  await new Promise((resolve) => setTimeout(resolve, fault.forMs));
  for (const heal of heals) heal();
  const healedAt = performance.now();
  const own = await normalAgain(sender, followersOf(affected), healedAt);
  const others = await normalAgain(sender, followersOf(spared), healedAt);
  if (probe) {
    await until('queries are answered again', recoveredWithinMs, () => probe.answeringSince !== undefined);
    await probe.stop();
  }
  const leaderAfter = await findLeader(site);

  const roleOf = (name: Name) => (name === leader ? 'leader' : 'other');
  const seen = (name: Name) => {
    const within = (since: number) => spread(latencies(sender, followersOf(name), since, healedAt));
    return (
      `  ${roleOf(name)}: silent for at most ${inWords(longestSilence(followersOf(name), from, healedAt))}; ` +
      `messages took ${within(from)}, in its last third ${within(healedAt - fault.forMs / 3)}; `
    );
  };
  console.log(
    [
      `${describeFault(fault)}${leaderAfter === leader ? '' : ' (another leads now)'}`,
      `${seen(affected)}normal ${inWords(own)} after the healing`,
      `${seen(spared)}normal ${inWords(others)} after the healing`,
      ...(probe ? [`  ${roleOf(affected)}: ${probe.describe(healedAt)}`] : []),
    ].join('\n'),
  );
}

/** How long after `from` messages came in time again. */
async function normalAgain(
  sender: SteadySender,
  followers: ReturnType<Listening['on']>,
  from: number,
): Promise<number> {
  let since: number | null = null;
  await until('messages come in time again', recoveredWithinMs, () => {
    since = normalSince(sender, followers, from, normalMs);
    return since !== null;
  });
  return since! - from;
}

interface Scene {
  readonly site: Site;
  readonly sender: SteadySender;
  readonly listening: Listening;
  /** Has most messages sent to the one address from now on, and few to the other, as long as that answers. */
  through(most: string, few: string): void;
}
