import { ask } from './realtime.mjs';

// A shop tells that an order is on its way. Run it again with the same order: who is told is told once.
const order = Number(process.argv[2] ?? 1001);

const notify = `mutation ($input: SendNotificationInput!) {
  sendNotification(input: $input) { id createdAt }
}`;
const notification = {
  userId: 'ada',
  title: 'On its way',
  message: `Order ${order} has left our house.`,
  type: 'success',
  data: { order },
  // Unique for each recipient, for good.
  dedupeKey: `shipped:${order}`,
};
const { sendNotification } = await ask(notify, { input: notification });
console.log(`notification ${sendNotification.id} of ${sendNotification.createdAt}`);

const post = `mutation ($input: SendMessageInput!) {
  sendMessage(input: $input) { id createdAt }
}`;
// Unique for each sender and channel, for good.
const message = { channel: 'welcome', body: `Order ${order} is on its way.`, clientId: `shipped:${order}` };
const { sendMessage } = await ask(post, { input: message });
console.log(`message ${sendMessage.id} of ${sendMessage.createdAt}`);

// The server knows no key of an event: sent twice, it is told twice. So it carries one, for those who listen.
const emit = `mutation ($input: EmitEventInput!) {
  emitEvent(input: $input)
}`;
const event = {
  type: 'order.shipped',
  payload: { key: `shipped:${order}`, order },
  recipients: [{ userId: 'ada' }],
};
const { emitEvent } = await ask(emit, { input: event });
console.log(`event ${emitEvent}`);
