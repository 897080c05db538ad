/** What the examples talk about: it has to be there for them to run as they are. */
export interface ExampleSubject {
  readonly channel: string;
  readonly model: string;
  /** Whose token runs them: role admin. */
  readonly userId: string;
}

/** Where there is nothing of the demo's. */
export const builtInSubject = { channel: 'general', model: 'Message' };

/** One tab of GraphiQL: a feature, with operations to choose from where it is run. */
export interface Example {
  readonly query: string;
  readonly variables: string;
}

/** An operation or two for each feature, the first to be seen first. */
export function examplesFor(subject: ExampleSubject): Example[] {
  const { channel, model, userId } = subject;
  return [
    tab(
      `# Run Messages here, and Send in a second window.
# Each message comes once and in order, whatever happens to the connection.

subscription Messages($channel: String!) {
  channelMessage(channel: $channel) {
    id
    body
    createdAt
    sender { name }
  }
}

mutation Send($channel: String!) {
  sendMessage(input: { channel: $channel, body: "Hello from GraphiQL" }) { id }
}`,
      { channel },
    ),
    tab(
      `# Channels, and who is in them. Create answers CONFLICT the second time: the name is taken.

query Channels {
  channels(first: 20) {
    edges { node { name title kind memberCount viewerRole } }
  }
}

mutation Create {
  createChannel(input: { name: "playground", title: "Made in GraphiQL" }) { id name }
}

mutation Join($channel: String!) {
  joinChannel(name: $channel) { name viewerRole memberCount }
}`,
      { channel },
    ),
    tab(
      `# State and stream with nothing between: \`position\` of History is what \`after\` of Behind takes.

query History($channel: String!) {
  position
  channel(name: $channel) {
    messages(last: 20) {
      edges { node { id body sender { name } } }
      pageInfo { hasPreviousPage startCursor }
    }
  }
}

subscription Behind($channel: String!, $after: Position) {
  channelMessage(channel: $channel, after: $after) { id body }
}`,
      { channel, after: null },
    ),
    tab(
      `# Run Inbox here, and Notify in a second window.

subscription Inbox {
  notificationReceived { id title message priority isRead }
}

mutation Notify($userId: ID!) {
  sendNotification(
    input: { userId: $userId, title: "From GraphiQL", message: "It works.", priority: HIGH }
  ) { id createdAt }
}

query Unread {
  notifications(filter: { isRead: false }, first: 20) {
    totalCount
    edges { node { id title createdAt } }
  }
}`,
      { userId },
    ),
    tab(
      `# Rows of a table as they change, whoever writes them.

subscription Rows($model: String!) {
  modelUpdated(model: $model) { recordId action membership changed data }
}

query Watched {
  watchedModels { name table columns audience disabledReason }
}`,
      { model },
    ),
    tab(
      `# Any event of your own. With \`ephemeral: true\` it is told in passing and not kept.

subscription Events {
  eventReceived { id type payload channel sender { name } }
}

mutation Emit {
  emitEvent(input: { type: "demo.ping", payload: { from: "GraphiQL" } })
}`,
      {},
    ),
    tab(
      `# Who is connected, and how much there is. Role admin.

query Cluster {
  stats { nodes connections subscriptions outboxDepth journalPosition }
}

query Sessions {
  sessions(first: 50) {
    totalCount
    edges { node { id user { name } transport channels subscriptionCount connectedAt node } }
  }
}

mutation Disconnect($userId: ID!) {
  disconnect(userId: $userId, reason: "From GraphiQL")
}

query Me {
  viewer { id roles user { name online } sessions { id transport } }
}`,
      { userId },
    ),
  ];
}

function tab(query: string, variables: object): Example {
  return { query: `${query}\n`, variables: JSON.stringify(variables, null, 2) };
}
