const eventStream = 'text/event-stream';

/** How an `Accept` header stands to event streams: `preferred` when nothing else is as welcome before it. */
export function wantsEventStream(accept: string | undefined): 'preferred' | 'acceptable' | 'no' {
  const types = (accept ?? '').split(',').map((part) => {
    const [type = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith('q='));
    return { type, quality: quality ? Number(quality.slice(2)) : 1 };
  });
  const stream = types.find(({ type }) => type === eventStream);
  if (!stream || !(stream.quality > 0)) return 'no';
  const best = types.reduce((one, other) => (other.quality > one.quality ? other : one));
  return best.type === eventStream ? 'preferred' : 'acceptable';
}
