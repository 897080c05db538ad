import { signToken } from '../../support/node-process.ts';
import { ask } from '../../support/post.ts';
import { talk } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';
import { Dice, wait } from './dice.ts';
import { Intruder } from './intruder.ts';
import { type Followed, Listener } from './listener.ts';
import { Emitter, Flood, insist, Sender } from './sender.ts';
import { type BusKind, Site } from './site.ts';
import { make, type Scene, type Trouble, troubles } from './troubles.ts';
import { judge, judgeJournal, judgeRemains, mostChannels, readJournal } from './verdict.ts';

export interface OrdealOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly bus: BusKind;
  readonly listeners: number;
  readonly senders: number;
  /** Between two messages of one sender, on average. */
  readonly pauseMs: number;
  /** What happens meanwhile; resolves when it is enough. */
  script(scene: Scene, tell: (line: string) => void): Promise<void>;
  tell(line: string): void;
}

const settledWithinMs = 30_000;
const theEnd = 'the.end';

/** Sends, listens and makes trouble on a cluster of real processes. Throws with every promise that was broken. */
export async function ordeal(options: OrdealOptions): Promise<void> {
  const { seed, tell } = options;
  const site = await Site.start(options.nodes, options.bus);
  const startedAt = performance.now();
  const told = (line: string) =>
    tell(`${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)}  ${line}`);
  try {
    await run(site, options, told, (salt) => new Dice(seed * 1_000 + salt));
  } catch (error) {
    for (const { name, log } of site.nodes) if (log) tell(`--- ${name}\n${log.slice(-4_000)}`);
    throw error;
  } finally {
    await site.stop();
  }
}

async function run(
  site: Site,
  options: OrdealOptions,
  tell: (line: string) => void,
  dice: (salt: number) => Dice,
): Promise<void> {
  const [ada, root, mallory] = await Promise.all([
    signToken('ada'),
    signToken('root', ['admin']),
    signToken('mallory'),
  ]);
  const { url } = site.nodes[0]!;
  await ask(url, mallory, '{ viewer { id } }');
  for (const input of ['name: "general"', 'name: "second"', 'name: "secret", kind: PRIVATE']) {
    await ask(url, ada, `mutation { createChannel(input: { ${input} }) { id } }`);
  }
  const { position } = await ask(url, ada, '{ position }');

  const listeners = Array.from({ length: options.listeners }, (_, index) => {
    const of: Followed = index % 8 === 6 ? 'events' : index % 8 === 7 ? 'second' : 'general';
    const wire = Math.floor(index / 8) % 2 === index % 2 ? 'websocket' : 'sse';
    return new Listener({ site, dice: dice(index), of, wire, token: ada, position });
  });
  const senders = Array.from({ length: options.senders }, (_, index) => {
    const channel = index % 4 === 3 ? 'second' : 'general';
    const { pauseMs } = options;
    return new Sender({ site, dice: dice(100 + index), token: ada, name: `m${index}`, channel, pauseMs });
  });
  const emitter = new Emitter({ site, dice: dice(200), token: root, name: 'e', channel: '', pauseMs: 400 });
  const flood = new Flood(site, ada);
  const intruder = new Intruder(site, dice(300), ada, mallory);

  await options.script({ site, dice: dice(400), listeners, flood }, tell);

  tell('calm');
  await Promise.all([...senders, emitter, intruder].map((each) => each.close()));
  const last = dice(500);
  for (const channel of ['general', 'second']) {
    const input = { channel, body: theEnd, clientId: theEnd };
    await insist(
      site,
      last,
      ada,
      'mutation S($input: SendMessageInput!) { sendMessage(input: $input) { id } }',
      {
        input,
      },
    );
  }
  await emitter.end();
  const hasEnded = ({ heard }: Listener) => heard.some((key) => key.startsWith(theEnd));
  const most = (of: Followed) =>
    Math.max(...listeners.filter((each) => each.of === of).map(({ heard }) => heard.length));
  const isDone = (each: Listener) =>
    (hasEnded(each) && each.heard.length === most(each.of)) || each.broken !== null;
  const settled = until('everybody has heard the end', settledWithinMs, async () => listeners.every(isDone));
  const late = await settled.then(
    () => [],
    () =>
      listeners
        .filter((each) => !isDone(each))
        .map(
          ({ of, wire, heard, node }) =>
            `a listener of ${of} by ${wire} on ${node?.name} stopped behind ${heard.at(-1)}`,
        ),
  );

  const sent = (channel: number[]) =>
    senders.filter((_, index) => channel.includes(index % 4)).flatMap(({ acknowledged }) => acknowledged);
  const journal = await readJournal(site);
  const broken = [
    ...late,
    ...judge(listeners, [
      {
        ...{ of: 'general', journal: journal.general, attempted: null },
        acknowledged: [...sent([0, 1, 2]), ...flood.acknowledged, theEnd],
      },
      { of: 'second', journal: journal.second, attempted: null, acknowledged: [...sent([3]), theEnd] },
      {
        ...{ of: 'events', journal: journal.events, attempted: emitter.attempted },
        acknowledged: emitter.acknowledged,
      },
    ]),
    ...(await judgeJournal(site)),
    ...intruder.broken,
    ...site.nodes.flatMap(({ falls }) => falls),
  ];
  await Promise.all(listeners.map((listener) => listener.close()));
  await until('everything is closed', 20_000, async () => {
    const remains = await judgeRemains(site);
    return remains.length === 0;
  }).catch(async () => broken.push(...(await judgeRemains(site))));
  const question = options.bus === 'cluster' ? 'PUBSUB SHARDCHANNELS' : 'PUBSUB CHANNELS *';
  let channels = 0;
  for (const { port } of site.redises) {
    channels += Number((await talk(port, question)).slice(1).split('\r\n')[0]);
  }
  if (channels > mostChannels(site)) broken.push(`Redis still has ${channels} channels`);
  for (const node of site.nodes) node.weigh();
  summarise();
  if (broken.length > 0) throw new Error(`broken promises:\n  ${broken.slice(0, 20).join('\n  ')}`);
  tell('held');

  function summarise(): void {
    const total = (of: (each: Listener) => number) => listeners.reduce((sum, each) => sum + of(each), 0);
    const silence = Math.max(...listeners.map(({ longestSilenceMs }) => longestSilenceMs));
    const ends = intruder.endedAfterMs.sort((one, other) => one - other);
    tell(
      [
        `${senders.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0)} messages`,
        `${emitter.acknowledged.length} of ${emitter.attempted.size} events`,
        `${senders.reduce((sum, { retries }) => sum + retries, 0)} retries`,
        `${total(({ heard }) => heard.length)} payloads`,
        `${total(({ resumes }) => resumes)} resumes`,
        `longest silence ${(silence / 1_000).toFixed(1)} s`,
        `up to ${site.slow} catchups of slow connections`,
        `${channels} channels left`,
        `${intruder.rounds} rounds of mallory, ${intruder.calmRounds} of them calm, ${intruder.heard} heard, ended after ${ends[Math.floor(ends.length / 2)]} ms, at most ${ends.at(-1)}`,
        `memory up to ${Math.max(...site.nodes.map(({ peak }) => peak))} MiB`,
      ].join(' · '),
    );
  }
}

/** Troubles at random, one or two at a time, for so long. */
export function atRandom(forMs: number): OrdealOptions['script'] {
  return async (scene, tell) => {
    const { dice } = scene;
    const endsAt = performance.now() + forMs;
    const counts = new Map<string, number>();
    const one = async (trouble: Trouble) => {
      tell(trouble.name);
      counts.set(trouble.name, (counts.get(trouble.name) ?? 0) + 1);
      // How often one throws them depends on time; what comes next does not.
      await make(trouble, { ...scene, dice: dice.fork() });
    };
    while (performance.now() < endsAt) {
      const first = dice.weigh(troubles);
      const second = dice.weigh(troubles);
      const isDouble =
        dice.chance(0.3) &&
        first.touches !== second.touches &&
        first.name !== 'quiet' &&
        second.name !== 'quiet';
      await Promise.all(isDouble ? [one(first), one(second)] : [one(first)]);
      await wait(dice.between(200, 4_000));
    }
    for (const [name, count] of counts) tell(`${String(count).padStart(4)} × ${name}`);
  };
}
