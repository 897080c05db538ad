import type { OperationError, RealtimeClient, Sink } from '../../src/index.ts';

interface Messages {
  readonly channelMessage: { readonly body: string };
}

/** What one subscription to a channel's messages has been told. */
export class Heard implements Sink<Messages> {
  readonly bodies: string[] = [];
  readonly positions: (string | null)[] = [];
  readonly errors: OperationError[] = [];
  resyncs = 0;
  completions = 0;
  end: () => void = () => {};

  next({ data, position }: { data: Messages | null; position: string | null }): void {
    this.bodies.push(data!.channelMessage.body);
    this.positions.push(position);
  }

  resync(): void {
    this.resyncs += 1;
  }

  error(error: OperationError): void {
    this.errors.push(error);
  }

  complete(): void {
    this.completions += 1;
  }
}

export const messagesOf = (channel: string) => ({
  document: 'subscription Messages($channel: String!) { channelMessage(channel: $channel) { body } }',
  variables: { channel },
});

export function listen(
  client: RealtimeClient,
  channel: string,
  options?: { key?: string; after?: string },
): Heard {
  const heard = new Heard();
  heard.end = client.subscribe<Messages, { channel: string }>(messagesOf(channel), heard, options);
  return heard;
}
