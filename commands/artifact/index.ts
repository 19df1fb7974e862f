import { artifactAccept, artifactEdit, artifactReject } from './change.ts';
import { artifactExport, artifactList, artifactShow } from './read.ts';

export const artifactCommands = [
  artifactList,
  artifactShow,
  artifactExport,
  artifactEdit,
  artifactAccept,
  artifactReject,
] as const;
