/** What stands in a page of the tests: a client, and what its subscriptions have been told. */
import {
  createRealtimeClient,
  localPositions,
  OperationError,
  type RealtimeClientOptions,
} from '../../src/index.ts';

export interface TabOptions extends Pick<RealtimeClientOptions, 'share' | 'transport' | 'retry'> {
  /** One for all times that it is asked for, or several, the last again and again. */
  readonly tokens: readonly string[];
  /** Keeps positions and what is queued, under this. */
  readonly prefix?: string;
}

function open({ tokens, prefix, ...options }: TabOptions) {
  const left = [...tokens];
  const refused: string[] = [];
  const client = createRealtimeClient({
    url: '/graphql',
    token: () => (left.length > 1 ? left.shift()! : left[0]!),
    retry: { firstMs: 40, longestMs: 200 },
    onRefused: ({ error }) => refused.push(error.code),
    ...(prefix === undefined ? {} : { storage: localPositions(prefix) }),
    ...options,
  });
  const heard = new Map<number, string[]>();
  const ends: (() => void)[] = [];
  const sending = (channel: string, body: string, clientId?: string) => ({
    document: 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { body } }',
    variables: { input: { channel, body, ...(clientId ? { clientId } : {}) } },
  });
  /** The body that was sent, or the code of the refusal. */
  const outcome = async (sent: Promise<unknown>) => {
    try {
      return ((await sent) as { sendMessage: { body: string } }).sendMessage.body;
    } catch (error) {
      return error instanceof OperationError ? error.code : String(error);
    }
  };
  return {
    client,
    refused,
    /** Answers its number. */
    listen(channel: string, key?: string): number {
      const bodies: string[] = [];
      const number = ends.length;
      heard.set(number, bodies);
      ends.push(
        client.subscribe<{ channelMessage: { body: string } }, { channel: string }>(
          {
            document:
              'subscription Messages($channel: String!) { channelMessage(channel: $channel) { body } }',
            variables: { channel },
          },
          {
            next: ({ data }) => void bodies.push(data!.channelMessage.body),
            resync: () => void bodies.push('resync'),
            error: ({ code }) => void bodies.push(`error: ${code}`),
          },
          key === undefined ? {} : { key },
        ),
      );
      return number;
    },
    bodies: (number = 0) => heard.get(number) ?? [],
    leave: (number = 0) => ends[number]?.(),
    execute: (channel: string, body: string) => outcome(client.execute(sending(channel, body))),
    enqueue: (channel: string, body: string, clientId: string) =>
      outcome(client.enqueue(sending(channel, body, clientId))),
  };
}

declare global {
  interface Window {
    openTab: typeof open;
    tab: ReturnType<typeof open>;
  }
}

window.openTab = open;
