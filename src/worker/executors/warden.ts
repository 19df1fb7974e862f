import { spawn, type ChildProcess } from 'node:child_process';
import type { Logger } from 'pino';

/**
 * Lists process groups as `+ID` and `-ID` come in; when its input ends, because whoever wrote it is gone, ends those
 * that are left.
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
[ -z "$ids" ] && exit 0
for i in $ids; do kill -s TERM -- "-$i"; done
sleep 2
for i in $ids; do kill -s KILL -- "-$i"; done
`;

/**
 * Ends the programs of this process when it is killed and cannot do so itself: a small shell outside of its process
 * group holds the end of a pipe that the kernel closes with it. One for all programs, started with the first.
 */
export class Warden {
  readonly #log: Logger;
  #shell: ChildProcess | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Watches over the process group; returns how to say that it has ended. */
  watch(group: number): () => void {
    this.#tell(`+${group}\n`);
    return () => this.#tell(`-${group}\n`);
  }

  start(): void {}

  /** To be called once no program runs any more. */
  async stop(): Promise<void> {
    this.#shell?.stdin?.destroy();
    this.#shell = undefined;
  }

  #tell(line: string): void {
    this.#shell ??= this.#start();
    this.#shell.stdin?.write(line);
  }

  #start(): ChildProcess {
    const shell = spawn('/bin/sh', ['-c', SCRIPT], {
      detached: true,
      env: {},
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const gone = (err: unknown) =>
      this.#log.warn({ err }, 'nobody would end the programs of jobs if this process were killed');
    shell.once('error', gone);
    shell.stdin.on('error', gone);
    // It lives as long as we do, and holds up nothing.
    shell.unref();
    (shell.stdin as unknown as { unref(): void }).unref();
    return shell;
  }
}
