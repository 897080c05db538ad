import { monitorEventLoopDelay } from 'node:perf_hooks';
import { disagreements } from '../../support/agreement.ts';
import type { Follower } from '../../support/follower.ts';
import { inWords } from '../../support/spread.ts';
import { SteadySender } from '../../support/steady-sender.ts';
import { until } from '../../support/until.ts';
import { Audience } from '../rolling/audience.ts';
import { createChannels, startCluster } from '../rolling/cluster.ts';
import { report } from '../rolling/report.ts';
import { describeRoll, faultsOf, roll } from '../rolling/roll.ts';

const channels = Array.from({ length: 10 }, (_, index) => `channel-${index}`);
const perSecond = 300;
/** How long all nodes serve before the first is stopped, for comparison. */
const calmMs = 5_000;

/** Three nodes behind nginx, stopped and started one after the other while 400 clients listen. */
export async function run(): Promise<void> {
  // What is spawned ends with this process.
  process.once('SIGINT', () => process.exit(130));
  const cluster = await startCluster();
  try {
    await rollAll(cluster);
  } finally {
    await cluster.stop();
  }
}

async function rollAll({ nodes, nginx }: Awaited<ReturnType<typeof startCluster>>): Promise<void> {
  const startedAt = performance.now();
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const { token, position } = await createChannels(nginx.url, channels);
  const audience = new Audience(channels, position);
  await audience.listen(nginx.url);
  const sender = new SteadySender({ url: () => nginx.url, token, channels, perSecond, atOnce: 60 });
  sender.start();
  await audience.allHear();
  await new Promise((resolve) => setTimeout(resolve, calmMs));
  const rolledFrom = performance.now();
  console.log(
    `${perSecond} messages per second over ${channels.length} channels, one of which each client follows`,
  );

  const faults: string[] = [];
  for (const node of nodes) {
    const rolled = await roll(node, audience.everybody);
    console.log(describeRoll(rolled));
    faults.push(...faultsOf(rolled));
  }
  await until('everybody is back', 15_000, () =>
    audience.everybody.every(({ isAway, endedBy }) => !isAway || endedBy !== undefined),
  );
  await sender.stop();
  const tookMs = performance.now() - startedAt;
  const hasAll = ({ channel, heard }: Follower) => heard.length >= sender.acknowledgedIn(channel).length;
  await until('everybody who resumes has all', 20_000, () => audience.resuming.every(hasAll)).catch(() => {});

  for (const channel of channels) {
    const followers = audience.resuming.filter((follower) => follower.channel === channel);
    faults.push(...disagreements(followers, sender.acknowledgedIn(channel)));
  }
  const connections = await Promise.all(nodes.map((node) => node.metric('realtime_connections')));
  audience.leave();
  report({ sender, audience, connections, rolledFrom, tookMs });
  console.log(`nginx complained: ${nginx.complaints()}`);
  console.log(`the clients' process was late by ${inWords(delay.percentile(95) / 1e6)} at p95`);
  if (faults.length === 0) return;
  for (const node of nodes) console.error(`--- ${node.name}\n${node.log}`);
  throw new Error(`Promises were broken:\n${faults.join('\n')}`);
}
