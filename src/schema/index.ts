import { builder } from './builder.ts';
import { measured } from './measured.ts';
import './scalars.ts';
import './position.ts';
import './user.ts';
import './channel.ts';
import './message.ts';
import './notification.ts';
import './event.ts';
import './model.ts';
import './session.ts';
import './token.ts';

export const schema = measured(builder.toSchema());
