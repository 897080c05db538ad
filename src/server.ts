import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { createAuthenticate } from './auth/authenticate.ts';
import { createTokens } from './auth/tokens.ts';
import type { Config } from './config.ts';
import type { Domain } from './context.ts';
import { createBacklog } from './db/backlog.ts';
import { type Database, patiently } from './db/database.ts';
import { Deliveries } from './db/deliveries.ts';
import { Epochs } from './db/epochs.ts';
import { createJournal } from './db/journal.ts';
import { createLedger } from './db/ledger.ts';
import { createFitnessCheck } from './db/migrate.ts';
import { Partitions } from './db/partitions.ts';
import { Registry } from './db/registry.ts';
import { Retention } from './db/retention.ts';
import { traceTransactions } from './db/traced.ts';
import { createChannels } from './domain/channel.ts';
import { createDemo } from './domain/demo.ts';
import { demoSubject, seedDemo } from './domain/demo-content.ts';
import { createEvents } from './domain/event.ts';
import { createMessages } from './domain/message.ts';
import { createModels } from './domain/model.ts';
import { facetValues } from './domain/model-filter.ts';
import { createNotifications } from './domain/notification.ts';
import { retentionTasks } from './domain/retention.ts';
import { createSessions } from './domain/session.ts';
import { createStreams } from './domain/stream.ts';
import { createUsers } from './domain/user.ts';
import { createWatches } from './domain/watch.ts';
import { inTime } from './lib/in-time.ts';
import { version } from './lib/version.ts';
import { watchState } from './lib/watch-state.ts';
import { createGuard } from './limits/guard.ts';
import { type Patience, usualPatience } from './limits/patience.ts';
import { createFindText } from './limits/persisted.ts';
import { listen } from './listen.ts';
import { createComplaint, type Log } from './observability/log.ts';
import { createMetrics } from './observability/metrics.ts';
import { createNodeLog } from './observability/node-log.ts';
import { startTracing } from './observability/tracing.ts';
import { openDatabase, tokenSecret } from './open.ts';
import { addressOf, MemoryBus } from './realtime/bus.ts';
import type { Whisper } from './realtime/event.ts';
import { Hub } from './realtime/hub.ts';
import { Positions } from './realtime/position.ts';
import { Relay } from './realtime/relay.ts';
import { RedisBus } from './redis/bus.ts';
import { schema } from './schema/index.ts';
import { createClientAddressOf } from './transports/address.ts';
import { createComings } from './transports/comings.ts';
import { Connections } from './transports/connections.ts';
import { createDemoRoutes } from './transports/demo.ts';
import { createLetIn } from './transports/event-stream.ts';
import { builtInSubject } from './transports/examples.ts';
import { createGraphiql } from './transports/graphiql.ts';
import { Groups } from './transports/groups.ts';
import { createHandshakes } from './transports/handshakes.ts';
import { createReadiness } from './transports/health.ts';
import { createHttpHandler } from './transports/http.ts';
import { createObservation } from './transports/observation.ts';
import { createOperations, createPresent } from './transports/operation.ts';
import { createOriginCheck } from './transports/origin.ts';
import { createPlain } from './transports/plain.ts';
import { createPlainEvents } from './transports/plain-events.ts';
import { Revocations } from './transports/revocations.ts';
import { createSite } from './transports/site.ts';
import { createEventStreams } from './transports/sse.ts';
import { createOpenSubscription } from './transports/subscription.ts';
import { createUpgradeHandler } from './transports/upgrade.ts';
import { createWebSockets } from './transports/websocket.ts';
import { createGraphQL } from './transports/yoga.ts';

export interface RunningServer {
  readonly url: string;
  /** Ready-made, in development: role admin. */
  readonly demoToken: string | null;
  /** Counts a failure that nobody had waited for. */
  unhandled(): void;
  /** Sends the clients away, lets what runs finish, and closes everything in the reverse order of its opening. */
  close(): Promise<void>;
}

const demoId = 'demo';
const demoLifetimeMs = 30 * 86_400_000;
/** How often is it looked whether the tables that are watched, and their columns, are still there. */
const lookMs = 5_000;
/** Other programs may write to a server's database; an embedded one has one connection for everything. */
const relaying = { postgres: { pollMs: 50, gapMs: 0 }, embedded: { pollMs: 250, gapMs: 5 } };

/** The composition root: everything is made here, by hand, and closed in reverse. */
export async function startServer(config: Config, log: Log): Promise<RunningServer> {
  const database = await openDatabase(config);
  try {
    return await serve(config, database, log);
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** The same on a database that is open; it is closed with the server. */
export async function serve(
  config: Config,
  opened: Database,
  log: Log,
  patience: Patience = usualPatience,
): Promise<RunningServer> {
  const node = `${hostname()}-${randomUUID().slice(0, 8)}`;
  const nodeLog = createNodeLog(log, node);
  const tracing = await startTracing(config.tracing, { node, version }, log);
  const { tracer } = tracing;
  const database = traceTransactions(opened, tracer);
  const failed = createComplaint(log, 'the database or the bus did not answer');
  const { limits } = config;

  // The spine.
  const epochs = await patiently(() => Epochs.open(database));
  const positions = new Positions(epochs.all);
  const metrics = createMetrics();
  const deliveries = new Deliveries({ database, failed, lost: metrics.uncounted });
  const meter = deliveries.overheard(metrics.meter);
  const bus = config.redisUrls
    ? new RedisBus({ urls: config.redisUrls, origin: node, failed })
    : new MemoryBus();
  const retentionSeconds = config.journalRetentionMs / 1_000;
  const partitions = new Partitions({ database, retentionSeconds });
  await patiently(() => partitions.ensure());
  const ledger = createLedger({ database, partitions, epochs, node });
  const journal = createJournal({ database, epochs });
  const hub = new Hub({ bus, journal, tracer, failed, valuesOf: facetValues });
  const relay = new Relay({
    ledger,
    bus,
    meter,
    tracer,
    failed,
    led: nodeLog.led,
    ...relaying[database.kind],
  });
  epochs.onChange((all, until) => {
    nodeLog.renewed(until);
    positions.renew(all);
    hub.renew(until);
    relay.renew();
  });
  await patiently(() => hub.start());
  relay.start();

  // How much may be asked.
  const scope = () => epochs.current.id;
  const counting = { redisUrls: config.redisUrls, countMs: patience.countMs, scope };
  const guard = createGuard({ limits, ...counting, database, node, log, failed });

  // The domain.
  const committed = () => relay.committed();
  const whisper = (message: Whisper) => bus.publish(addressOf(epochs.current.id, message.topic), message);
  const subscriptions = () => groups.subscriptions + plainEvents.size;
  const registry = new Registry({ node, database, subscriptions, failed });
  const users = createUsers({ database, committed });
  const channels = createChannels({ database, committed });
  const messages = createMessages({ database, positions, sending: guard.sending, tracer, committed });
  const notifications = createNotifications({ database, positions, tracer, committed });
  const { eventTypes } = config;
  const events = createEvents({ database, positions, channels, registry, eventTypes, committed, whisper });
  const sessions = createSessions({
    database,
    registry,
    positions,
    graceSeconds: config.presenceGraceSeconds,
    committed,
  });
  const watches = createWatches({ database, committed });
  const models = createModels({ database, positions, watches });
  const domain: Domain = { users, channels, messages, notifications, events, sessions, models, watches };

  // Who asks.
  const tokens = createTokens({
    ...config.tokens,
    secret: await patiently(() => tokenSecret(config, database)),
    failed: createComplaint(log, 'the keys of tokens cannot be fetched or used'),
  });
  const connections = new Connections(registry, createComings(log, metrics));
  const readBlocked = () => users.blockedIds();
  const revocations = new Revocations({ hub, connections, readBlocked, failed });
  const isBlocked = (userId: string) => revocations.isBlocked(userId);
  const authenticate = createAuthenticate({ tokens, users, isBlocked });
  const { sign } = tokens;
  const demoToken = config.isProduction ? null : await signDemoToken();

  const head = async () => (await hub.now()).head;
  const demo = createDemo({ database, positions, messages, notifications, head });
  const demoPeople = config.demo?.hasPeople && sign ? { sign, demo } : null;
  const hasContent = demoPeople !== null && (await patiently(() => seedDemo({ database, ...domain })));
  const subject = { ...(hasContent ? demoSubject : builtInSubject), userId: demoId };

  // The wires.
  let isDraining = false;
  const present = createPresent({ log, refused: metrics.refused });
  const { slowOperationMs: slowMs } = config;
  const observe = createObservation({ tracer, log, present, slowMs, measured: metrics.operated });
  const isAllowedOrigin = createOriginCheck(config.corsOrigins, config.isProduction);
  const { isProduction } = config;
  const findText = createFindText(config.persistedOperations);
  const asked = { present, observe, findText, hideSuggestions: isProduction };
  const yoga = createGraphQL({ ...asked, domain, hub, positions, limits: limits.operation, isProduction });
  const operations = createOperations({ ...asked, yoga });
  const shown = { schema, domain, hub, meter, tracer, positions, present, log };
  const groups = new Groups({ ...shown, isLenient: isProduction });
  const open = createOpenSubscription({ operations, groups, present, meter });
  const clientAddressOf = createClientAddressOf(config.trustedProxies);
  const { written, refused } = metrics;
  const answering = { operations, present, guard, clientAddressOf };
  const wire = { ...answering, open, connections, positions, limits, written, refused };
  const letIn = createLetIn({ ...wire, isBlocked });
  const streams = createStreams({ positions, notifications, events, messages, models });
  const plainEvents = createPlainEvents({ ...wire, streams, users, hub, meter, tracer, letIn });
  const door = { ...answering, authenticate, isAllowedOrigin, limits, isDraining: () => isDraining };
  const sockets = createWebSockets({ ...wire, authenticate, hub, log, initWaitMs: patience.initMs });
  const upgrade = createUpgradeHandler({ ...door, sockets });
  const handle = createHttpHandler({
    ...door,
    yoga,
    streams: createEventStreams({ ...wire, letIn }),
    plain: createPlain({ ...door, events: plainEvents, notifications }),
    demo: config.demo ? createDemoRoutes({ ...door, people: demoPeople }) : null,
    site: config.demo?.files ? createSite(config.demo.files) : null,
    readiness: createReadiness({
      look: createFitnessCheck(database),
      isDraining: () => isDraining,
      reach: () => {
        if (!config.redisUrls) return config.databaseUrl ? 'polling' : 'none';
        return bus.isConnected ? 'connected' : 'away';
      },
    }),
    metrics,
    metricsToken: config.metricsToken,
    graphiql: config.graphiql ? createGraphiql({ token: demoToken, subject }) : null,
  });
  const { trustedProxies } = config;
  const shakeHands = createHandshakes({ guard, refused, patience, trustedProxies });
  metrics.observe({
    connections: () => registry.counts(),
    subscriptions: () => ({ ...groups.counts(), '/realtime/events': plainEvents.size }),
    groups: () => groups.size + plainEvents.size,
    topics: () => hub.size,
    isLeading: () => relay.isLeading,
    isConnected: () => bus.isConnected,
    journal: () => inTime(partitions.extent(), { floor: -1, ageSeconds: -1 }),
    busRoundTrip: () => bus.roundTripSeconds,
    watermark: () => hub.watermark,
    watermarkAge: () => hub.ageMs / 1_000,
    backlog: createBacklog(database),
    database: () => database.load,
  });

  const retention = new Retention({
    everyMs: partitions.tendMs,
    tasks: retentionTasks({ database, partitions, retentionMs: config.journalRetentionMs }),
    isLeading: () => relay.isLeading,
    ran: metrics.cleaned,
    failed,
  });
  retention.start();
  deliveries.start();
  const stopWatching = watchState(() => bus.isConnected, nodeLog.reached);
  const looking = setInterval(() => {
    if (relay.isLeading) disableBroken().catch(failed);
  }, lookMs);
  await patiently(() => registry.start());
  await patiently(() => revocations.start());
  const { servers, port } = await listen(
    (server) => {
      shakeHands(server);
      server.on('request', handle);
      server.on('upgrade', upgrade);
    },
    { port: config.port, host: config.host, patience },
  );

  const [{ is: databaseVersion } = {}] = await patiently(() =>
    database.query<{ is: string }>(`select current_setting('server_version') as is`),
  );
  nodeLog.started(config, databaseVersion);
  return {
    url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
    demoToken,
    unhandled: metrics.unhandled,
    close,
  };

  async function disableBroken(): Promise<void> {
    for (const { name, reason } of await watches.disableBroken()) {
      log.error({ model: name, reason }, 'a watched model is told no more: watch it again');
    }
  }

  function signDemoToken(): Promise<string> | null {
    return sign?.({ userId: demoId, name: 'Demo', roles: ['admin'], lifetimeMs: demoLifetimeMs }) ?? null;
  }

  async function close(): Promise<void> {
    isDraining = true;
    // Until everybody has been sent away the port answers, so that `/ready` can say 503.
    await connections.drain(config.drainSeconds * 1_000);
    const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)));
    const forced = setTimeout(() => {
      connections.destroy();
      for (const server of servers) server.closeAllConnections();
    }, lastAnswersMs);
    for (const server of servers) server.closeIdleConnections();
    await Promise.all(closed);
    clearTimeout(forced);
    clearInterval(looking);
    stopWatching();
    await retention.close();
    await registry.close();
    await relay.close();
    revocations.close();
    await hub.close();
    await deliveries.close();
    await bus.close();
    guard.close();
    await tracing.close();
    await database.close();
  }
}

/** How long requests may take to finish once every connection has been sent away. */
const lastAnswersMs = 5_000;
