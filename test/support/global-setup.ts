import type { TestProject } from 'vitest/node';
import { providePostgres } from './postgres-server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string;
  }
}

/** One PostgreSQL server for the whole run; each test file makes databases of its own in it. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const server = await providePostgres();
  provide('postgresUrl', server.url);
  return () => server.stop();
}
