import { setImmediate } from 'node:timers/promises';
import { Window } from 'happy-dom';
import { createElement, type FunctionComponent, StrictMode, useLayoutEffect } from 'react';
import type { Root } from 'react-dom/client';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { RealtimeClient } from '../../src/index.ts';
import { RealtimeProvider } from '../../src/react/index.ts';

/** What a hook has answered, each time that its component was drawn. */
export interface Drawn<Value> {
  readonly value: Value;
  readonly values: readonly Value[];
  leave(): void;
}

export interface Page {
  /** A component that does nothing but call a hook, in StrictMode. It is on the page when this returns. */
  draw<Value>(client: RealtimeClient, hook: () => Value): Drawn<Value>;
  /** A component in StrictMode. Answers how to take it off the page, and its text. */
  show(client: RealtimeClient, component: FunctionComponent): { readonly text: string; leave(): void };
}

/** A document for React, and nothing else of a browser: sockets, requests and timers are Node's own. */
export function page(): Page {
  const opened = new Set<Root>();
  const window = new Window();
  /** Node 22 has a `navigator` of its own. */
  const lent = Object.entries({ window, document: window.document, navigator: window.navigator }).filter(
    ([name]) => !(name in globalThis),
  );
  let react: typeof import('react-dom/client');
  let dom: typeof import('react-dom');

  beforeAll(async () => {
    Object.assign(globalThis, Object.fromEntries(lent));
    react = await import('react-dom/client');
    dom = await import('react-dom');
  });
  afterEach(() => {
    for (const root of opened) dom.flushSync(() => root.unmount());
    opened.clear();
  });
  afterAll(async () => {
    // React's last task is to see that there is nothing more to do; it looks at the window.
    for (let turn = 0; turn < 3; turn += 1) await setImmediate();
    for (const [name] of lent) Reflect.deleteProperty(globalThis, name);
    await window.happyDOM.close();
  });

  function show(client: RealtimeClient, component: FunctionComponent) {
    const element = document.createElement('div');
    const root = react.createRoot(element);
    opened.add(root);
    const shown = createElement(RealtimeProvider, { client }, createElement(component));
    dom.flushSync(() => root.render(createElement(StrictMode, null, shown)));
    return {
      get text() {
        return element.textContent ?? '';
      },
      leave: () => {
        opened.delete(root);
        dom.flushSync(() => root.unmount());
      },
    };
  }

  return {
    show,
    draw<Value>(client: RealtimeClient, hook: () => Value) {
      const values: Value[] = [];
      const { leave } = show(client, function Probe() {
        const value = hook();
        useLayoutEffect(() => {
          values.push(value);
        });
        return null;
      });
      return {
        values,
        leave,
        get value() {
          return values.at(-1)!;
        },
      };
    },
  };
}
