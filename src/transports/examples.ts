/** What the examples talk about: it has to be there for them to run as they are. */
export interface ExampleSubject {
  readonly channel: string;
  readonly model: string;
  /** Whose token runs them: role admin. */
  readonly userId: string;
}

/** Where there is nothing of the demo's. */
export const builtInSubject = { channel: 'general', model: 'Message' };

/**
 * An operation or two for each feature, the first to be seen first: each a tab of GraphiQL, where one is chosen when
 * it is run. Without variables, which GraphiQL leaves out until its editor for them has been opened.
 */
export function examplesFor(subject: ExampleSubject): string[] {
  const channel = JSON.stringify(subject.channel);
  const model = JSON.stringify(subject.model);
  const userId = JSON.stringify(subject.userId);
  return [
    `# Run Messages here, and Send in a second window.
# Each message comes once and in order, whatever happens to the connection.

subscription Messages {
  channelMessage(channel: ${channel}) {
    id
    body
    createdAt
    sender { name }
  }
}

mutation Send {
  sendMessage(input: { channel: ${channel}, body: "Hello from GraphiQL" }) { id }
}
`,
    `# Channels, and who is in them. Create answers CONFLICT the second time: the name is taken.

query Channels {
  channels(first: 20) {
    edges { node { name title kind memberCount viewerRole } }
  }
}

mutation Create {
  createChannel(input: { name: "playground", title: "Made in GraphiQL" }) { id name }
}

mutation Join {
  joinChannel(name: ${channel}) { name viewerRole memberCount }
}
`,
    `# State and stream with nothing between: give Behind \`after: "…"\` with the \`position\` of History.

query History {
  position
  channel(name: ${channel}) {
    messages(last: 20) {
      edges { node { id body sender { name } } }
      pageInfo { hasPreviousPage startCursor }
    }
  }
}

subscription Behind {
  channelMessage(channel: ${channel}) { id body }
}
`,
    `# Run Inbox here, and Notify in a second window.

subscription Inbox {
  notificationReceived { id title message priority isRead }
}

mutation Notify {
  sendNotification(
    input: { userId: ${userId}, title: "From GraphiQL", message: "It works.", priority: HIGH }
  ) { id createdAt }
}

query Unread {
  notifications(filter: { isRead: false }, first: 20) {
    totalCount
    edges { node { id title createdAt } }
  }
}
`,
    `# Rows of a table as they change, whoever writes them.

subscription Rows {
  modelUpdated(model: ${model}) { recordId action membership changed data }
}

query Watched {
  watchedModels { name table columns audience disabledReason }
}
`,
    `# Any event of your own. With \`ephemeral: true\` it is told in passing and not kept.

subscription Events {
  eventReceived { id type payload channel sender { name } }
}

mutation Emit {
  emitEvent(input: { type: "demo.ping", payload: { from: "GraphiQL" } })
}
`,
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

mutation Disconnect {
  disconnect(userId: ${userId}, reason: "From GraphiQL")
}

query Me {
  viewer { id roles user { name online } sessions { id transport } }
}
`,
  ];
}
