import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

type Answer<R> = { readonly result: R } | { readonly failed: string };

/** A process of the bench of its own, asked one thing at a time: what is measured shares no event loop with it. */
export class Child<Q, R> {
  readonly #process: ChildProcess;

  constructor(file: URL) {
    this.#process = fork(file, { serialization: 'advanced' });
  }

  /** @throws Error with what the process said when it failed. */
  async ask(question: Q): Promise<R> {
    const over = new AbortController();
    const ended = once(this.#process, 'exit', { signal: over.signal }).then(() => {
      throw new Error('a process of the bench ended by itself');
    });
    const answered = once(this.#process, 'message', { signal: over.signal }) as Promise<[Answer<R>]>;
    this.#process.send(question as object);
    try {
      const [answer] = await Promise.race([answered, ended]);
      if ('failed' in answer) throw new Error(answer.failed);
      return answer.result;
    } finally {
      over.abort();
      await Promise.allSettled([answered, ended]);
    }
  }

  stop(): void {
    this.#process.disconnect();
  }
}

/** The other side: answers each question, and ends when nobody asks any more. */
export function answerQuestions(work: (question: never) => Promise<unknown>): void {
  process.on('message', (question) => {
    work(question as never).then(
      (result) => process.send?.({ result }),
      (error: unknown) => process.send?.({ failed: error instanceof Error ? error.message : String(error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
}

/** CPU seconds of this process, in user and kernel mode. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
