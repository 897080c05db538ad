import { randomUUID } from 'node:crypto';
import { parseConfig } from '../src/config.ts';
import { Epochs } from '../src/db/epochs.ts';
import { createLedger } from '../src/db/ledger.ts';
import { Partitions } from '../src/db/partitions.ts';
import { MemoryBus } from '../src/realtime/bus.ts';
import { silent } from '../src/realtime/meter.ts';
import { Relay } from '../src/realtime/relay.ts';
import { openDatabase } from '../src/server.ts';
import { onEachDatabase } from './databases.ts';
import type { Row } from './run.ts';

const events = 100_000;
const topics = 1_000;

/** How fast a full outbox empties into the journal, with the bus told of every event. */
export function relay(): Promise<Row[]> {
  return onEachDatabase(async (kind, environment) => {
    const database = await openDatabase(parseConfig(environment));
    const partitions = new Partitions({ database, retentionSeconds: 604_800 });
    await partitions.ensure();
    const epochs = await Epochs.open(database);
    const ledger = createLedger({ database, partitions, epochs, node: randomUUID() });
    await database.query(
      `insert into realtime_outbox (event_id, topics, recipient_types, recipient_ids, kind, event_type, payload)
       select gen_random_uuid(), array['channel:' || n % ${topics}], '{channel}', '{general}', 'message', 'message.sent',
              jsonb_build_object('body', repeat('x', 200)) from generate_series(1, ${events}) n`,
    );
    let told = 0;
    const meter = { ...silent, published: () => (told += 1) };
    const engine = new Relay({
      ledger,
      bus: new MemoryBus(),
      meter,
      failed: console.error,
      pollMs: 25,
      gapMs: 0,
    });
    const startedAt = performance.now();
    engine.start();
    while (told < events) await new Promise((resolve) => setTimeout(resolve, 5));
    const seconds = (performance.now() - startedAt) / 1_000;
    await engine.close();
    await database.close();
    return {
      database: kind,
      events,
      topics,
      seconds: Number(seconds.toFixed(2)),
      'events/s': Math.round(events / seconds),
    };
  });
}
