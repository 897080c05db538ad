import { eq, inArray, isNotNull, sql } from 'drizzle-orm';
import type { Database, Queryable } from '../db/database.ts';
import { append } from '../db/outbox.ts';
import { users } from '../db/tables.ts';
import { notFound } from '../errors.ts';
import { inBatches } from '../lib/batches.ts';
import { demandLength, demandText, demandUserId, isUserId } from './input.ts';
import { demandAdmin, demandStaff } from './policy.ts';
import type { RevocationPayload } from './session.ts';
import { toNodes } from './topics.ts';
import { signedIn, type Viewer } from './viewer.ts';

export type UserRow = typeof users.$inferSelect;

/** What others are shown of a user. */
export type Person = Pick<UserRow, 'id' | 'name' | 'avatarUrl' | 'createdAt'>;

export interface NewUser {
  readonly id: string;
  readonly name: string;
  readonly avatarUrl?: string | null;
}

/** What a token says of its user. */
export interface Profile {
  readonly id: string;
  readonly name: string | undefined;
  readonly avatarUrl: string | undefined;
  readonly issuedAt: Date;
}

const longestName = 200;
const longestUrl = 2_048;

export type Users = ReturnType<typeof createUsers>;

export function createUsers({ database, committed }: { database: Database; committed: () => void }) {
  // Who comes together is written together, and in one order, so that two nodes do not wait for each other.
  const provision = inBatches<Profile, void>(async (profiles) => {
    const newest = new Map<string, Profile>();
    for (const profile of profiles) {
      const known = newest.get(profile.id);
      if (!known || known.issuedAt <= profile.issuedAt) newest.set(profile.id, profile);
    }
    const rows = [...newest.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
    await database.query(provisionUsers, [JSON.stringify(rows)]);
    return profiles.map(() => undefined);
  });

  return {
    async find(viewer: Viewer | null, id: string): Promise<UserRow | null> {
      signedIn(viewer);
      if (!isUserId(id)) return null;
      const [row] = await database.orm.select().from(users).where(eq(users.id, id));
      return row ?? null;
    },

    async byIds(ids: readonly string[]): Promise<Map<string, UserRow>> {
      const rows = await database.orm
        .select()
        .from(users)
        .where(inArray(users.id, [...ids]));
      return new Map(rows.map((row) => [row.id, row]));
    },

    async upsert(viewer: Viewer | null, { id, name, avatarUrl }: NewUser): Promise<UserRow> {
      demandStaff(signedIn(viewer));
      demandUserId(id);
      demandText('name', name, longestName);
      if (avatarUrl) demandLength('avatarUrl', avatarUrl, longestUrl);
      // An avatar that is left out stays as it is.
      const written = { name, tokenIssuedAt: sql`now()`, ...(avatarUrl === undefined ? {} : { avatarUrl }) };
      const [row] = await database.orm
        .insert(users)
        .values({ id, ...written })
        .onConflictDoUpdate({ target: users.id, set: { ...written, updatedAt: sql`now()` } })
        .returning();
      return row!;
    },

    /** Ends the user's access at once and refuses their tokens, until they are unblocked. */
    async block(viewer: Viewer | null, id: string, isBlocked: boolean): Promise<UserRow> {
      demandAdmin(signedIn(viewer));
      const user = await database.transaction(async (tx) => {
        const [before] = isUserId(id)
          ? await tx.select().from(users).where(eq(users.id, id)).for('update')
          : [];
        if (!before) throw noUser(id);
        if ((before.blockedAt !== null) === isBlocked) return before;
        const blockedAt = isBlocked ? sql`now()` : null;
        const [after] = await tx.update(users).set({ blockedAt }).where(eq(users.id, id)).returning();
        const payload: RevocationPayload = { userId: id };
        const type = isBlocked ? 'user.blocked' : 'user.unblocked';
        append(tx, { kind: 'access', type, recipients: [toNodes(id)], payload, control: true });
        return after!;
      });
      committed();
      return user;
    },

    async blockedIds(): Promise<string[]> {
      const rows = await database.orm.select({ id: users.id }).from(users).where(isNotNull(users.blockedAt));
      return rows.map(({ id }) => id);
    },

    /** Makes the row of a token's user, or refreshes it from a token that is newer than what is known of them. */
    provision,
  };
}

/** What a token does not say stays as it is. */
const provisionUsers = `
with given as (
  select * from json_to_recordset($1::text::json) as given(id text, name text, "avatarUrl" text, "issuedAt" timestamptz))
insert into users (id, name, avatar_url, token_issued_at)
select id, coalesce(name, id), "avatarUrl", "issuedAt" from given
on conflict (id) do update
   set name = coalesce((select g.name from given g where g.id = excluded.id), users.name),
       avatar_url = coalesce(excluded.avatar_url, users.avatar_url),
       token_issued_at = excluded.token_issued_at, updated_at = now()
 where excluded.token_issued_at >= coalesce(users.token_issued_at, '-infinity')
   and (coalesce((select g.name from given g where g.id = excluded.id), users.name) <> users.name
        or excluded.avatar_url is distinct from users.avatar_url)`;

export const noUser = (id: string) => notFound(`The user "${id}"`);

/** @throws NOT_FOUND */
export async function demandUsers(queryable: Queryable, ids: readonly string[]): Promise<void> {
  const wanted = [...new Set(ids)];
  if (wanted.length === 0) return;
  const possible = wanted.filter(isUserId);
  const rows = await queryable.select({ id: users.id }).from(users).where(inArray(users.id, possible));
  const known = new Set(rows.map(({ id }) => id));
  const missing = wanted.find((id) => !known.has(id));
  if (missing !== undefined) throw noUser(missing);
}
