import type { Closure } from '../closure.ts';
import type { Answer } from '../link.ts';
import type { GraphQLFailure, RealtimeTransport } from '../types.ts';

/** Of all names, so that tabs of two versions do not talk to each other. Another one with every change here. */
export const version = 1;

/** In the channel that all tabs have in common. `desk` is an open link of the tab that leads. */
export type HallMessage =
  | { readonly type: 'seek' }
  | { readonly type: 'lead'; readonly desk: string }
  | { readonly type: 'join'; readonly desk: string; readonly from: string };

/** What a follower says in its own channel. */
export type Wish =
  /** `payload` as JSON: what does not survive that would not survive the wire. */
  | { readonly type: 'subscribe'; readonly id: number; readonly payload: string }
  /** `at` in milliseconds since 1970: who asks does not wait for ever. */
  | { readonly type: 'execute'; readonly id: number; readonly payload: string; readonly at: number }
  | { readonly type: 'leave'; readonly id: number }
  /** Are you there? And, of the second, is the server? */
  | { readonly type: 'ping' }
  | { readonly type: 'check' }
  /** All that came so far has been taken. */
  | { readonly type: 'taken' };

/** What the leader says there. */
export type Word =
  | {
      readonly type: 'opened';
      readonly transport: RealtimeTransport;
      readonly executes: boolean;
      readonly connectionId: string | null;
    }
  | { readonly type: 'next'; readonly id: number; readonly answer: Answer }
  | { readonly type: 'error'; readonly id: number; readonly errors: readonly GraphQLFailure[] }
  | { readonly type: 'complete'; readonly id: number }
  /** Of what was executed. */
  | { readonly type: 'answer'; readonly id: number; readonly answer: Answer }
  | { readonly type: 'lost'; readonly id: number; readonly reason: string }
  | { readonly type: 'latency'; readonly milliseconds: number }
  | { readonly type: 'pong' }
  | { readonly type: 'closed'; readonly closure: Closure };

/** Each names the desk that it is for or from. */
export type Said<Message> = Message & { readonly desk: string };
