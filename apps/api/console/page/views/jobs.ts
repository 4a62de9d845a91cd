import { countByCode, failuresOf, jobPageOf, type FailureGroup, type Job } from '../../model/answers.ts'
import { FAILURE_FILTERS, JOB_FILTERS, JOB_STATES, KINDS, picked, queryOf, replayable, type Filter } from '../../model/filters.ts'
import { duration } from '../../model/format.ts'
import { h } from '../dom.ts'
import { badge, countList, jobLink, link, table, when } from '../parts.ts'
import { slowly, type Scene, type View } from '../view.ts'
import { choice, textField } from './fields.ts'

const PAGE = '50'
const SLOW_MS = 15_000
/** Grouping all failures of a month takes long. */
const FAILURES_SINCE = '24h'

/** Jobs, newest first, as `GET /jobs` filters them. */
export function jobsView({ client, go }: Scene, filter: Filter): View {
  const failures = slowly(SLOW_MS, async (signal) =>
    failuresOf(
      await client.call('failures', {
        query: queryOf({ limit: '200', since: FAILURES_SINCE, ...picked(filter, FAILURE_FILTERS) }),
        signal,
      }),
    ),
  )
  return {
    title: 'Jobs',
    live: true,
    async load(signal, forced) {
      const page = jobPageOf(await client.call('jobs', { query: queryOf({ limit: PAGE, ...filter }), signal }))
      const groups = await failures(signal, forced)
      const { cursor: _cursor, ...unpaged } = filter
      return [
        h('h1', { tabindex: -1 }, 'Jobs'),
        shortcuts(filter),
        filterForm(filter, (next) => go({ view: 'jobs', filter: next })),
        failureStrip(groups, unpaged),
        jobTable(page.jobs, client.now()),
        h(
          'p',
          { class: 'pager' },
          filter['cursor'] === undefined ? null : link({ view: 'jobs', filter: unpaged }, '← Newest'),
          ' ',
          page.nextCursor === null ? null : link({ view: 'jobs', filter: { ...filter, cursor: page.nextCursor } }, 'Older →'),
        ),
      ]
    },
  }
}

const SHORTCUTS: readonly (readonly [string, string])[] = [
  ['All', ''],
  ['Failed and dead', 'failed,dead'],
  ['Waiting', 'queued,scheduled,retrying'],
  ['Running', 'active'],
  ['Succeeded', 'succeeded'],
]

function shortcuts(filter: Filter): HTMLElement {
  const now = filter['state'] ?? ''
  const linkTo = (text: string, state: string): HTMLElement => {
    const { state: _state, cursor: _cursor, ...others } = filter
    const anchor = link({ view: 'jobs', filter: state === '' ? others : { ...others, state } }, text)
    if (state === now) anchor.setAttribute('aria-current', 'page')
    return anchor
  }
  return h(
    'nav',
    { class: 'chips', 'aria-label': 'States' },
    SHORTCUTS.map(([text, state]) => linkTo(text, state)),
  )
}

function filterForm(filter: Filter, apply: (filter: Filter) => void): HTMLElement {
  const states = (filter['state'] ?? '').split(',')
  const form = h(
    'form',
    {
      class: 'filters',
      // The form that is shown: this one may only have brought it up to date.
      onsubmit: (event) => {
        event.preventDefault()
        if (event.currentTarget instanceof HTMLFormElement) apply(read(event.currentTarget))
      },
    },
    h(
      'div',
      { class: 'grid' },
      textField(filter, 'plugin', 'Plugin'),
      textField(filter, 'name', 'Action or subscription'),
      choice('kind', 'Kind', KINDS, filter['kind']),
      textField(filter, 'error_code', 'Error code'),
      textField(filter, 'error_fingerprint', 'Error fingerprint'),
      textField(filter, 'correlation_id', 'Correlation id'),
      textField(filter, 'replay_id', 'Replay id'),
      textField(filter, 'since', 'Since', '2h, or 2026-01-31T08:00Z'),
      textField(filter, 'until', 'Until', '30m'),
    ),
    h(
      'fieldset',
      {},
      h('legend', {}, 'States'),
      JOB_STATES.map((state) =>
        h('label', {}, h('input', { type: 'checkbox', name: 'state', value: state, checked: states.includes(state) }), ' ', state),
      ),
    ),
    h(
      'div',
      { class: 'buttons' },
      h('button', { type: 'submit', class: 'primary' }, 'Filter'),
      link({ view: 'jobs', filter: {} }, 'Clear'),
    ),
  )
  const told = Object.entries(filter).filter(([name]) => name !== 'cursor' && name !== 'limit')
  const summary = told.length === 0 ? 'Filter' : `Filter: ${told.map(([name, value]) => `${name} = ${value}`).join(' · ')}`
  return h('details', { class: 'panel wide', 'data-key': 'filters' }, h('summary', {}, summary), form)
}

function read(form: HTMLFormElement): Filter {
  const data = new FormData(form)
  const values = [...new Set(data.keys())].map((name): [string, string] => [name, data.getAll(name).join(',')])
  return picked(Object.fromEntries(values), JOB_FILTERS)
}

function failureStrip(groups: readonly FailureGroup[], filter: Filter): HTMLElement {
  const { state, ...others } = filter
  const possible = replayable({ ...others, state: state ?? '' })
  const replay = Object.keys(possible).length === 0 ? null : link({ view: 'new-replay', filter: possible }, 'Replay these…')
  if (groups.length === 0) return h('p', { class: 'strip' }, replay)
  return h(
    'div',
    { class: 'strip' },
    h('span', {}, `Failures by code${others['since'] === undefined ? `, last ${FAILURES_SINCE}` : ''}`),
    countList(countByCode(groups), (code) => ({ view: 'jobs', filter: { ...others, state: 'failed,dead', error_code: code } })),
    replay,
  )
}

export function jobTable(jobs: readonly Job[], nowMs: number, empty = 'No jobs fit.'): HTMLElement {
  return table(
    'Jobs, newest first',
    [
      { name: 'State' },
      { name: 'Job' },
      { name: 'Kind' },
      { name: 'Attempt', numeric: true },
      { name: 'Requested' },
      { name: 'Took', numeric: true },
      { name: 'Error' },
      { name: 'Id' },
    ],
    jobs.map((job) => ({
      key: job.id,
      cells: [
        badge(job.state),
        link({ view: 'job', id: job.id }, `${job.plugin}.${job.name}`),
        job.kind,
        job.maxAttempts > 0 ? `${job.attempt}/${job.maxAttempts}` : String(job.attempt),
        when(job.requestedAt, nowMs),
        tookText(job),
        job.error === null
          ? ''
          : h('span', { class: 'clip', title: job.error.message }, h('code', {}, job.error.code), ' ', job.error.message),
        jobLink(job.id),
      ],
    })),
    empty,
  )
}

/** The last attempt. */
export function tookText(job: Job): string {
  if (job.startedAt === null || job.finishedAt === null) return '–'
  return duration((Date.parse(job.finishedAt) - Date.parse(job.startedAt)) / 1000)
}
