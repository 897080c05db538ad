import { signToken } from '../../support/node-process.ts';
import { ask } from '../../support/post.ts';
import { inWords } from '../../support/spread.ts';
import { SteadySender } from '../../support/steady-sender.ts';
import { faults } from '../network/faults.ts';
import { Listening } from '../network/listening.ts';
import { type Site, startSite } from '../network/site.ts';
import { suffer } from '../network/suffer.ts';

const channel = 'general';
const perSecond = 50;
/** The node that a fault touches is asked as well: what it did without being able to tell must not be done twice. */
const fewShare = 0.05;
const create = 'mutation { createChannel(input: { name: "general" }) { id } }';

/** One fault of the network after the other, each between two hosts, while listeners on both nodes resume. */
export async function run(): Promise<void> {
  // What is spawned ends with this process, and the namespaces with it.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const site = await startSite();
  try {
    await sufferAll(site);
  } catch (error) {
    for (const node of Object.values(site.nodes)) console.error(`--- ${node.name}\n${node.log}`);
    throw error;
  } finally {
    await site.stop();
  }
}

async function sufferAll(site: Site): Promise<void> {
  const startedAt = performance.now();
  const nodes = Object.values(site.nodes);
  const token = await signToken('ada');
  let [most, few] = [site.nodes.a.url, site.nodes.b.url];
  await ask(most, token, create);
  const { position } = await ask(most, token, '{ position }');
  const sender = new SteadySender({
    url: () => (Math.random() < fewShare ? few : most),
    token,
    channels: [channel],
    perSecond,
    atOnce: 20,
    withinMs: 2_000,
  });
  const listening = new Listening(nodes, sender, channel, position);
  await listening.begin(nodes);
  sender.start();
  if (!site.delay) console.log('Delays are left out: they need python3 and /dev/net/tun.');
  const through = (...urls: [string, string]) => {
    [most, few] = urls;
  };
  for (const fault of faults) {
    if (fault.treatment === 'delay' && !site.delay) continue;
    await suffer(fault, { site, sender, listening, through });
  }
  await sender.stop();
  const broken = await listening.faults();
  listening.leave();
  const failures = [...sender.failures].map(([what, count]) => `${count} × ${what}`).join(', ') || 'none';
  console.log(
    `sent ${sender.acknowledged.length} in ${inWords(performance.now() - startedAt)}; failed sends, each tried again: ${failures}`,
  );
  if (broken.length > 0) throw new Error(`Promises were broken:\n${broken.join('\n')}`);
}
