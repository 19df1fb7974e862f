/** The words and flags that a sentence stands for, in the order in which the command takes them. */
export interface Meaning {
  readonly words: readonly string[];
  readonly flags?: Readonly<Record<string, string | undefined>>;
}

/** A way to say a command. Patterns match the whole sentence, politeness taken away and ids already written `TSK-12`. */
export interface Intent {
  readonly command: string;
  readonly patterns: readonly RegExp[];
  /** Undefined: it matched, but says too little. */
  meaning(said: Readonly<Record<string, string | undefined>>): Meaning | undefined;
}

const ARTICLES = new Set([
  'a',
  'an',
  'the',
  'it',
  'this',
  'that',
  'them',
  'all',
  'some',
  'any',
  'again',
  'job',
  'runbook',
  'probe',
]);
const STATES = 'queued|claimed|in[ _-]progress|review|approved|merging|done|blocked';
const JOB_STATES = 'waiting|queued|running|failed|succeeded|cancelled';
const NAME = String.raw`@?[\p{L}][\p{L}\p{N}._-]*`;
const SLUG = String.raw`[\p{L}\p{N}][\p{L}\p{N}._-]*`;

const pattern = (source: string): RegExp => new RegExp(`^${source}$`, 'isu');
/** Principals are named in lower case. */
const person = (name: string | undefined): string | undefined => name?.replace(/^@/, '').toLowerCase();
const state = (name: string | undefined): string | undefined => name?.toLowerCase().replace(/[ -]/g, '_');

/** Except for `task.create`, whose free text has a file of its own. */
export const INTENTS: readonly Intent[] = [
  {
    command: 'task.list',
    patterns: [
      pattern(
        `(?:list|show|get|give)(?: me)?(?: all)?(?: (?:of )?the| (?<mine>my))?(?: (?:open|current|(?<state>${STATES})))? tasks(?: (?:of|for|assigned to|owned by) (?<owner>${NAME}))?`,
      ),
      pattern(
        `(?:what|which)(?: are)?(?: (?<mine>my)| the)?(?: open)? tasks(?: are(?: open| (?<state>${STATES})))?`,
      ),
    ],
    meaning: (said) => ({
      words: [],
      flags: { state: state(said['state']), owner: said['mine'] ? 'me' : person(said['owner']) },
    }),
  },
  {
    command: 'task.show',
    patterns: [
      pattern('(?:show|display|get|describe)(?: me)?(?: the)?(?: task)? (?<id>TSK-[^ ]+)'),
      pattern("(?:what is|what's)(?: the (?:status|state) of| with)?(?: task)? (?<id>TSK-[^ ]+)"),
    ],
    meaning: (said) => ({ words: [said['id'] ?? ''] }),
  },
  {
    command: 'task.move',
    patterns: [
      pattern(
        `(?:move|put|set|send|bring) (?<id>TSK-[^ ]+) (?:to|in|into|back to|back in)(?: the)? (?<state>${STATES})`,
      ),
      pattern(`mark (?<id>TSK-[^ ]+) as (?<state>${STATES})`),
    ],
    meaning: (said) => ({ words: [said['id'] ?? '', state(said['state']) ?? ''] }),
  },
  {
    command: 'task.assign',
    patterns: [
      pattern(`(?:assign|give|hand)(?: over)? (?<id>TSK-[^ ]+) to (?<owner>${NAME})`),
      pattern(`(?:make) (?<owner>${NAME}) (?:the )?owner of (?<id>TSK-[^ ]+)`),
    ],
    meaning: (said) => ({ words: [said['id'] ?? '', person(said['owner']) ?? ''] }),
  },
  {
    command: 'probe.run',
    patterns: [
      pattern(`(?:run|check|start|execute|trigger)(?: the)? probe (?<name>${SLUG})`),
      pattern(`(?:run|check|start|execute|trigger)(?: the)? (?<name>${SLUG}) probe`),
    ],
    meaning: (said) => named(said['name']),
  },
  {
    command: 'job.run',
    patterns: [
      pattern(
        `(?:run|start|launch|execute|trigger|kick off)(?: the)?(?: (?:job|runbook))? (?<name>${SLUG})(?: (?:job|runbook))?(?<rest> with .+)?`,
      ),
    ],
    meaning(said) {
      const flags = pairs(said['rest'] ?? '');
      const meaning = named(said['name']);
      return flags && meaning && { ...meaning, flags };
    },
  },
  {
    command: 'job.list',
    patterns: [
      pattern(`(?:list|show|get|give)(?: me)?(?: all)?(?: (?:of )?the)?(?: (?<state>${JOB_STATES}))? jobs`),
      pattern(`(?:what|which) jobs are (?<state>${JOB_STATES})`),
    ],
    meaning: (said) => ({ words: [], flags: { state: state(said['state']) } }),
  },
  {
    command: 'status',
    patterns: [
      pattern("(?:what is|what's) (?:the )?(?:current )?status"),
      pattern('(?:show|give)(?: me)? (?:the )?(?:current )?status'),
      pattern('is everything (?:ok|okay|fine|up|all right|running)'),
    ],
    meaning: () => ({ words: [] }),
  },
  {
    command: 'help',
    patterns: [
      pattern('what can (?:you|i) (?:do|say|type)(?: here)?'),
      pattern('(?:show|list|give)(?: me)?(?: all)?(?: the)? commands'),
      pattern('how (?:do|can) i (?:use|work with) (?:this|you|signalbox)'),
      pattern('i need (?:some )?help'),
    ],
    meaning: () => ({ words: [] }),
  },
];

function named(name: string | undefined): Meaning | undefined {
  return name && !ARTICLES.has(name.toLowerCase()) ? { words: [name] } : undefined;
}

/** ` with env prod and service=api` → flags; undefined when it is anything else. */
function pairs(text: string): Record<string, string> | undefined {
  const flags: Record<string, string> = {};
  if (text === '') return flags;
  for (const part of text.slice(' with '.length).split(/ and |, ?/i)) {
    const match = /^(?<key>[a-z][\w-]*)(?: | ?= ?| set to | as | is )(?<value>[^\s=]+)$/i.exec(part.trim());
    if (!match?.groups) return undefined;
    const { key = '', value = '' } = match.groups;
    if (Object.hasOwn(flags, key)) return undefined;
    flags[key] = value;
  }
  return flags;
}
