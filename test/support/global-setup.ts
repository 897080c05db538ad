import type { TestProject } from 'vitest/node';
import { createTemplate } from './database.ts';
import { providePostgres } from './postgres-server.ts';
import { provideRedis } from './redis-server.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    postgresUrl: string;
    postgresTemplate: string;
    redisUrl: string;
  }
}

/** One PostgreSQL and one Redis for the whole run; each test file makes databases of its own. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const [postgres, redis] = await Promise.all([providePostgres(), provideRedis()]);
  const template = await createTemplate(postgres.url);
  provide('postgresUrl', postgres.url);
  provide('postgresTemplate', template.name);
  provide('redisUrl', redis.url);
  return async () => {
    await template.drop();
    await Promise.all([postgres.stop(), redis.stop()]);
  };
}
