import type { Command } from '../../src/core/command.ts';
import { taskAssign } from './assign.ts';
import { taskBlock, taskUnblock } from './block.ts';
import { taskCheck } from './check.ts';
import { taskComment } from './comment.ts';
import { taskCreate } from './create.ts';
import { taskDepend } from './depend.ts';
import { taskEdit } from './edit.ts';
import { taskList } from './list.ts';
import { taskMove } from './move.ts';
import { taskShow } from './show.ts';

export const taskCommands: readonly Command[] = [
  taskCreate,
  taskList,
  taskShow,
  taskMove,
  taskAssign,
  taskBlock,
  taskUnblock,
  taskDepend,
  taskCheck,
  taskComment,
  taskEdit,
];
