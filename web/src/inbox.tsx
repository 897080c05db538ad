import { useInbox } from 'gravitycar-realtime-client/react';
import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import { Avatar } from './avatar.tsx';
import { Icon } from './icons.tsx';
import { useNow } from './watched.ts';
import { agoOf } from './when.ts';

/** The bell, its badge, and behind it the notifications: a feed as WAI-ARIA describes one. */
export function Inbox() {
  const inbox = useInbox({ first: 20 });
  const { unreadCount, notifications } = inbox;
  const [isOpen, setIsOpen] = useState(false);
  const bell = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const panelId = useId();
  const news = useNews(notifications[0], inbox.loading);

  function close() {
    setIsOpen(false);
    bell.current?.focus();
  }

  useEffect(() => {
    if (!isOpen) return;
    panel.current?.focus();
    const leave = ({ target }: PointerEvent) => {
      if (!panel.current?.contains(target as Node) && !bell.current?.contains(target as Node))
        setIsOpen(false);
    };
    addEventListener('pointerdown', leave);
    return () => removeEventListener('pointerdown', leave);
  }, [isOpen]);

  return (
    <div className="inbox">
      <button
        ref={bell}
        type="button"
        className="icon-button bell"
        aria-label={unreadCount > 0 ? `Inbox, ${unreadCount} unread` : 'Inbox, nothing unread'}
        aria-expanded={isOpen}
        aria-controls={isOpen ? panelId : undefined}
        onClick={() => setIsOpen(!isOpen)}
      >
        <Icon name="bell" />
        {unreadCount > 0 && (
          <span className="badge" aria-hidden="true">
            {unreadCount > 99 ? '99+' : unreadCount}
          </span>
        )}
      </button>
      <p className="hidden" role="status">
        {news}
      </p>
      {isOpen && (
        <div
          ref={panel}
          id={panelId}
          className="inbox-panel"
          role="dialog"
          aria-label="Inbox"
          tabIndex={-1}
          onKeyDown={(event) => {
            if (event.key !== 'Escape') return;
            event.stopPropagation();
            close();
          }}
        >
          <header>
            <h2>Inbox</h2>
            <span className="tag">{unreadCount} unread</span>
            <button
              type="button"
              className="link-button"
              disabled={unreadCount === 0}
              onClick={() => void inbox.markAllRead()}
            >
              Mark all as read
            </button>
            <button type="button" className="icon-button" aria-label="Close the inbox" onClick={close}>
              <Icon name="x" />
            </button>
          </header>
          <Feed inbox={inbox} />
        </div>
      )}
    </div>
  );
}

/** What has come since the page was opened, to be read out. */
function useNews(
  newest: { readonly id: string; readonly title: string } | undefined,
  isLoading: boolean,
): string {
  const first = useRef<string | null>(null);
  if (first.current === null && !isLoading) first.current = newest?.id ?? '';
  // Ids sort by the time they were made at: what is newest because newer ones are gone is no news.
  const isNew = newest && first.current !== null && newest.id > first.current;
  return isNew ? `New notification: ${newest.title}` : '';
}

function Feed({ inbox }: { readonly inbox: ReturnType<typeof useInbox> }) {
  const { notifications, hasMore, loading, error, markRead } = inbox;
  const now = useNow(30_000);
  const labelId = useId();

  /** Page Up and Page Down go from one to the next, Control with Home and End leave the feed. */
  function move(event: KeyboardEvent<HTMLDivElement>) {
    const articles = [...event.currentTarget.querySelectorAll<HTMLElement>('article')];
    const at = articles.findIndex((article) => article.contains(document.activeElement));
    const target =
      event.key === 'PageDown'
        ? articles[at + 1]
        : event.key === 'PageUp'
          ? articles[Math.max(at - 1, 0)]
          : event.ctrlKey && event.key === 'Home'
            ? event.currentTarget.parentElement?.querySelector<HTMLElement>('header button:not(:disabled)')
            : event.ctrlKey && event.key === 'End'
              ? event.currentTarget.parentElement?.querySelector<HTMLElement>(
                  '.feed-end button, header button:last-child',
                )
              : undefined;
    if (!target) return;
    event.preventDefault();
    target.focus();
  }

  return (
    <>
      <div className="feed" role="feed" aria-label="Notifications" aria-busy={loading} onKeyDown={move}>
        {notifications.map((notification, index) => {
          const { id, title, message, isRead, createdAt, actor, type, priority } = notification;
          return (
            <article
              key={id}
              className={isRead ? 'notification' : 'notification is-unread'}
              tabIndex={0}
              aria-posinset={index + 1}
              aria-setsize={hasMore ? -1 : notifications.length}
              aria-labelledby={`${labelId}-${id}`}
              aria-describedby={`${labelId}-${id}-text`}
              onKeyDown={(event) => {
                if (event.key !== 'Enter' || event.target !== event.currentTarget || isRead) return;
                void markRead(id);
              }}
            >
              {actor ? (
                <Avatar id={actor.id} name={actor.name} size="s" />
              ) : (
                <span className={`spot spot-${type}`} />
              )}
              <div>
                <h3 id={`${labelId}-${id}`}>
                  {title}
                  {!isRead && <span className="hidden"> (unread)</span>}
                </h3>
                <p id={`${labelId}-${id}-text`}>{message}</p>
                <p className="notification-foot">
                  <time dateTime={createdAt}>{agoOf(Date.parse(createdAt), now)}</time>
                  {priority === 'HIGH' || priority === 'URGENT' ? (
                    <span className="tag tag-high">{priority.toLowerCase()}</span>
                  ) : null}
                </p>
              </div>
              <button
                type="button"
                className="link-button"
                aria-label={`Mark as ${isRead ? 'unread' : 'read'}: ${title}`}
                onClick={() => void markRead(id, !isRead)}
              >
                {isRead ? 'Unread' : 'Read'}
              </button>
            </article>
          );
        })}
        {notifications.length === 0 && !loading && !error && (
          <p className="quiet">Nothing here. Enjoy the silence.</p>
        )}
        {loading && notifications.length === 0 && <p className="quiet">Loading …</p>}
      </div>
      {error && (
        <p className="problem" role="alert">
          {error.message}
        </p>
      )}
      {hasMore && (
        <p className="feed-end">
          <button type="button" className="link-button" onClick={() => void inbox.loadMore()}>
            Show more
          </button>
        </p>
      )}
    </>
  );
}
