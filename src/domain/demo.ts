import { v7 as uuid } from 'uuid';
import { z } from 'zod';
import { sqlState } from '../db/database.ts';
import { badInput, forbidden, notFound } from '../errors.ts';
import type { Positions } from '../realtime/position.ts';
import {
  type DemoContentParts,
  demoApplication,
  demoPeople,
  demoStatuses,
  demoTable,
  viewerOf,
} from './demo-content.ts';
import { demandAdmin } from './policy.ts';
import type { Viewer } from './viewer.ts';

/** A row of the watched table, in the forms that `modelUpdated` tells it in. */
export interface DemoTask {
  readonly id: string;
  readonly title: string;
  readonly status: (typeof demoStatuses)[number];
  /** A user's id. */
  readonly assignee: string | null;
  readonly points: number;
}

/** An event as the journal has it, for who looks on. */
export interface DemoEvent {
  readonly id: string;
  readonly position: string;
  readonly kind: string;
  readonly type: string;
  readonly topics: readonly string[];
  /** By its name. */
  readonly channel: string | null;
  readonly senderId: string | null;
  /** How many it was written to; counted every few seconds. */
  readonly delivered: number;
  readonly createdAt: string;
  /** The beginning of its payload. */
  readonly payload: string;
}

const task = z.strictObject({
  title: z.string().trim().min(1).max(200),
  status: z.enum(demoStatuses),
  assignee: z.enum(demoPeople.map(({ id }) => id)).nullable(),
  points: z.number().int().min(0).max(100),
});

const mostAtOnce = 50;
const mostEvents = 60;
const columns = 'id::text as id, title, status, assignee, points';

export type Demo = ReturnType<typeof createDemo>;

/**
 * What the demo's own backend does: it has a table of tasks, tells people when they are given one, and lets
 * colleagues talk while nobody is at the keyboard. In development only.
 */
export function createDemo(parts: DemoParts) {
  const { database, positions, messages, notifications, head } = parts;

  /** Only those whom the demo has made: a user of somebody else's has no part in it. */
  function demandPerson({ id }: Viewer): void {
    if (!demoPeople.some((person) => person.id === id))
      throw forbidden('That is for the people of the demo.');
  }

  async function write(statement: string, parameters: readonly unknown[]): Promise<DemoTask | undefined> {
    const [row] = await run(statement, parameters);
    return row;
  }

  async function run(statement: string, parameters?: readonly unknown[]): Promise<DemoTask[]> {
    try {
      return await database.query<DemoTask>(statement, parameters);
    } catch (error) {
      // The table is somebody's to drop.
      if (sqlState(error) === '42P01') throw notFound(`The table "${demoTable}"`);
      throw error;
    }
  }

  return {
    /** The rows by id, and the place that they are at least as new as: subscribe behind it. */
    async tasks(): Promise<{ position: string; rows: DemoTask[] }> {
      const position = positions.seal(await head());
      return {
        position,
        rows: await run(`select ${columns} from ${demoTable} order by ${demoTable}.id limit 500`),
      };
    },

    async createTask(viewer: Viewer, given: unknown): Promise<DemoTask> {
      demandPerson(viewer);
      const { title, status, assignee, points } = parsed(
        task.partial({ status: true, assignee: true, points: true }),
        given,
      );
      const row = await write(
        `insert into ${demoTable} (title, status, assignee, points) values ($1, $2, $3, $4) returning ${columns}`,
        [title, status ?? 'todo', assignee ?? null, points ?? 1],
      );
      await tellOf(viewer, row!, null);
      return row!;
    },

    /** Changes what is given. @throws NOT_FOUND */
    async changeTask(viewer: Viewer, id: string, given: unknown): Promise<DemoTask> {
      demandPerson(viewer);
      const change = parsed(task.partial(), given);
      const before = await write(`select ${columns} from ${demoTable} where id = $1::bigint`, [idOf(id)]);
      if (!before) throw notFound('The task');
      const { title, status, assignee, points } = { ...before, ...change };
      const row = await write(
        `update ${demoTable} set title = $2, status = $3, assignee = $4, points = $5 where id = $1::bigint returning ${columns}`,
        [idOf(id), title, status, assignee, points],
      );
      if (!row) throw notFound('The task');
      await tellOf(viewer, row, before.assignee);
      return row;
    },

    async deleteTask(viewer: Viewer, id: string): Promise<void> {
      demandPerson(viewer);
      const row = await write(`delete from ${demoTable} where id = $1::bigint returning ${columns}`, [
        idOf(id),
      ]);
      if (!row) throw notFound('The task');
    },

    /** A notification from one to another. */
    async nudge(viewer: Viewer, given: unknown): Promise<void> {
      demandPerson(viewer);
      const { userId } = parsed(z.strictObject({ userId: z.enum(demoPeople.map(({ id }) => id)) }), given);
      await notifications.send(demoApplication, [
        {
          ...{ userId, actorId: viewer.id, type: 'nudge', category: 'people' },
          ...{ title: `${nameOf(viewer.id)} says hello`, message: 'A nudge, and nothing more.' },
        },
      ]);
    },

    /** The others talk: so many messages in a channel that all of them are in. Answers how many. */
    async chatter(viewer: Viewer, given: unknown): Promise<number> {
      demandPerson(viewer);
      const { channel, count } = parsed(
        z.strictObject({
          channel: z.enum(['welcome', 'launch']),
          count: z.number().int().min(1).max(mostAtOnce),
        }),
        given,
      );
      const others = demoPeople.filter(({ id }) => id !== viewer.id);
      const run = uuid();
      for (let index = 0; index < count; index += 1) {
        const body = `${sayings[index % sayings.length]} (${index + 1} of ${count})`;
        const sender = viewerOf(others[index % others.length]!.id);
        await messages.send(sender, { channel, body, clientId: `${run}-${index}` });
      }
      return count;
    },

    /** The newest events of the journal, newest first. @throws FORBIDDEN to all but admins */
    async journal(viewer: Viewer): Promise<DemoEvent[]> {
      demandAdmin(viewer);
      const rows = await database.query<JournalRow>(newestEvents, [mostEvents]);
      return rows.map(({ place, topics, ...row }) => ({
        ...row,
        topics: topics.split('\n'),
        position: positions.seal(Number(place)),
      }));
    },
  };

  /** Who is given a task by somebody else is told. */
  async function tellOf(
    viewer: Viewer,
    { id, title, assignee }: DemoTask,
    before: string | null,
  ): Promise<void> {
    if (assignee === null || assignee === before || assignee === viewer.id) return;
    await notifications.send(demoApplication, [
      {
        ...{ userId: assignee, actorId: viewer.id, type: 'task', category: 'tasks', data: { taskId: id } },
        ...{ title: `${nameOf(viewer.id)} gave you a task`, message: title },
      },
    ]);
  }
}

const sayings = [
  'Has anybody seen the new dashboard?',
  'I have pushed the fix.',
  'Coffee in ten minutes?',
  'The build is green again.',
  'Could somebody look at the second screenshot?',
  'Done, see the task list.',
  'Numbers look good this morning.',
];

const newestEvents = `
select min(e.id::text) as id, e.position::text as place, min(e.kind) as kind, min(e.event_type) as type,
       string_agg(e.topic, chr(10) order by e.topic) as topics, min(e.channel) as channel, min(e.sender_id) as "senderId",
       sum(e.delivered_count)::int as delivered, min(e.created_at)::text as "createdAt",
       min(left(e.payload::text, 240)) as payload
  from realtime_events e
 where not e.control
   and e.position > (select coalesce(max(position), 0) from realtime_events) - $1::int
 group by e.position order by e.position desc`;

const nameOf = (id: string) => demoPeople.find((person) => person.id === id)!.name;

function idOf(text: string): string {
  if (!/^\d{1,18}$/.test(text)) throw notFound('The task');
  return text;
}

function parsed<Output>(shape: z.ZodType<Output>, given: unknown): Output {
  const { data, error } = shape.safeParse(given);
  if (error)
    throw badInput(error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
  return data!;
}

interface JournalRow extends Omit<DemoEvent, 'position' | 'topics'> {
  readonly place: string;
  readonly topics: string;
}

interface DemoParts extends Pick<DemoContentParts, 'database' | 'messages' | 'notifications'> {
  readonly positions: Positions;
  /** The journal's. */
  head(): Promise<number>;
}
