import { eq, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../db/database.ts';
import { realtimeSettings } from '../db/tables.ts';
import { Refusal } from '../errors.ts';
import type { Channels, NewChannel } from './channel.ts';
import type { Messages } from './message.ts';
import type { NewNotification, Notifications } from './notification.ts';
import type { Users } from './user.ts';
import type { Role, Viewer } from './viewer.ts';
import type { Watches } from './watch.ts';

/** Somebody whom a page may sign in as, in development. */
export interface DemoPerson {
  readonly id: string;
  readonly name: string;
  /** What they do, for who chooses among them. */
  readonly job: string;
  readonly roles: readonly Role[];
}

export const demoPeople: readonly DemoPerson[] = [
  { id: 'ada', name: 'Ada Novak', job: 'Team lead', roles: ['admin'] },
  { id: 'ben', name: 'Ben Osei', job: 'Engineer', roles: [] },
  { id: 'chloe', name: 'Chloé Martin', job: 'Designer', roles: [] },
  { id: 'devika', name: 'Devika Rao', job: 'Support', roles: [] },
];

/** What there is to look at first. */
export const demoSubject = { channel: 'welcome', model: 'Task' };

/** The application that the people work with, which is the one to send notifications. */
export const demoApplication: Viewer = { id: 'ada', roles: ['admin'] };

export const demoTable = 'demo_tasks';
export const demoStatuses = ['todo', 'doing', 'done'] as const;

const settingKey = 'demo';
const lockKey = 7_204_113_320;

/**
 * Fills an empty database with people, channels, notifications, and a watched table, once: what is changed or deleted
 * later stays so. A process that ends in the middle, or several at once, do no harm: each part is made only once.
 * Answers whether the database has been filled, now or before.
 */
export async function seedDemo(parts: DemoContentParts): Promise<boolean> {
  const { database, users, channels, messages, notifications, watches } = parts;
  const state = await begin(database);
  if (state !== 'begun') return state === 'done';
  for (const { id, name } of demoPeople) await users.upsert(demoApplication, { id, name });
  for (const { owner, ...channel } of newChannels) {
    await unlessTaken(() => channels.create(viewerOf(owner), channel));
  }
  for (const [index, [channel, sender, body]] of newMessages.entries()) {
    await messages.send(viewerOf(sender), { channel, body, clientId: `demo-${index}` });
  }
  await createTable(database);
  await watches.watch(demoApplication, { table: demoTable, name: demoSubject.model, audience: 'EVERYONE' });
  const keyed = newNotifications.map((each, index) => ({ ...each, dedupeKey: `demo-${index}` }));
  await notifications.send(demoApplication, keyed);
  await database.query(`update realtime_settings set value = 'done' where key = $1`, [settingKey]);
  return true;
}

/**
 * How far the filling is; undefined where there is something else in the database, ours or anybody else's: a table
 * of the demo is not put among those of an application.
 */
const begin = (database: Database) =>
  alone(database, async (tx) => {
    await tx.execute(sql`
      insert into realtime_settings (key, value)
      select ${settingKey}, 'begun'
       where not exists (select from users) and not exists (select from channels)
         and not exists (
           select from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p') and n.nspname !~ '^(pg_|information_schema$|drizzle$)'
              and c.relname !~ '^realtime_'
              and c.relname not in ('users', 'channels', 'channel_members', 'messages', 'notifications'))
          on conflict do nothing`);
    const [row] = await tx.select().from(realtimeSettings).where(eq(realtimeSettings.key, settingKey));
    return row?.value;
  });

/** One process at a time, which finds what the one before has left. */
const alone = <Result>(database: Database, work: (tx: Transaction) => Promise<Result>) =>
  database.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(${lockKey})`);
    return work(tx);
  });

export function viewerOf(id: string): Viewer {
  return { id, roles: demoPeople.find((person) => person.id === id)?.roles ?? [] };
}

async function unlessTaken(create: () => Promise<unknown>): Promise<void> {
  await create().catch((error) => {
    if (!(error instanceof Refusal && error.code === 'CONFLICT')) throw error;
  });
}

/** A table as an application has it: it knows nothing of this server. */
const createTable = (database: Database) =>
  // Two that create it at once are refused by the catalogue, `if not exists` or not.
  alone(database, async (tx) => {
    await tx.execute(
      sql.raw(`create table if not exists ${demoTable} (
        id bigint generated always as identity primary key,
        title text not null check (char_length(title) between 1 and 200),
        status text not null default 'todo' check (status in (${demoStatuses.map((each) => `'${each}'`)})),
        assignee text,
        points int not null default 1 check (points between 0 and 100)
      )`),
    );
    await tx.execute(
      sql`insert into ${sql.raw(demoTable)} (title, status, assignee, points)
          select * from json_to_recordset(${JSON.stringify(newTasks)}::text::json)
                     as rows (title text, status text, assignee text, points int)
           where not exists (select from ${sql.raw(demoTable)})`,
    );
  });

const everybody = demoPeople.map(({ id }) => id);

const newChannels: readonly (NewChannel & { readonly owner: string })[] = [
  { owner: 'ada', name: 'welcome', title: 'Say hello and look around', memberIds: everybody },
  { owner: 'chloe', name: 'launch', title: 'Everything about Thursday', memberIds: everybody },
  { owner: 'devika', name: 'support', title: 'What customers ask', memberIds: ['ada', 'ben', 'devika'] },
  {
    ...{ owner: 'ada', name: 'leadership', title: 'Members only', kind: 'PRIVATE' },
    memberIds: ['ada', 'chloe'],
  },
];

const newMessages: readonly (readonly [channel: string, sender: string, body: string])[] = [
  ['welcome', 'ada', 'Welcome, everyone. This is where we say hello.'],
  ['welcome', 'ben', 'Hello from the engine room!'],
  ['welcome', 'chloe', 'Bonjour. The new icons are in, tell me what you think.'],
  ['welcome', 'devika', 'Hi all. Support is quiet today, which worries me a little.'],
  [
    'welcome',
    'ada',
    'Try this: cut the wire, let the others write, and mend it again. Nothing goes missing.',
  ],
  ['launch', 'chloe', 'Thursday it is. Who has the release notes?'],
  ['launch', 'ben', 'I do. The first draft is in the task list.'],
  ['launch', 'ada', 'Then I take the announcement.'],
  ['launch', 'chloe', 'Perfect. Screenshots by Wednesday noon.'],
  ['support', 'devika', 'Three people asked whether messages survive a restart.'],
  ['support', 'ben', 'They do. Restart the server now and look.'],
  ['leadership', 'ada', 'Shall we give the team Friday off after the launch?'],
  ['leadership', 'chloe', 'Yes, please.'],
];

const newTasks = [
  { title: 'Write the release notes', status: 'doing', assignee: 'ben', points: 3 },
  { title: 'Screenshots in both themes', status: 'doing', assignee: 'chloe', points: 2 },
  { title: 'Announcement', status: 'todo', assignee: 'ada', points: 5 },
  { title: 'Answer the question about restarts', status: 'done', assignee: 'devika', points: 1 },
  { title: 'Rehearse the rollback', status: 'todo', assignee: null, points: 8 },
];

const newNotifications: readonly NewNotification[] = demoPeople.flatMap(({ id, name }) => {
  const other = id === 'ada' ? 'chloe' : 'ada';
  return [
    {
      ...{ userId: id, title: `Welcome, ${name.split(' ')[0]}`, type: 'success', category: 'general' },
      message: 'This is your inbox. Open it in two tabs: the badge is the same in both.',
    },
    {
      ...{ userId: id, actorId: other, title: 'The launch is on Thursday', type: 'info', category: 'launch' },
      ...{ message: 'The plan is in the channel #launch.', priority: 'HIGH' as const },
    },
  ];
});

export interface DemoContentParts {
  readonly database: Database;
  readonly users: Users;
  readonly channels: Channels;
  readonly messages: Messages;
  readonly notifications: Notifications;
  readonly watches: Watches;
}
