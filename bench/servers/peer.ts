import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RedisPubSub } from 'graphql-redis-subscriptions';
import { useServer } from 'graphql-ws/use/ws';
import { createSchema, createYoga } from 'graphql-yoga';
import { Redis } from 'ioredis';
import { WebSocketServer } from 'ws';

/** What one has after following the documentation of graphql-yoga, graphql-ws and graphql-redis-subscriptions. */
const url = process.argv[2]!;
const pubsub = new RedisPubSub({ publisher: new Redis(url), subscriber: new Redis(url) });

const schema = createSchema({
  typeDefs: `
    type User { id: ID! name: String! }
    type Message { id: ID! body: String! createdAt: String! sender: User }
    input SendMessageInput { channel: String! body: String! }
    input SendNotificationInput { userId: ID! title: String! message: String! }
    type Notification { id: ID! }
    type Query { hello: String }
    type Mutation {
      sendMessage(input: SendMessageInput!): Message!
      sendNotification(input: SendNotificationInput!): Notification!
    }
    type Subscription { channelMessage(channel: String!): Message! }
  `,
  resolvers: {
    Mutation: {
      sendMessage: async (_root, { input: { channel, body } }) => {
        const sender = { id: 'owner', name: 'owner' };
        const message = { id: randomUUID(), body, createdAt: new Date().toISOString(), sender };
        await pubsub.publish(`channel:${channel}`, { channelMessage: message });
        return message;
      },
      sendNotification: async (_root, { input }) => {
        const notification = { id: randomUUID(), ...input };
        await pubsub.publish(`user:${input.userId}`, { notificationReceived: notification });
        return notification;
      },
    },
    Subscription: {
      channelMessage: {
        subscribe: (_root, { channel }) => pubsub.asyncIterableIterator(`channel:${channel}`) as never,
      },
    },
  },
});

const yoga = createYoga({ schema, logging: false });
const server = createServer(yoga);
useServer({ schema }, new WebSocketServer({ server, path: yoga.graphqlEndpoint }));
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
process.once('disconnect', () => process.exit(0));
