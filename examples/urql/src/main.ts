import { realtime } from './client.ts';
import { send, showRoom } from './room.ts';

const channel = 'welcome';
const find = <Found extends HTMLElement>(id: string) => document.getElementById(id) as Found;
const [signIn, room, compose] = [
  find<HTMLFormElement>('sign-in'),
  find('room'),
  find<HTMLFormElement>('compose'),
];
const items = new Map<string, HTMLLIElement>();

const fail = (reason: string) => {
  find('problem').textContent = reason;
};

function begin(): void {
  signIn.hidden = true;
  room.hidden = false;
  void showRoom(
    channel,
    ({ id, body, deletedAt, sender }) => {
      // By its id it is the same, whether it comes with the state, as an event, or both.
      const item = items.get(id) ?? document.createElement('li');
      items.set(id, item);
      item.textContent = `${sender?.name}: ${deletedAt ? 'deleted' : body}`;
      if (!item.isConnected) find('messages').append(item);
    },
    fail,
  );
}

signIn.addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem('token', String(new FormData(signIn).get('token')).trim());
  begin();
});

compose.addEventListener('submit', async (event) => {
  event.preventDefault();
  const refusal = await send(channel, String(new FormData(compose).get('body')));
  if (refusal) fail(refusal);
  else compose.reset();
});

realtime.onConnection(() => {
  find('status').textContent = realtime.connection.status;
});
if (sessionStorage.getItem('token')) begin();
