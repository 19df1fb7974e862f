import type { Command } from '../../src/core/command.ts';
import { no, yes } from './confirm.ts';
import { help } from './help.ts';
import { home } from './home.ts';
import { link } from './link.ts';
import { status } from './status.ts';
import { whoami } from './whoami.ts';

export const sessionCommands: readonly Command[] = [help, home, status, whoami, link, yes, no];
