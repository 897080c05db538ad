import { useId, useState } from 'react';
import type { Desk } from './desks.ts';
import { Icon } from './icons.tsx';
import type { Person } from './people.ts';
import { statuses, type Task } from './tasks.tsx';

/** Writes one row by the demo's own backend, with plain SQL. What it becomes is seen when the table tells it. */
export function TaskEditor({ desk, people, task, close }: TaskEditorProps) {
  const [draft, setDraft] = useState<Partial<Task>>({});
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const id = useId();
  // What somebody else changes meanwhile is shown, but for what is being edited.
  const { title, status, assignee, points } = { ...(task ?? newTask), ...draft };

  async function run(work: () => Promise<string | undefined>) {
    setIsBusy(true);
    setProblem(null);
    try {
      close(await work());
    } catch (error) {
      setProblem((error as Error).message);
    } finally {
      setIsBusy(false);
    }
  }

  const save = () =>
    run(async () => {
      const written = { title, status, assignee, points };
      if (task) await desk.ask(`/demo/tasks/${task.id}`, 'PUT', draft);
      else await desk.ask('/demo/tasks', 'POST', written);
      return undefined;
    });

  return (
    <form
      className="task-editor"
      aria-label={task ? 'Edit the task' : 'New task'}
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <label htmlFor={`${id}-title`}>Title</label>
      <input
        id={`${id}-title`}
        required
        maxLength={200}
        value={title}
        onChange={(event) => setDraft({ ...draft, title: event.target.value })}
      />
      <div className="fields">
        <div>
          <label htmlFor={`${id}-status`}>Status</label>
          <select
            id={`${id}-status`}
            value={status}
            onChange={(event) => setDraft({ ...draft, status: event.target.value as Task['status'] })}
          >
            {Object.entries(statuses).map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </select>
        </div>
        <div>
          <label htmlFor={`${id}-assignee`}>Who</label>
          <select
            id={`${id}-assignee`}
            value={assignee ?? ''}
            onChange={(event) => setDraft({ ...draft, assignee: event.target.value || null })}
          >
            <option value="">Nobody</option>
            {people.map((person) => (
              <option key={person.id} value={person.id}>
                {person.name}
              </option>
            ))}
          </select>
        </div>
        <div>
          <label htmlFor={`${id}-points`}>Points</label>
          <input
            id={`${id}-points`}
            type="number"
            min={0}
            max={100}
            value={points}
            onChange={(event) => setDraft({ ...draft, points: Number(event.target.value) })}
          />
        </div>
      </div>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <p className="actions">
        <button type="submit" className="button button-small" disabled={isBusy}>
          {task ? 'Save' : 'Add'}
        </button>
        <button type="button" className="button button-small button-quiet" onClick={() => close(undefined)}>
          Cancel
        </button>
        {task && (
          <button
            type="button"
            className="button button-small button-quiet danger"
            disabled={isBusy}
            onClick={() =>
              void run(async () => {
                await desk.ask(`/demo/tasks/${task.id}`, 'DELETE');
                return undefined;
              })
            }
          >
            <Icon name="trash" /> Delete
          </button>
        )}
      </p>
    </form>
  );
}

const newTask: Omit<Task, 'id'> = { title: '', status: 'todo', assignee: null, points: 1 };

interface TaskEditorProps {
  readonly desk: Desk;
  readonly people: readonly Person[];
  /** Null: a new one. */
  readonly task: Task | null;
  /** With what is edited next. */
  readonly close: (id: string | undefined) => void;
}
