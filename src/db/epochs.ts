import { randomBytes } from 'node:crypto';
import { desc, eq, isNull } from 'drizzle-orm';
import type { Epoch } from '../realtime/position.ts';
import { type Database, sqlState } from './database.ts';
import { realtimeEpochs, realtimeRelay } from './tables.ts';

/**
 * The epochs of the journal, newest first. A new one begins when the database has become another one: restored
 * from a dump, or promoted from a standby that may have missed the last events. Positions of the earlier epoch
 * stay good up to the head that was found.
 */
export async function settleEpochs(database: Database): Promise<Epoch[]> {
  const identity = await identify(database);
  const rows = await database.transaction(async (tx) => {
    const [relay] = await tx.select().from(realtimeRelay).where(eq(realtimeRelay.part, 0)).for('update');
    const [current] = await tx.select().from(realtimeEpochs).where(isNull(realtimeEpochs.until));
    const isSame =
      current?.systemIdentifier === identity.systemIdentifier && current.timelineId === identity.timelineId;
    if (!isSame) {
      if (current) {
        const ended = { until: relay!.head };
        await tx.update(realtimeEpochs).set(ended).where(eq(realtimeEpochs.id, current.id));
      }
      const id = randomBytes(8).toString('hex');
      await tx.insert(realtimeEpochs).values({ id, key: randomBytes(32).toString('hex'), ...identity });
    }
    return tx.select().from(realtimeEpochs).orderBy(desc(realtimeEpochs.beganAt));
  });
  return rows.map(({ id, key, until }) => ({ id, key: Buffer.from(key, 'hex'), until }));
}

/** Who the database is. Some hosts do not say; then it never changes. */
async function identify(database: Database): Promise<{ systemIdentifier: string; timelineId: number }> {
  try {
    const [row] = await database.query<{ systemIdentifier: string; timelineId: number }>(
      `select system_identifier::text as "systemIdentifier", timeline_id as "timelineId"
         from pg_control_system(), pg_control_checkpoint()`,
    );
    return row!;
  } catch (error) {
    if (sqlState(error) !== '42501') throw error;
    return { systemIdentifier: 'not told', timelineId: 0 };
  }
}
