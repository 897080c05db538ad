import { createContext, createElement, type ReactNode, useContext } from 'react';
import type { RealtimeClient } from '../types.ts';

const ClientContext = createContext<RealtimeClient | null>(null);

export interface RealtimeProviderProps {
  /** Made once, outside of components. It is not disposed with the provider: it is whoever's who made it. */
  readonly client: RealtimeClient;
  readonly children?: ReactNode;
}

/** Gives the hooks below it their client. */
export function RealtimeProvider({ client, children }: RealtimeProviderProps) {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/** The client of the nearest provider. */
export function useRealtimeClient(): RealtimeClient {
  const client = useContext(ClientContext);
  if (!client) throw new Error('There is no <RealtimeProvider> above this component.');
  return client;
}
