import { jobOf, storyOf, type Caused, type Job, type Story } from '../../model/answers.ts'
import { clock, pretty } from '../../model/format.ts'
import { fieldsOf } from '../../model/read.ts'
import { parseJson } from '../../model/replay-request.ts'
import { timelineOf, type Moment } from '../../model/timeline.ts'
import { isFinished } from '../../model/tone.ts'
import { ask, reasonOf, type Field } from '../dialog.ts'
import { h, type Child } from '../dom.ts'
import { badge, faultBox, facts, jsonBlock, jobLink, link, when } from '../parts.ts'
import { slowly, type Scene, type View } from '../view.ts'
import { jobTable, tookText } from './jobs.ts'

const FINISHED_MS = 15_000
const REASON_LENGTH = 1000

/** One job and its whole story. */
export function jobView(scene: Scene, id: string): View {
  const { client } = scene
  const load = async (signal: AbortSignal): Promise<{ readonly job: Job; readonly story: Story }> => {
    const job = jobOf(fieldsOf(await client.call('job', { params: { id }, signal })))
    return { job, story: storyOf(await client.call('story', { params: { id }, signal })) }
  }
  // When it and its replays have finished, only another replay changes anything.
  const rarely = slowly(FINISHED_MS, load)
  let finished = false
  return {
    title: 'Job',
    live: true,
    async load(signal, forced) {
      const { job, story } = finished ? await rarely(signal, forced) : await load(signal)
      finished = isFinished(job.state) && story.replays.every(({ state }) => isFinished(state))
      return show(scene, job, story)
    },
  }
}

function show(scene: Scene, job: Job, story: Story): readonly Node[] {
  const nowMs = scene.client.now()
  return [
    h('h1', { tabindex: -1 }, `${job.plugin}.${job.name} `, badge(job.state)),
    h('p', {}, h('code', { class: 'id' }, job.id)),
    h('div', { class: 'buttons' }, isFinished(job.state) ? replayButton(scene, job) : cancelButton(scene, job)),
    ...(job.error === null ? [] : [h('section', { 'data-key': 'error' }, h('h2', {}, 'Error'), faultBox(job.error))]),
    h('section', { 'data-key': 'facts' }, h('h2', {}, 'Facts'), jobFacts(job, nowMs)),
    h('section', { 'data-key': 'data' }, h('h2', {}, 'Data'), jsonBlock('Payload', job.payload), jsonBlock('Result', job.result)),
    h(
      'section',
      { 'data-key': 'story' },
      h('h2', {}, 'What happened'),
      h(
        'ol',
        { class: 'timeline' },
        timelineOf(story.events, (time) => clock(time, nowMs)).map((moment) => line(moment, job.id, nowMs)),
      ),
    ),
    ...(story.replays.length === 0
      ? []
      : [h('section', { 'data-key': 'replays' }, h('h2', {}, 'Replays of it'), jobTable(story.replays, nowMs))]),
    ...(story.caused.length === 0 ? [] : [h('section', { 'data-key': 'caused' }, h('h2', {}, 'What it caused'), causedTree(story.caused))]),
  ]
}

function jobFacts(job: Job, nowMs: number): HTMLElement {
  const time = (value: string | null): Child => (value === null ? null : [clock(value, nowMs), ' · ', when(value, nowMs)])
  const jobsOf = (name: 'correlation_id' | 'replay_id', value: string | null): Child =>
    value === null ? null : h('code', {}, link({ view: 'jobs', filter: { [name]: value } }, value))
  return facts([
    ['Plugin', link({ view: 'jobs', filter: { plugin: job.plugin } }, job.plugin)],
    ['Kind', job.kind],
    ['Name', link({ view: 'jobs', filter: { plugin: job.plugin, name: job.name } }, job.name)],
    ['Plugin version', job.pluginVersion],
    ['Attempt', `${job.attempt} of ${job.maxAttempts}`],
    ['Priority', String(job.priority)],
    ['Requested', time(job.requestedAt)],
    ['Due', time(job.runAt)],
    ['Started', time(job.startedAt)],
    ['Finished', time(job.finishedAt)],
    ['Took', job.finishedAt === null ? null : tookText(job)],
    ['Correlation id', jobsOf('correlation_id', job.correlationId)],
    ['Caused by', job.causationId === null ? null : h('code', {}, job.causationId)],
    ['Replay of', job.replayOf === null ? null : jobLink(job.replayOf)],
    ['First of the chain', job.root === null ? null : jobLink(job.root)],
    ['Replay id', jobsOf('replay_id', job.replayId)],
    ['Idempotency key', job.idempotencyKey],
    [
      'Failed alike',
      job.errorFingerprint === null
        ? null
        : h('code', {}, link({ view: 'jobs', filter: { error_fingerprint: job.errorFingerprint } }, job.errorFingerprint)),
    ],
  ])
}

function line(moment: Moment, ownId: string, nowMs: number): HTMLElement {
  return h(
    'li',
    { class: moment.tone, 'data-key': moment.position },
    h('span', { class: 'at' }, clock(moment.at, nowMs), ' · ', when(moment.at, nowMs)),
    h('b', {}, moment.title),
    moment.jobId !== '' && moment.jobId !== ownId && [' in the replay ', jobLink(moment.jobId)],
    moment.code !== null && h('p', {}, h('code', {}, moment.code), ' ', moment.message),
    moment.facts.length > 0 && h('small', {}, moment.facts.join(' · ')),
  )
}

function causedTree(caused: readonly Caused[]): HTMLElement {
  return h(
    'ul',
    { class: 'tree' },
    caused.map((each) =>
      h(
        'li',
        {},
        each.type === 'job'
          ? [
              badge(each.job.state),
              ' ',
              link({ view: 'job', id: each.job.id }, `${each.job.plugin}.${each.job.name}`),
              ' ',
              h('small', {}, each.job.kind),
            ]
          : [badge('event', 'quiet'), ' ', each.name, ' ', h('small', { title: each.id }, each.id)],
        each.caused.length > 0 && causedTree(each.caused),
      ),
    ),
  )
}

function cancelButton({ client, notify, refresh }: Scene, job: Job): HTMLElement {
  const cancel = (): void => {
    void ask({
      title: 'Cancel this job?',
      text: `${job.plugin}.${job.name} is ${job.state}. ${job.state === 'active' ? 'Its handler is told to stop; what it has done already stays done.' : 'It will not run.'}`,
      action: 'Cancel the job',
      dangerous: true,
      fields: [{ name: 'reason', label: 'Reason (optional, kept in the log)', kind: 'text', maxLength: REASON_LENGTH }],
      async submit(values) {
        await client.call('cancelJob', { params: { id: job.id }, body: reasonOf(values) })
        notify('good', ['Cancelled ', jobLink(job.id), '.'])
        refresh()
      },
    })
  }
  return h('button', { type: 'button', class: 'danger', 'data-key': 'cancel', onclick: cancel }, 'Cancel…')
}

function replayButton({ client, notify, refresh }: Scene, job: Job): HTMLElement {
  const original = pretty(job.payload)
  // What is shown in part cannot be edited.
  const whole = original === JSON.stringify(job.payload, null, 2)
  const replay = (): void => {
    void ask({
      title: 'Run this job again?',
      text: `A new job of ${job.plugin}.${job.name} is made; this one stays as it is. What it did before may be done a second time.`,
      action: 'Replay',
      dangerous: true,
      fields: [
        ...(whole ? [payloadField(original)] : []),
        { name: 'reason', label: 'Reason (optional, kept in the log)', kind: 'text', maxLength: REASON_LENGTH },
        { name: 'force', label: 'Also when the action is marked “replay: unsafe”', kind: 'check' },
      ],
      async submit(values) {
        const body = {
          ...reasonOf(values),
          ...(whole && editOf(values.get('payload') ?? '', original)),
          ...(values.has('force') && { force: true }),
        }
        const made = fieldsOf(await client.call('replayJob', { params: { id: job.id }, body }))['job_id']
        notify('good', ['Replayed as ', jobLink(String(made)), '.'])
        refresh()
      },
    })
  }
  return h('button', { type: 'button', class: 'primary', 'data-key': 'replay', onclick: replay }, 'Replay…')
}

function payloadField(original: string): Field {
  const hint = 'As it is, or edited: an edit is kept in the log beside the original.'
  return { name: 'payload', label: 'Payload', kind: 'lines', value: original, hint }
}

/** The payload, when it was edited. Browsers send line ends as CRLF. Throws with what is wrong with it. */
function editOf(text: string, original: string): { readonly payload?: unknown } {
  if (text.replaceAll('\r\n', '\n') === original) return {}
  const parsed = parseJson(text)
  if (!parsed.ok) throw new Error(`Payload: ${parsed.mistake}`)
  if (parsed.value === undefined) throw new Error('Payload: expected JSON, found nothing. {} is an empty object.')
  return { payload: parsed.value }
}
