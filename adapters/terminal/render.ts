import { styleText } from 'node:util';
import type { Answer, Invocation, Reply, Status } from '../../src/core/message.ts';
import { printable } from '../../src/core/printable.ts';

export interface Rendering {
  readonly color: boolean;
  /** The command to type for an invocation. */
  readonly format: (invocation: Invocation) => string;
}

type Style = Parameters<typeof styleText>[0];

const MARKS: Record<Status, readonly [mark: string, style: Style]> = {
  ok: ['✓', 'green'],
  pending_approval: ['…', 'yellow'],
  needs_confirmation: ['?', 'yellow'],
  error: ['✗', 'red'],
};

/** An answer as lines of text: mark and reply, what it was read as where that differs from `typed`, what to type next. */
export function renderAnswer(answer: Answer, typed: string, how: Rendering): string {
  const [mark, style] = MARKS[answer.status];
  const lines = [`${paint(style, mark, how)} ${renderReply(answer.reply, how)}`];
  const reading = answer.invocation && how.format(answer.invocation);
  if (reading !== undefined && reading !== typed.trim())
    lines.unshift(paint('dim', `→ ${printable(reading)}`, how));
  const { suggestions = [], retryAfter } = answer.error ?? {};
  if (suggestions.length > 0)
    lines.push(...suggestions.map((command) => `  ${paint('cyan', printable(command), how)}`));
  if (retryAfter !== undefined) lines.push(`  Try again in ${Math.max(1, Math.ceil(retryAfter / 1_000))} s.`);
  return lines.join('\n');
}

/** A reply's text, then its actions as commands to type. */
export function renderReply(reply: Reply, how: Rendering): string {
  const actions = (reply.actions ?? []).map(
    ({ label, invocation, asks = [] }) =>
      `  ${paint('cyan', printable([how.format(invocation), ...asks.map(blank)].join(' ')), how)}  (${printable(label)})`,
  );
  return [printable(reply.text), ...actions].join('\n');
}

/** An argument that is left to whoever types the command. */
const blank = (name: string): string => `--${name} …`;

const paint = (style: Style, text: string, { color }: Rendering): string =>
  color ? styleText(style, text, { validateStream: false }) : text;
