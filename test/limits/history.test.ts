import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createConnectionCounts } from '../../src/db/connection-counts.ts';
import type { Database } from '../../src/db/database.ts';
import { migrate } from '../../src/db/migrate.ts';
import { openPostgres } from '../../src/db/postgres.ts';
import { freshDatabase } from '../support/database.ts';

/** How much of a plan, as PostgreSQL tells it, was read in vain. */
interface Plan {
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly Plan[];
}
const removed = (plan: Plan): number =>
  (plan['Rows Removed by Filter'] ?? 0) + (plan.Plans ?? []).reduce((sum, part) => sum + removed(part), 0);

describe('counting the connections of a user', () => {
  let database: Database;
  let drop: () => Promise<void>;
  const plans: Plan[] = [];

  beforeAll(async () => {
    const fresh = await freshDatabase();
    drop = fresh.drop;
    database = openPostgres(fresh.url);
    await migrate(database);
    await database.query("insert into users (id, name) values ('ada', 'Ada')");
    await database.query(
      "insert into realtime_nodes (id, connections, subscriptions) values ('other', 1, 1)",
    );
    const insert = `insert into realtime_connections (id, connection_type, node, user_id, is_active, closed_at)
                    select gen_random_uuid(), 'websocket', 'other',`;
    const past = "false, now() - n * interval '1 s'";
    await database.query(`${insert} 'ada', ${past} from generate_series(1, 200) n`);
    await database.query(`${insert} 'user' || n % 500, ${past} from generate_series(1, 50000) n`);
    await database.query(`${insert} 'user' || n, true, null from generate_series(1, 5000) n`);
    await database.query(`${insert} 'ada', true, null`);
    await database.query('analyze realtime_connections');
  });
  afterAll(async () => {
    await database.close();
    await drop();
  });

  /** Runs what is asked, and remembers how the database went about it. */
  const explaining: Pick<Database, 'query'> = {
    async query(statement, parameters) {
      const [row] = await database.query<{ 'QUERY PLAN': string }>(
        `explain (analyze, format json) ${statement}`,
        parameters,
      );
      plans.push(...JSON.parse(row!['QUERY PLAN']).map(({ Plan }: { Plan: Plan }) => Plan));
      return database.query(statement, parameters);
    },
  };

  test('reads none of those that were closed, however often they came and went', async () => {
    const counts = createConnectionCounts(explaining as Database, 'this');
    expect(await counts.elsewhere('ada')).toBe(1);
    expect(await counts.beyond(['ada', uuid()], 1)).toEqual([]);

    expect(plans).toHaveLength(2);
    for (const plan of plans) expect(removed(plan)).toBeLessThan(10);
  });
});
