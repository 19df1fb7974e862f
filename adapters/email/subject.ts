const TAG = '\\[[^\\]]{0,80}\\]';
const FORWARDS = 'fwd?|wg|tr|rv|enc|i|vs|vl|vb|doorst|pd|转发|轉發|轉寄|转寄|転送';
const REPLIES = 're|aw|sv|rif|odp|antw|res|r|ref|回复|回覆|答复|答覆|返信';
/** One tag or prefix at a time, from the start of the subject; a full-width colon is one, too. */
const PREFIX = new RegExp(
  `\\s*(?:${TAG}|(${FORWARDS}|${REPLIES})\\s*(?:\\[\\d+\\]|\\(\\d+\\))?\\s*[:：])`,
  'giuy',
);
const FORWARD = new RegExp(`^(?:${FORWARDS})$`, 'iu');

/** What mail programs put before a subject, past the tags of gateways and lists: `[EXT] Re: Fwd: x` is a forward. */
export function passedOn(subject: string): 'forward' | 'reply' | undefined {
  const prefixes = Array.from(subject.matchAll(PREFIX), ([, prefix]) => prefix).filter(
    (prefix) => prefix !== undefined,
  );
  if (prefixes.some((prefix) => FORWARD.test(prefix))) return 'forward';
  return prefixes.length > 0 ? 'reply' : undefined;
}

const AWAY = [
  'out of (the )?office\\s*(:|-|$|re\\b|auto|reply)',
  'auto(matic|mated)?[ -]?(reply|response)',
  'vacation (reply|response|message)',
  'automatische antwort',
  'abwesenheits(notiz|nachricht|meldung)',
  'réponse automatique',
  'absence du bureau',
  'respuesta autom[aá]tica',
  'risposta automatica',
  'resposta autom[aá]tica',
  'automatisch antwoord',
  'autosva?r',
  'automaattinen vastaus',
  'автоответ',
  'автоматический ответ',
  '自动(回复|答复)',
  '自動(回覆|返信|応答)',
];
const VACATION = new RegExp(`^(?:\\s|${TAG})*(?:${AWAY.join('|')})`, 'iu');

/** Whether a subject is one of those that programs give the answers of people who are away. */
export const isVacation = (subject: string): boolean => VACATION.test(subject);
