import { spawn, type ChildProcess } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { SECOND } from '../../domain/clock.ts';

/**
 * Lists process groups as `+ID` and `-ID` come in; when its input ends, because whoever wrote it is gone, ends those
 * that are left, and removes the folders whose paths begin with $1.
 */
const SCRIPT = `
ids=
while read -r line; do
  id=\${line#?}
  case $line in
    +*) ids="$ids $id" ;;
    -*) left=; for i in $ids; do [ "$i" = "$id" ] || left="$left $i"; done; ids=$left ;;
  esac
done
if [ -n "$ids" ]; then
  for i in $ids; do kill -s TERM -- "-$i"; done
  sleep 2
  for i in $ids; do kill -s KILL -- "-$i"; done
fi
rm -rf -- "$1"*
`;

/**
 * Ends the programs of this process when it is killed and cannot do so itself: a small shell outside of its process
 * group holds the end of a pipe that the kernel closes with it. One for all programs, started with the first, and again
 * when somebody ends it.
 */
export class Warden {
  /** What the path of each program's folder is to begin with: they are removed with this process. */
  readonly folders: string;
  readonly #log: Logger;
  /** Those that run. */
  readonly #groups = new Set<number>();
  #shell: ChildProcess | undefined;
  #again: NodeJS.Timeout | undefined;

  /** `name`: like nobody else's. */
  constructor(log: Logger, name: string) {
    this.#log = log;
    this.folders = join(tmpdir(), `signalbox-job-${name}-`);
  }

  /** Watches over the process group; returns how to say that it has ended. */
  watch(group: number): () => void {
    this.#groups.add(group);
    this.#tell(`+${group}\n`);
    return () => {
      this.#groups.delete(group);
      this.#tell(`-${group}\n`);
    };
  }

  /** To be called once no program runs any more. */
  async stop(): Promise<void> {
    clearTimeout(this.#again);
    const shell = this.#shell;
    this.#shell = undefined;
    shell?.stdin?.end();
  }

  #tell(line: string): void {
    if (this.#shell) this.#shell.stdin?.write(line);
    else this.#start();
  }

  #start(): void {
    if (this.#groups.size === 0) return;
    const shell = spawn('/bin/sh', ['-c', SCRIPT, 'sh', this.folders], {
      detached: true,
      env: {},
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#shell = shell;
    shell.once('error', (err) => this.#gone(err));
    // What it says is said by its end, too.
    shell.stdin.on('error', () => undefined);
    shell.once('exit', () => {
      if (this.#shell !== shell) return;
      this.#gone(new Error('the shell that watches over programs was ended'));
      this.#shell = undefined;
      this.#again = setTimeout(() => this.#shell ?? this.#start(), SECOND).unref();
    });
    for (const group of this.#groups) shell.stdin.write(`+${group}\n`);
    // It lives as long as we do, and holds up nothing.
    shell.unref();
    (shell.stdin as unknown as { unref(): void }).unref();
  }

  #gone(err: Error): void {
    this.#log.warn({ err }, 'nobody would end the programs of jobs if this process were killed');
  }
}
