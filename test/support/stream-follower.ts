import { type Follower, follow } from './follower.ts';
import { EventStreamClient } from './sse.ts';
import type { Payload } from './websocket.ts';

const comeBackMs = 1_000;

/** How long an answer may take to begin, for who watches for silence. */
const openMs = 3_000;

/**
 * A client of an event stream that comes back as a browser's EventSource does: with `Last-Event-ID`, after as
 * long as the server asked for. Given `silenceMs`, it takes a server for gone that has said nothing for so long.
 */
export function followStream(
  follower: Follower,
  url: string,
  token: string,
  { silenceMs }: { silenceMs?: number } = {},
): () => void {
  let stream: EventStreamClient;
  let isOver = false;
  void comeBackAgainAndAgain();
  return () => {
    isOver = true;
    stream.cut();
  };

  async function comeBackAgainAndAgain(): Promise<void> {
    while (!isOver && !follower.endedBy) {
      const headers = follower.position ? { 'last-event-id': follower.position } : undefined;
      const operation = { query: follow, variables: { channel: follower.channel } };
      stream = new EventStreamClient(`${url}/graphql`, token, operation, headers);
      void stream.opened.then(() => follower.back());
      const stopWatching = silenceMs ? watchSilence(stream, silenceMs) : () => {};
      await hear(stream, follower);
      stopWatching();
      follower.lost();
      const askedFor = Number(stream.blocks.at(-1)?.retry ?? Math.random() * comeBackMs);
      await new Promise((resolve) => setTimeout(resolve, askedFor));
    }
  }
}

async function hear({ stream }: EventStreamClient, follower: Follower): Promise<void> {
  for (let frame = await stream.frame(); frame; frame = await stream.frame()) {
    if (frame.type !== 'next') return follower.end(frame.type);
    follower.hear(frame.payload as Payload);
  }
}

function watchSilence(stream: EventStreamClient, silenceMs: number): () => void {
  let seen = 0;
  let seenAt = performance.now();
  const timer = setInterval(() => {
    if (stream.blocks.length > seen) seenAt = performance.now();
    seen = stream.blocks.length;
    if (performance.now() - seenAt > (seen > 0 ? silenceMs : openMs)) stream.cut();
  }, 250);
  return () => clearInterval(timer);
}
