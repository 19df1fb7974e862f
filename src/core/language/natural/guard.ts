import type { Risk } from '../../command.ts';

/** A condition, a time to wait for, a report of what somebody said: never a request to change something now. */
const HYPOTHETICAL =
  /\b(?:if|unless|when|whenever|once|after|before|until|while|suppose|supposing|assuming|imagine|provided|maybe|perhaps|in case|might|would|should|shall|could|pretend|hypothetically|wonder|wondering)\b/i;
const NEGATION =
  /\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|\w+n't|(?:do|does|did|ca|wo|would|should|must)nt)\b/i;
const PAST = /\b(?:was|were|did|had|has been|have been|been|already|yesterday|ago)\b/i;

/**
 * Whether a sentence may be read as this kind of command at all. Reading a change into a sentence that denies, asks,
 * tells or imagines it would be worse than not understanding, so one doubt is enough. What stands in quotes is a title,
 * and counts for nothing here.
 */
export async function mayMean(risk: Risk, sentence: string, question: boolean): Promise<boolean> {
  if (risk !== 'read' && risk !== 'write') return false;
  const outside = sentence.replace(/"[^"]*"|[“„][^“”]*[“”]/gu, ' ');
  if (NEGATION.test(outside)) return false;
  const doc = await tagged(outside);
  if (doc.has('#Negative')) return false;
  if (risk === 'read') return true;
  if (question || HYPOTHETICAL.test(outside) || PAST.test(outside)) return false;
  if (doc.has('#Modal') || doc.has('#QuestionWord') || doc.has('^#PastTense')) return false;
  return doc.length < 2;
}

/** compromise with its tagger: loaded on first need, for it costs 150 ms and 20 MB that most runs never use. */
async function tagged(text: string): Promise<Tagged> {
  const { default: nlp } = await import('compromise/two');
  return nlp(text);
}

interface Tagged {
  readonly length: number;
  has(match: string): boolean;
}
