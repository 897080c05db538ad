import { useRealtimeClient } from 'gravitycar-realtime-client/react';
import { useState } from 'react';

const document = 'mutation InspectorEmit($input: EmitEventInput!) { emitEvent(input: $input) }';

/** Sends an event of one's own. */
export function EmitForm() {
  const client = useRealtimeClient();
  const [type, setType] = useState('demo.ping');
  const [payload, setPayload] = useState('{ "hello": "world" }');
  const [recipient, setRecipient] = useState('everyone');
  const [isEphemeral, setIsEphemeral] = useState(false);
  const [said, setSaid] = useState<{ text: string; isProblem: boolean } | null>(null);

  async function emit() {
    try {
      const input = {
        type,
        payload: JSON.parse(payload) as unknown,
        recipients: [recipientOf(recipient)],
        ephemeral: isEphemeral,
      };
      const { emitEvent: id } = await client.execute<{ emitEvent: string | null }, object>({
        document,
        variables: { input },
      });
      setSaid({ text: id ? `Stored as ${id}` : 'Told in passing', isProblem: false });
    } catch (error) {
      setSaid({ text: (error as Error).message, isProblem: true });
    }
  }

  return (
    <form
      className="emit panel"
      aria-label="Send an event"
      onSubmit={(event) => {
        event.preventDefault();
        void emit();
      }}
    >
      <h2>Send an event</h2>
      <label htmlFor="emit-type">Type</label>
      <input id="emit-type" required value={type} onChange={(event) => setType(event.target.value)} />
      <label htmlFor="emit-to">To: everyone, a user's id, or #channel</label>
      <input id="emit-to" required value={recipient} onChange={(event) => setRecipient(event.target.value)} />
      <label htmlFor="emit-payload">Payload, as JSON</label>
      <textarea
        id="emit-payload"
        rows={3}
        spellCheck={false}
        value={payload}
        onChange={(event) => setPayload(event.target.value)}
      />
      <label className="check">
        <input
          type="checkbox"
          checked={isEphemeral}
          onChange={(event) => setIsEphemeral(event.target.checked)}
        />{' '}
        In passing, not stored
      </label>
      <button type="submit" className="button button-small">
        Send
      </button>
      <p className={said?.isProblem ? 'problem' : 'said'} role="status">
        {said?.text}
      </p>
    </form>
  );
}

function recipientOf(text: string): object {
  const name = text.trim();
  if (name === 'everyone') return { everyone: true };
  return name.startsWith('#') ? { channel: name.slice(1) } : { userId: name };
}
