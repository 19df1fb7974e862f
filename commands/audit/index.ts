import type { Command } from '../../src/core/command.ts';
import { auditExport } from './export.ts';
import { auditSearch } from './search.ts';
import { auditVerify } from './verify.ts';

export const auditCommands: readonly Command[] = [auditSearch, auditExport, auditVerify];
