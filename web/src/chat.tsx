import { type ChatMessage, useChannel } from 'gravitycar-realtime-client/react';
import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { Avatar } from './avatar.tsx';
import { Icon } from './icons.tsx';
import type { Person } from './people.ts';
import { clockOf } from './when.ts';

/** Messages of one person that follow each other closely are shown as one. */
const closeMs = 5 * 60_000;
/** Whoever is so near to the end wants to see what comes, in pixels. */
const nearPx = 80;

/** One channel: what has been said, and what is said now. */
export function Chat({ name, viewer }: ChatProps) {
  const feed = useChannel(name, { first: 50 });
  const { channel, messages, hasOlder, loading, error } = feed;
  const list = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const drawn = useRef<{ oldest: string | undefined; height: number }>({ oldest: undefined, height: 0 });

  // After each drawing, and when there is less room: whoever was at the end stays there.
  useLayoutEffect(() => {
    const { current } = list;
    if (!current) return;
    const { scrollHeight: height } = current;
    const oldest = messages[0]?.key;
    if (isAtEnd.current) current.scrollTop = height;
    // Older ones stand in front: what is being read stays where it is.
    else if (oldest !== drawn.current.oldest) current.scrollTop += height - drawn.current.height;
    drawn.current = { oldest, height };
  });
  useEffect(() => {
    const { current } = list;
    if (!current) return;
    const observer = new ResizeObserver(() => {
      if (isAtEnd.current) current.scrollTop = current.scrollHeight;
    });
    observer.observe(current);
    return () => observer.disconnect();
  }, []);

  return (
    <section className="chat" aria-label={`Channel ${name}, as ${viewer.name}`}>
      <header className="chat-head">
        <h2>
          <span aria-hidden="true">#</span>
          {name}
        </h2>
        {channel?.title && <p>{channel.title}</p>}
        {channel && (
          <span className="members" title={`${channel.memberCount} members`}>
            <Icon name="users" /> {channel.memberCount}
            <span className="hidden"> members</span>
          </span>
        )}
      </header>
      <div
        ref={list}
        className="messages"
        tabIndex={0}
        role="log"
        aria-label={`Messages of ${name}`}
        aria-busy={loading}
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          isAtEnd.current = scrollHeight - scrollTop - clientHeight < nearPx;
        }}
      >
        <ol>
          {hasOlder && (
            <li className="older">
              <button type="button" className="link-button" onClick={() => feed.loadOlder()}>
                Show older messages
              </button>
            </li>
          )}
          {loading && messages.length === 0 && <li className="quiet">Loading …</li>}
          {!loading && messages.length === 0 && !error && (
            <li className="quiet">Nothing has been said yet.</li>
          )}
          {messages.map((message, index) => (
            <MessageRow
              key={message.key}
              message={message}
              isOwn={message.sender?.id === viewer.id || message.status !== 'sent'}
              isFirst={!follows(message, messages[index - 1])}
              retry={() => message.clientId && feed.retry(message.clientId)}
              discard={() => message.clientId && feed.discard(message.clientId)}
            />
          ))}
        </ol>
      </div>
      {error && (
        <p className="problem" role="alert">
          {error.message}
        </p>
      )}
      <Composer
        channel={name}
        send={(body) => {
          isAtEnd.current = true;
          feed.send(body);
        }}
      />
    </section>
  );
}

function follows(message: ChatMessage, before: ChatMessage | undefined): boolean {
  if (!before || before.sender?.id !== message.sender?.id) return false;
  return Date.parse(message.createdAt) - Date.parse(before.createdAt) < closeMs;
}

function MessageRow({ message, isOwn, isFirst, retry, discard }: MessageRowProps) {
  const { sender, body, status, createdAt, editedAt, deletedAt } = message;
  const name = sender?.name ?? 'Somebody';
  return (
    <li className={`message${isFirst ? ' is-first' : ''}${isOwn ? ' is-own' : ''} is-${status}`}>
      {isFirst && <Avatar id={sender?.id ?? ''} name={name} />}
      {isFirst && (
        <p className="message-head">
          <b>{name}</b>
          <time dateTime={createdAt}>{clockOf(createdAt)}</time>
        </p>
      )}
      <p className="message-body">
        {deletedAt ? <i>deleted</i> : body}
        {editedAt && !deletedAt && <small> (edited)</small>}
      </p>
      {status === 'sending' && <p className="message-note">Sending …</p>}
      {status === 'failed' && (
        <p className="message-note">
          Not sent: {message.error?.message}{' '}
          <button type="button" className="link-button" onClick={retry}>
            Send again
          </button>{' '}
          <button type="button" className="link-button" onClick={discard}>
            Discard
          </button>
        </p>
      )}
    </li>
  );
}

function Composer({ channel, send }: { readonly channel: string; readonly send: (body: string) => void }) {
  const [body, setBody] = useState('');
  function submit() {
    if (body.trim() === '') return;
    send(body.trim());
    setBody('');
  }
  return (
    <form
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <textarea
        aria-label={`Message to ${channel}`}
        placeholder={`Message #${channel}`}
        rows={1}
        maxLength={10_000}
        value={body}
        onChange={(event) => setBody(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          submit();
        }}
      />
      <button type="submit" className="send" aria-label="Send" disabled={body.trim() === ''}>
        <Icon name="send" />
      </button>
    </form>
  );
}

interface MessageRowProps {
  readonly message: ChatMessage;
  readonly isOwn: boolean;
  /** Of several of one person. */
  readonly isFirst: boolean;
  readonly retry: () => void;
  readonly discard: () => void;
}

interface ChatProps {
  readonly name: string;
  readonly viewer: Person;
}
