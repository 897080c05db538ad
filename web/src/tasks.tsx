import { OperationError } from 'gravitycar-realtime-client';
import { useLiveQuery } from 'gravitycar-realtime-client/react';
import { useEffect, useRef, useState } from 'react';
import { Avatar } from './avatar.tsx';
import type { Desk } from './desks.ts';
import { Icon } from './icons.tsx';
import type { Person } from './people.ts';
import { TaskEditor } from './task-editor.tsx';

/** A row of the watched table, as it is told. */
export interface Task {
  readonly id: string;
  readonly title: string;
  readonly status: 'todo' | 'doing' | 'done';
  readonly assignee: string | null;
  readonly points: number;
}

export const statuses = { todo: 'To do', doing: 'Doing', done: 'Done' } as const;

const byId = (one: Task, other: Task) => Number(one.id) - Number(other.id);

/** The table `demo_tasks`, whoever writes to it, and an editor beside it. */
export function Tasks({ desk, people }: TasksProps) {
  const { rows, loading, error } = useLiveQuery<'Task', unknown, unknown, Task>({
    model: 'Task',
    load: async () => (await desk.ask<{ rows: Task[] }>('/demo/tasks')).rows,
    sort: byId,
  });
  const [chosen, setChosen] = useState<string | 'new' | null>(null);
  const selected = rows.find(({ id }) => id === chosen) ?? null;
  const nameOf = (id: string | null) => people.find((person) => person.id === id)?.name ?? id;
  const isOpen = chosen === 'new' || selected !== null;
  return (
    <section className="tasks" aria-label={`Tasks, as ${desk.person.name}`}>
      <header className="tasks-head">
        <h2>Tasks</h2>
        <p>
          Live from the table <code>demo_tasks</code>
        </p>
        <button type="button" className="button button-small" onClick={() => setChosen('new')}>
          <Icon name="plus" /> Add
        </button>
      </header>
      <div className={isOpen ? 'tasks-body is-editing' : 'tasks-body'}>
        <div className="table-frame">
          <table aria-busy={loading}>
            <thead>
              <tr>
                <th scope="col">Task</th>
                <th scope="col">Status</th>
                <th scope="col">Who</th>
                <th scope="col" className="number">
                  Points
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((task) => (
                <TaskRow
                  key={task.id}
                  task={task}
                  assigneeName={nameOf(task.assignee)}
                  isSelected={task.id === chosen}
                  select={() => setChosen(task.id === chosen ? null : task.id)}
                />
              ))}
            </tbody>
          </table>
          {loading && rows.length === 0 && <p className="quiet">Loading …</p>}
          {!loading && !error && rows.length === 0 && <p className="quiet">No tasks. That was quick.</p>}
          {error && rows.length === 0 && (
            <p className="quiet">{isMissing(error) ? noTable : error.message}</p>
          )}
        </div>
        {isOpen && (
          <TaskEditor
            key={chosen}
            desk={desk}
            people={people}
            task={selected}
            close={(id) => setChosen(id ?? null)}
          />
        )}
      </div>
      <p className="sql-hint">
        In any SQL client: <code>update demo_tasks set status = 'done' where id = 1;</code>
      </p>
    </section>
  );
}

const isMissing = (error: Error) => error instanceof OperationError && error.code === 'NOT_FOUND';
const noTable = 'There is no table to look at here: it is made once, for an empty database in development.';

/** A row that has just changed says so for a moment. */
function TaskRow({ task, assigneeName, isSelected, select }: TaskRowProps) {
  const { id, title, status, assignee, points } = task;
  const version = JSON.stringify(task);
  const [changes, setChanges] = useState(0);
  const shown = useRef(version);
  useEffect(() => {
    if (shown.current === version) return;
    shown.current = version;
    setChanges((count) => count + 1);
  }, [version]);
  return (
    <tr className={isSelected ? 'is-selected' : ''} data-task={id}>
      <td className={changes > 0 ? `flash flash-${changes % 2}` : ''}>
        <button type="button" className="task-title" aria-expanded={isSelected} onClick={select}>
          <span className="hidden">Edit </span>
          {title}
        </button>
      </td>
      <td>
        <span className={`status status-${status}`}>{statuses[status]}</span>
      </td>
      <td>
        {assignee ? (
          <Avatar id={assignee} name={assigneeName ?? assignee} size="s" isNamed />
        ) : (
          <span className="nobody">–</span>
        )}
      </td>
      <td className="number">{points}</td>
    </tr>
  );
}

interface TaskRowProps {
  readonly task: Task;
  readonly assigneeName: string | null;
  readonly isSelected: boolean;
  readonly select: () => void;
}

interface TasksProps {
  readonly desk: Desk;
  readonly people: readonly Person[];
}
