import postgres from 'postgres';
import { disagreements } from '../../support/agreement.ts';
import { until } from '../../support/until.ts';
import { longestSilence, normalSince } from '../network/measure.ts';
import { wait } from '../ordeal/dice.ts';
import type { Node } from '../ordeal/site.ts';
import { type SteadySite, startSteady } from '../ordeal/steady.ts';

const rounds = 5;
const perSecond = 50;
/** What comes within it is in time. */
const inTimeMs = 100;
const settledWithinMs = 30_000;

interface Fault {
  readonly name: string;
  /** Whose listener is looked at, and whom messages are sent to. */
  readonly at: 'leader' | 'other';
  /** Makes the fault; resolves when its cause is gone again. */
  make(steady: SteadySite, nodes: { leader: Node; other: Node }): Promise<void>;
}

async function restart(node: Node, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  node.signal(signal);
  await node.ended;
  await node.start();
}

const faults: readonly Fault[] = [
  { name: 'leader killed', at: 'other', make: (_steady, { leader }) => restart(leader, 'SIGKILL') },
  { name: 'leader drained', at: 'other', make: (_steady, { leader }) => restart(leader, 'SIGTERM') },
  { name: 'other node killed', at: 'leader', make: (_steady, { other }) => restart(other, 'SIGKILL') },
  {
    ...{ name: 'leader paused for 15 s', at: 'other' },
    make: async (_steady, { leader }) => {
      leader.signal('SIGSTOP');
      await wait(15_000);
      leader.signal('SIGCONT');
    },
  },
  {
    ...{ name: 'Redis killed for 5 s', at: 'other' },
    make: async ({ site }) => {
      await site.redises[0]!.kill();
      await wait(5_000);
      await site.redises[0]!.restart();
    },
  },
  {
    ...{ name: 'Redis frozen for 5 s', at: 'other' },
    make: async ({ site }) => {
      site.redises[0]!.freeze();
      await wait(5_000);
      site.redises[0]!.thaw();
    },
  },
  {
    ...{ name: 'PostgreSQL stopped for 2 s', at: 'other' },
    make: async ({ site }) => {
      await site.postgres.kill();
      await wait(2_000);
      await site.restartPostgres();
    },
  },
  {
    ...{ name: 'all database sessions ended', at: 'other' },
    make: async ({ site }) => {
      const sql = postgres(site.postgres.url, { max: 1, onnotice: () => {} });
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'gravitycar-realtime'`;
      await sql.end();
    },
  },
];

/** How long each fault is felt by who stays connected, five times each. */
export async function run(): Promise<void> {
  const steady = await startSteady('redis', perSecond);
  const rows = [];
  try {
    for (const fault of faults) rows.push(await measure(steady, fault));
    console.table(rows);
    await steady.sender.stop();
    const followers = steady.site.nodes.map((node) => steady.followerOn(node));
    const { acknowledged } = steady.sender;
    await until('all is heard', settledWithinMs, () =>
      followers.every(({ heard }) => new Set(heard).size >= acknowledged.length),
    );
    const broken = disagreements(followers, acknowledged);
    if (broken.length > 0) throw new Error(broken.join('\n'));
    console.log(`${acknowledged.length} messages, all heard by both listeners, once and in one order`);
  } finally {
    await steady.stop();
  }
}

async function measure(steady: SteadySite, fault: Fault) {
  const silences: number[] = [];
  const returns: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const nodes = await steady.roles();
    const watched = nodes[fault.at];
    steady.sendTo(watched);
    const followers = [steady.followerOn(watched)];
    const normal = (from: number) =>
      until(
        'all is normal',
        settledWithinMs,
        () => normalSince(steady.sender, followers, from, inTimeMs) !== null,
      );
    await normal(performance.now());
    const from = performance.now();
    await fault.make(steady, nodes);
    const goneAt = performance.now();
    await normal(from);
    silences.push(longestSilence(followers, from, performance.now()));
    returns.push(Math.max(0, normalSince(steady.sender, followers, from, inTimeMs)! - goneAt));
  }
  const median = (values: number[]) => Math.round(values.sort((one, other) => one - other)[rounds >> 1]!);
  return {
    fault: fault.name,
    'listener on': fault.at,
    'longest silence, ms': median(silences),
    'worst of five': Math.round(Math.max(...silences)),
    'normal after its end, ms': median(returns),
  };
}
