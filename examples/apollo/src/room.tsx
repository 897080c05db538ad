import { useMutation, useQuery } from '@apollo/client/react';
import {
  ChannelMessageDocument,
  ChannelMessagesDocument,
  SendMessageDocument,
} from 'gravitycar-realtime-client/documents';
import { type FormEvent, useEffect, useState } from 'react';

export function Room({ channel }: { channel: string }) {
  const state = useQuery(ChannelMessagesDocument, { variables: { name: channel, last: 20 } });
  const [send, sent] = useMutation(SendMessageDocument);
  const [failure, setFailure] = useState<string>();
  const { data, subscribeToMore, refetch } = state;
  const position = data?.position;

  // The state was read as of `position`, and what happened since is told: nothing is missed between the two.
  useEffect(() => {
    if (!position) return;
    return subscribeToMore({
      document: ChannelMessageDocument,
      variables: { channel, after: position },
      // Away for too long: what was missed cannot be told any more, so the state is read anew.
      context: { onResync: () => void refetch() },
      onError: ({ message }) => setFailure(message),
      updateQuery: (_, { complete, previousData, subscriptionData }) => {
        if (!complete || !previousData.channel) return;
        const node = subscriptionData.data.channelMessage;
        const { messages } = previousData.channel;
        // One that is known has been edited or deleted, and the cache shows that already.
        if (messages.edges.some((edge) => edge.node.id === node.id)) return;
        const edges = [...messages.edges, { __typename: 'MessageEdge' as const, cursor: '', node }];
        const shown = { ...previousData.channel, messages: { ...messages, edges } };
        return { ...previousData, channel: shown };
      },
    });
  }, [channel, position, subscribeToMore, refetch]);

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const body = String(new FormData(form).get('body'));
    // Sent again with the same `clientId`, it would be there once.
    const input = { channel, body, clientId: crypto.randomUUID() };
    void send({ variables: { input }, onCompleted: () => form.reset(), onError: () => {} });
  }

  const problem = state.error?.message ?? sent.error?.message ?? failure;
  return (
    <section>
      {problem && <p role="alert">{problem}</p>}
      <ol>
        {data?.channel?.messages.edges.map(({ node: { id, sender, body, deletedAt } }) => (
          <li key={id}>
            <b>{sender?.name}</b> {deletedAt ? <i>deleted</i> : body}
          </li>
        ))}
      </ol>
      <form onSubmit={submit}>
        <input name="body" aria-label="Message" required />
        <button type="submit">Send</button>
      </form>
    </section>
  );
}
