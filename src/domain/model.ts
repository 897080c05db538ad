import type { Database } from '../db/database.ts';
import { notFound, positionExpired, tooLarge } from '../errors.ts';
import { inBatches } from '../lib/batches.ts';
import type { JournalEvent } from '../realtime/event.ts';
import { partNamed } from '../realtime/facet.ts';
import type { Positions } from '../realtime/position.ts';
import { Source } from '../realtime/source.ts';
import type { AccessPayload } from './channel.ts';
import { demandLength } from './input.ts';
import { changeOf } from './model-event.ts';
import { ModelFilter, type ModelPayload, type ModelSelection } from './model-filter.ts';
import { builtInModels, isStaff, standingsThatMay } from './policy.ts';
import { furthest, type Resume } from './position.ts';
import {
  modelTopic,
  modelTopicOfChannel,
  modelTopicOfOwner,
  modelTopicOfPublic,
  toChannels,
  toUser,
} from './topics.ts';
import { signedIn, type Viewer } from './viewer.ts';
import type { ModelRow, Watches } from './watch.ts';

export interface ModelArguments extends ModelSelection {
  readonly model: string;
}

/** Rows of so many channels are followed at once. */
const mostChannels = 1_000;

export type Models = ReturnType<typeof createModels>;

/** Changes of rows, whoever made them. */
export function createModels({ database, positions, watches }: ModelsOptions) {
  // All clients of a node come back together.
  const find = inBatches<string, ModelRow | null>(async (names) => {
    const found = await watches.byNames([...new Set(names)]);
    return names.map((name) => found.get(name) ?? null);
  });

  /** @throws NOT_FOUND for what is not told, or not to be known of */
  async function findFor(viewer: Viewer, name: string): Promise<ModelRow> {
    demandLength('model', name, 1_000);
    const model = await find(name);
    if (!model || (model.audience === 'SERVICE' && !isStaff(viewer))) throw notFound(`The model "${name}"`);
    return model;
  }

  /** What lies before was not captured, or is of rows that nobody knows of any more. */
  async function isReset(name: string, after: number): Promise<boolean> {
    const [row] = await database.query<{ isReset: boolean }>(
      `select exists (select from realtime_outbox where subject = $1 and erases and control)
              or exists (select from realtime_events where topic = $1 and subject = $1 and erases and position > $2::bigint)
              as "isReset"`,
      [modelTopic(name), after],
    );
    return row!.isReset;
  }

  /** Those that the viewer may read: the ones that are named, or all but the public ones, which are one topic. */
  async function readable(viewer: Viewer, by: ModelRow['channelBy'], named: readonly string[] | null) {
    const rows = await database.query<{ id: string; kind: string }>(
      `select c.id::text as id, c.kind from channels c
              left join channel_members m on m.channel_id = c.id and m.user_id = $1
        where concat_ws(' ', c.kind, m.role) = any($2::text[])
          and case when $3::text[] is null then c.kind <> 'PUBLIC'
                   else ${by === 'name' ? 'c.name' : 'c.id::text'} = any($3::text[]) end
        order by c.id limit ${mostChannels + 1}`,
      [viewer.id, standingsThatMay(viewer, 'read'), named],
    );
    if (rows.length > mostChannels) {
      throw tooLarge(
        `Rows of at most ${mostChannels} channels are followed at once: name some by \`where\`.`,
      );
    }
    return rows;
  }

  return {
    /** The changes of a model's rows that the viewer may see and asks for. */
    async follow(viewer: Viewer | null, { model: name, ...selection }: ModelArguments, resume: Resume) {
      const me = signedIn(viewer);
      const after = furthest(positions, resume);
      const model = await findFor(me, name);
      const columns = new Map(model.columns.map((column, index) => [column, model.columnTypes[index]!]));
      const filter = new ModelFilter({ columns, keyColumns: model.keyColumns }, selection);
      const shown = {
        ...{ name, columns, audienceColumn: model.audienceColumn },
        table: model.isBuiltIn ? builtInModels[name as keyof typeof builtInModels].table : undefined,
      };
      const { facet } = filter;
      const partsOf = (topic: string) =>
        facet ? facet.values.map((value) => partNamed(topic, { name: facet.name, value })) : [topic];
      /** Of audience CHANNEL: those that are asked for, by name or id, and those of them that are read. */
      const named = model.audience === 'CHANNEL' ? filter.valuesOf(model.audienceColumn!) : null;
      let read: ReadonlySet<string> = new Set();

      async function topics(): Promise<string[]> {
        const [audience, base] = [model.audience, modelTopic(name)];
        if (audience === 'OWNER') return [base, ...partsOf(modelTopicOfOwner(name, me.id))];
        if (audience !== 'CHANNEL') return partsOf(base);
        const found = await readable(me, model.channelBy, named);
        read = new Set(found.map(({ id }) => id));
        const hasPublic = named === null || found.some(({ kind }) => kind === 'PUBLIC');
        const closed = found.filter(({ kind }) => kind !== 'PUBLIC');
        return [
          ...[base, toUser(me.id).topic, toChannels.topic],
          ...(hasPublic ? partsOf(modelTopicOfPublic(name)) : []),
          ...closed.flatMap(({ id }) => partsOf(modelTopicOfChannel(name, id))),
        ];
      }

      return new Source({
        after,
        version: model.id,
        isCommon: model.audience === 'EVERYONE' || model.audience === 'SERVICE',
        topics: async () => {
          // It may have been defined anew since.
          const now = await findFor(me, name);
          if (now.id !== model.id || (after !== null && (await isReset(name, after))))
            throw positionExpired();
          return topics();
        },
        wants: ({ kind, control, payload }) =>
          kind === 'model' && !control && filter.membership(payload as ModelPayload) !== null,
        shows: (event) => changeOf(event, shown, filter),
        expires: (event) =>
          event.kind === 'model' ? event.control : changesReading(event, me, model, { named, read }),
      });
    },
  };
}

/** Whether the set of channels changes whose rows the viewer is told of. */
function changesReading(
  { kind, type, payload }: JournalEvent,
  viewer: Viewer,
  { channelBy, audience }: ModelRow,
  { named, read }: { named: readonly string[] | null; read: ReadonlySet<string> },
): boolean {
  if (kind !== 'access' || audience !== 'CHANNEL') return false;
  const { channelId, name, kind: channelKind, userId } = payload as AccessPayload;
  const isAskedFor = named === null || named.includes(channelBy === 'name' ? name : channelId);
  if (!isAskedFor) return false;
  const isPublic = channelKind === 'PUBLIC';
  if (userId !== undefined) return userId === viewer.id && !isPublic && !isStaff(viewer);
  // Of a public channel its own row tells; and a message is of a channel that is there already.
  if (isPublic) return channelBy === 'name' || (channelBy === 'id' && type === 'channel.deleted');
  return type === 'channel.deleted' ? read.has(channelId) : isStaff(viewer) && channelBy !== 'id';
}

interface ModelsOptions {
  readonly database: Database;
  readonly positions: Positions;
  readonly watches: Watches;
}
