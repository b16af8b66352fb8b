import { z } from 'zod';
import { optionalKey, text } from '../scalar-schema.ts';
import { teamName } from '../subject.ts';

export const ownedBy = optionalKey(z.object({ account: optionalKey(text(256)), team: optionalKey(teamName) }));
