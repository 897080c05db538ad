import {
  ChannelMessageDocument,
  ChannelMessagesDocument,
  SendMessageDocument,
} from 'gravitycar-realtime-client/documents';
import { client } from './client.ts';

interface Message {
  readonly id: string;
  readonly body: string;
  readonly deletedAt: string | null;
  readonly sender: { readonly name: string } | null;
}

/** A channel as it is: its last messages, and from there on each as it is sent, edited or deleted. */
export async function showRoom(
  channel: string,
  show: (message: Message) => void,
  fail: (reason: string) => void,
): Promise<void> {
  const variables = { name: channel, last: 20 };
  const context = { requestPolicy: 'network-only' } as const;
  const { data, error } = await client.query(ChannelMessagesDocument, variables, context).toPromise();
  if (!data) return fail(error?.message ?? 'There is no answer.');
  for (const { node } of data.channel?.messages.edges ?? []) show(node);

  // The state was read as of `position`, and what happened since is told: nothing is missed between the two.
  const from = { channel, after: data.position };
  // Away for too long: what was missed cannot be told any more, so the state is read anew.
  const onResync = () => {
    unsubscribe();
    void showRoom(channel, show, fail);
  };
  const { unsubscribe } = client
    .subscription(ChannelMessageDocument, from, { onResync })
    .subscribe(({ data, error }) => {
      if (error) fail(error.message);
      if (data) show(data.channelMessage);
    });
}

/** @returns why it was refused, undefined if it was not */
export async function send(channel: string, body: string): Promise<string | undefined> {
  // Sent again with the same `clientId`, it would be there once.
  const input = { channel, body, clientId: crypto.randomUUID() };
  const { error } = await client.mutation(SendMessageDocument, { input }).toPromise();
  return error?.message;
}
