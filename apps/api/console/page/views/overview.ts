import {
  checksOf,
  failuresOf,
  pluginsOf,
  queuesOf,
  replaysOf,
  type Check,
  type FailureGroup,
  type Queue,
  type Replay,
} from '../../model/answers.ts'
import { TOO_OLD_SECONDS, boardOf, totalsOf, type BoardRow } from '../../model/board.ts'
import { age, count, plural } from '../../model/format.ts'
import { sampled, trendText, type Sample } from '../../model/trend.ts'
import { Refused } from '../client.ts'
import { h, type Child } from '../dom.ts'
import { badge, jobLink, link, table, tile, when } from '../parts.ts'
import { slowly, type Scene, type View } from '../view.ts'
import { replayLine } from './replay-parts.ts'

const HOUR = '1h'
/** Groups of failures and replays change slowly and cost more than depths. */
const SLOW_MS = 15_000

/** What is wrong, and whether it gets better. */
export function overviewView({ client }: Scene): View {
  const trends = new Map<string, readonly Sample[]>()
  const slow = slowly(SLOW_MS, async (signal) => {
    const [failures, replays] = await Promise.all([
      client.call('failures', { query: `since=${HOUR}&limit=200`, signal }),
      client.call('replays', { query: 'limit=20', signal }),
    ])
    return { failures: failuresOf(failures), replays: replaysOf(replays).filter(({ state }) => state === 'running' || state === 'paused') }
  })
  return {
    title: 'Overview',
    live: true,
    async load(signal, forced) {
      // In this order: a key that is asked for is asked for once.
      const queues = queuesOf(await client.call('queues', { signal }))
      const [plugins, checks, { failures, replays }] = await Promise.all([
        client.call('plugins', { signal }).then(pluginsOf),
        readiness(client, signal),
        slow(signal, forced),
      ])
      const atMs = Date.now()
      for (const { plugin, waiting } of queues) trends.set(plugin, sampled(trends.get(plugin) ?? [], { atMs, waiting }))
      return [
        h('h1', { tabindex: -1 }, 'Overview'),
        ...tiles(queues, checks, failures),
        h('h2', {}, 'Plugins and their queues'),
        board(boardOf(plugins, queues), trends),
        replays.length > 0 &&
          h('section', {}, h('h2', {}, 'Replays under way'), ...replays.map((replay: Replay) => replayLine(replay, client.now()))),
        h('h2', {}, 'What failed in the last hour'),
        failureTable(failures, client.now()),
      ].filter((part) => part !== false)
    },
  }
}

async function readiness(client: Scene['client'], signal: AbortSignal): Promise<readonly Check[]> {
  try {
    return checksOf(await client.call('readiness', { query: 'verbose', signal }))
  } catch (error) {
    // Not ready is an answer too.
    if (error instanceof Refused && error.problem.status === 503) return checksOf(error.body)
    throw error
  }
}

function tiles(queues: readonly Queue[], checks: readonly Check[], failures: readonly FailureGroup[]): readonly HTMLElement[] {
  const { waiting, running, delayed, oldestSeconds } = totalsOf(queues)
  const late = (oldestSeconds ?? 0) > TOO_OLD_SECONDS
  const failed = failures.reduce((sum, group) => sum + group.count, 0)
  const broken = checks.filter(({ ok }) => !ok)
  return [
    h(
      'div',
      { class: 'tiles' },
      tile(
        'This process',
        broken.length === 0 ? 'ready' : 'not ready',
        broken.length === 0 ? 'good' : 'bad',
        broken.length === 0 ? checks.map(({ name }) => name).join(', ') : null,
      ),
      tile(
        'Waiting',
        link({ view: 'jobs', filter: { state: 'queued,retrying' } }, count(waiting)),
        late ? 'bad' : 'quiet',
        'due, not started',
      ),
      tile('Oldest', oldestSeconds === null ? '–' : age(oldestSeconds), late ? 'bad' : 'quiet', 'due for so long'),
      tile('Running', link({ view: 'jobs', filter: { state: 'active' } }, count(running)), 'quiet', 'right now'),
      tile('Delayed', link({ view: 'jobs', filter: { state: 'scheduled,retrying' } }, count(delayed)), 'quiet', 'due later'),
      tile(
        'Failed',
        link({ view: 'jobs', filter: { state: 'failed,dead', since: HOUR } }, count(failed)),
        failed > 0 ? 'bad' : 'good',
        'in the last hour',
      ),
    ),
    ...broken.map(({ name, detail }) => h('p', { class: 'problem' }, badge(name, 'bad'), ' ', detail)),
  ]
}

function board(rows: readonly BoardRow[], trends: ReadonlyMap<string, readonly Sample[]>): HTMLElement {
  return table(
    'Plugins and their queues',
    [
      { name: 'Plugin' },
      { name: 'State' },
      { name: 'Waiting', numeric: true },
      { name: 'Trend' },
      { name: 'Oldest', numeric: true },
      { name: 'Running', numeric: true },
      { name: 'Delayed', numeric: true },
      { name: 'Rate limit' },
      { name: 'Last error' },
    ],
    rows.map(({ name, plugin, queue, troubles }) => ({
      key: name,
      ...(troubles.length > 0 && { tone: 'warn' as const }),
      cells: [
        h('span', { class: 'line' }, link({ view: 'jobs', filter: { plugin: name } }, name), ' ', h('small', {}, plugin?.version ?? '')),
        states(plugin, troubles),
        count(queue?.waiting ?? 0),
        trendText(trends.get(name) ?? []),
        queue === null || queue.oldestSeconds === null ? '' : age(queue.oldestSeconds),
        count(queue?.running ?? 0),
        count(queue?.delayed ?? 0),
        queue === null || queue.rateLimit === null ? '' : `${count(queue.rateLimit.calls)} in ${age(queue.rateLimit.periodSeconds)}`,
        plugin === null || plugin.lastError === null
          ? ''
          : h(
              'span',
              { class: 'clip', title: plugin.lastError.message },
              h('code', {}, plugin.lastError.code),
              ' ',
              plugin.lastError.message,
            ),
      ],
    })),
    'No plugins. They are folders below plugins.dir, each with a plugin.yaml.',
  )
}

function states(plugin: BoardRow['plugin'], troubles: readonly string[]): Child {
  const ring = plugin?.sandbox?.ring ?? null
  return [
    troubles.length === 0 || plugin?.state === 'ready' ? badge(plugin?.state ?? 'gone') : null,
    troubles.map((trouble) => [' ', badge(trouble, trouble === 'failed' || trouble === 'suspended' ? 'bad' : 'warn')]),
    ring === null ? null : [' ', h('span', { class: 'badge quiet', title: `Sandboxed, in the ring ${ring}` }, `sandbox: ${ring}`)],
  ]
}

function failureTable(groups: readonly FailureGroup[], nowMs: number): HTMLElement {
  return table(
    'Failures of the last hour, alike ones together',
    [
      { name: 'Jobs', numeric: true },
      { name: 'What' },
      { name: 'Error' },
      { name: 'Last' },
      { name: 'First' },
      { name: 'Example' },
      { name: '' },
    ],
    groups.map((group) => {
      const filter = { plugin: group.plugin, name: group.name, state: 'failed,dead', error_fingerprint: group.fingerprint }
      return {
        key: group.fingerprint,
        cells: [
          link({ view: 'jobs', filter }, count(group.count), plural(group.count, 'job')),
          `${group.plugin}.${group.name}`,
          h('span', { class: 'clip', title: group.message }, h('code', {}, group.code), ' ', group.message),
          when(group.lastSeen, nowMs),
          when(group.firstSeen, nowMs),
          jobLink(group.sampleJobId),
          link({ view: 'new-replay', filter }, 'Replay…'),
        ],
      }
    }),
    'Nothing failed.',
  )
}
