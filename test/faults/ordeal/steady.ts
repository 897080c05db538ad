import { Follower } from '../../support/follower.ts';
import { signToken } from '../../support/node-process.ts';
import { ask } from '../../support/post.ts';
import { followResuming } from '../../support/socket-follower.ts';
import { SteadySender } from '../../support/steady-sender.ts';
import { until } from '../../support/until.ts';
import { type BusKind, type Node, Site } from './site.ts';

const channel = 'general';

/** Two nodes, a steady flow of messages through one that can be chosen, and a follower on each. */
export interface SteadySite {
  readonly site: Site;
  readonly sender: SteadySender;
  followerOn(node: Node): Follower;
  /** Whom the messages are sent to from now on. */
  sendTo(node: Node): void;
  /** The one that relays, and the other. */
  roles(): Promise<{ leader: Node; other: Node }>;
  stop(): Promise<void>;
}

export async function startSteady(bus: BusKind, perSecond: number): Promise<SteadySite> {
  const site = await Site.start(2, bus);
  const [first] = site.nodes as [Node, Node];
  const token = await signToken('ada');
  await ask(first.url, token, `mutation { createChannel(input: { name: "${channel}" }) { id } }`);
  const { position } = await ask(first.url, token, '{ position }');
  const followers = new Map(site.nodes.map((node) => [node, new Follower(node.name, channel, position)]));
  const leave = [...followers].map(([node, follower]) =>
    followResuming(follower, node.url, token, { silenceMs: 2_000 }),
  );
  let target = first;
  const sender = new SteadySender({
    ...{ url: () => target.url, token, channels: [channel], perSecond, withinMs: 3_000 },
    atOnce: Math.max(4, Math.ceil(perSecond / 8)),
  });
  sender.start();
  return {
    site,
    sender,
    followerOn: (node) => followers.get(node)!,
    sendTo: (node) => {
      target = node;
    },
    roles: async () => {
      let leader: Node | null = null;
      await until('somebody leads', 10_000, async () => {
        leader = await site.leader();
        return leader !== null;
      });
      return { leader: leader!, other: site.nodes.find((node) => node !== leader)! };
    },
    stop: async () => {
      await sender.stop();
      for (const end of leave) end();
      await site.stop();
    },
  };
}
