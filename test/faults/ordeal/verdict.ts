import postgres from 'postgres';
import type { Followed, Listener } from './listener.ts';
import type { Site } from './site.ts';

/** What must be there, and what may be. */
export interface Expectation {
  readonly of: Followed;
  readonly acknowledged: readonly string[];
  /** What the journal holds, in its order. */
  readonly journal: readonly string[];
  /** Whatever was tried, answered or not. */
  readonly attempted: ReadonlySet<string> | null;
}

/** Every broken promise in words; nothing when all were kept. */
export function judge(listeners: readonly Listener[], expectations: readonly Expectation[]): string[] {
  const broken: string[] = [];
  for (const listener of listeners) {
    if (listener.broken) broken.push(`a subscription to ${listener.of} ended: ${listener.broken}`);
  }
  for (const { of, acknowledged, attempted, journal } of expectations) {
    const [first, ...others] = listeners.filter((listener) => listener.of === of);
    if (!first) continue;
    const heard = new Set(first.heard);
    if (heard.size !== first.heard.length) broken.push(`${of}: ${repeated(first.heard)} came twice`);
    const missing = acknowledged.filter((body) => !heard.has(body));
    if (missing.length > 0) broken.push(`${of}: ${missing.length} are missing, ${missing[0]} first`);
    const unasked = attempted ? first.heard.filter((body) => !attempted.has(body)) : [];
    if (unasked.length > 0) broken.push(`${of}: ${unasked[0]} was never sent`);
    const apart = difference(journal, first.heard);
    if (apart !== null)
      broken.push(`${of}: heard ${first.heard[apart]} at ${apart}, the journal has ${journal[apart]}`);
    for (const [index, other] of others.entries()) {
      const at = difference(first.heard, other.heard);
      if (at === null) continue;
      broken.push(
        `${of}: listener ${index + 1} (${other.wire}) has ${other.heard[at]} at ${at}, the first ${first.heard[at]}`,
      );
    }
  }
  return broken;
}

/** The keys of what was sent to each that is followed, in the order of their positions. */
export async function readJournal({ postgres: { url } }: Site): Promise<Record<Followed, string[]>> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const messagesOf = async (name: string) => {
    const rows = await sql`
      select split_part(e.payload->>'body', ' ', 1) as key from realtime_events e, channels c
      where c.name = ${name} and e.topic = 'channel:' || c.id and e.event_type = 'message.sent' order by position`;
    return rows.map(({ key }) => key as string);
  };
  try {
    const events = await sql`select payload->>'payload' as key from realtime_events
      where topic = 'everyone' and event_type = 'ordeal' order by position`;
    return {
      general: await messagesOf('general'),
      second: await messagesOf('second'),
      events: events.map(({ key }) => key as string),
    };
  } finally {
    await sql.end();
  }
}

/** Places without a gap, topics chained, nothing waiting and nothing set aside. */
export async function judgeJournal({ postgres: { url } }: Site): Promise<string[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const [found] = await sql`
      select (select count(*) from realtime_outbox)::int as waiting,
             (select count(*) from realtime_dead_letters)::int as aside,
             (select count(*) from messages m full join
                (select payload->>'id' as id, count(*) as times from realtime_events
                 where event_type = 'message.sent' group by 1) e on e.id = m.id::text
              where m.id is null or e.times is distinct from 1)::int as "messages that are not one event",
             (select head from realtime_relay)::int - (select count(distinct position) from realtime_events)::int as gaps,
             (select count(*) from (select prev, lag(position, 1, 0::bigint) over (partition by topic order by position) as before
                from realtime_events) chained where prev <> before)::int as unchained`;
    return Object.entries(found!)
      .filter(([, count]) => count !== 0)
      .map(([name, count]) => `the journal has ${count} ${name}`);
  } finally {
    await sql.end();
  }
}

/** The one topic that every node listens to whoever is connected. */
const standingTopics = 1;
const standingChannels = 3;

/** What is still open when everybody has left. */
export async function judgeRemains(site: Site): Promise<string[]> {
  const remains: string[] = [];
  for (const node of site.nodes) {
    for (const [name, most] of [
      ['realtime_connections', 0],
      ['realtime_subscriptions', 0],
      ['realtime_groups', 0],
      ['realtime_topics', standingTopics],
    ] as const) {
      const value = await node.metric(name);
      if (value > most) remains.push(`${node.name} still has ${value} ${name}`);
    }
  }
  return remains;
}

export const mostChannels = (site: Site) => site.nodes.length * standingChannels;

function repeated(list: readonly string[]): string | undefined {
  return list.find((body, index) => list.indexOf(body) !== index);
}

function difference(one: readonly string[], other: readonly string[]): number | null {
  for (let index = 0; index < Math.max(one.length, other.length); index += 1) {
    if (one[index] !== other[index]) return index;
  }
  return null;
}
