import { FINISHED_STATES, KINDS, REPLAY_FILTERS, picked, type Filter } from '../../model/filters.ts'
import { count } from '../../model/format.ts'
import { fieldsOf, textOf, type Fields } from '../../model/read.ts'
import { dryRunOf, leftOutText, planOf, planSentence, replayRequest, type Plan } from '../../model/replay-request.ts'
import { ask, problemOfError } from '../dialog.ts'
import { h, type Child } from '../dom.ts'
import { countList, jobLink, problemBox } from '../parts.ts'
import type { Scene, View } from '../view.ts'
import { choice, textField } from './fields.ts'

/** Filter, dry run, its numbers, and only then the start. */
export function newReplayView(scene: Scene, filter: Filter): View {
  return { title: 'New replay', live: false, load: async () => form(scene, filter) }
}

function form(scene: Scene, filter: Filter): readonly Node[] {
  const outcome = h('div', { class: 'outcome', role: 'status' })
  const act = h('button', { type: 'submit', class: 'primary' }, 'Dry run')
  // What was typed since the dry run was asked for: its numbers are not those of this form then.
  let edits = 0
  const dryRun = async (): Promise<void> => {
    const edit = edits
    const request = replayRequest(readForm(element))
    if (!request.ok) {
      outcome.replaceChildren(...request.mistakes.map((mistake) => h('p', { class: 'problem' }, mistake)))
      return
    }
    act.disabled = true
    outcome.replaceChildren(h('p', {}, 'Looking at the jobs…'))
    try {
      const plan = planOf(await scene.client.call('startReplay', { body: dryRunOf(request.body) }))
      if (edit === edits) outcome.replaceChildren(...planned(scene, plan, request.body))
    } catch (error) {
      if (edit === edits) outcome.replaceChildren(problemBox(problemOfError(error)))
    } finally {
      act.disabled = false
    }
  }
  const element = h(
    'form',
    {
      class: 'filters panel',
      oninput: () => {
        edits++
        outcome.replaceChildren()
      },
      onsubmit: (event) => {
        event.preventDefault()
        void dryRun()
      },
    },
    h('h2', {}, 'Which jobs'),
    h(
      'div',
      { class: 'grid' },
      textField(filter, 'plugin', 'Plugin'),
      textField(filter, 'name', 'Action or subscription'),
      choice('kind', 'Kind', KINDS, filter['kind']),
      textField(filter, 'error_code', 'Error code'),
      textField(filter, 'error_fingerprint', 'Error fingerprint'),
      textField(filter, 'plugin_version', 'Plugin version that ran it last'),
      textField(filter, 'correlation_id', 'Correlation id'),
      textField(filter, 'replay_id', 'Replay id'),
      textField(filter, 'since', 'Since', '2h, or 2026-01-31T08:00Z'),
      textField(filter, 'until', 'Until', '30m'),
      textField({}, 'payload_match', 'Payload holds (JSON)', '{"user.id": 7}'),
    ),
    stateBoxes(filter),
    h('h2', {}, 'How'),
    h(
      'div',
      { class: 'grid' },
      textField({}, 'rate', 'Jobs per second', 'as fast as it goes'),
      textField({}, 'stop_at', 'Stop at failures (%)', 'never'),
      textField({}, 'priority', 'Priority (0–100)', '10'),
    ),
    h(
      'div',
      { class: 'field check' },
      h('input', { type: 'checkbox', id: 'field-force', name: 'force' }),
      h('label', { for: 'field-force' }, 'Also actions marked “replay: unsafe”'),
    ),
    h(
      'details',
      {},
      h('summary', {}, 'Another payload for all of them'),
      h(
        'div',
        { class: 'field' },
        h('label', { for: 'field-payload' }, 'New payload (JSON)'),
        h('textarea', { id: 'field-payload', name: 'payload', rows: 6, spellcheck: 'false' }),
      ),
    ),
    h('div', { class: 'buttons' }, act, h('small', {}, 'Changes nothing: it counts and checks.')),
  )
  return [h('h1', { tabindex: -1 }, 'New replay'), element, outcome]
}

function stateBoxes(filter: Filter): HTMLElement {
  const states = (filter['state'] ?? 'failed,dead').split(',')
  return h(
    'fieldset',
    {},
    h('legend', {}, 'States'),
    FINISHED_STATES.map((state) =>
      h('label', {}, h('input', { type: 'checkbox', name: 'state', value: state, checked: states.includes(state) }), ' ', state),
    ),
  )
}

function readForm(element: HTMLFormElement) {
  const data = new FormData(element)
  const text = (name: string): string => textOf(data.get(name))
  const names = REPLAY_FILTERS.map((name): [string, string] => [name, name === 'state' ? data.getAll(name).join(',') : text(name)])
  return {
    filter: picked(Object.fromEntries(names), REPLAY_FILTERS),
    payloadMatch: text('payload_match'),
    payload: text('payload'),
    rate: text('rate'),
    stopAtPercent: text('stop_at'),
    priority: text('priority'),
    force: data.has('force'),
  }
}

function planned(scene: Scene, plan: Plan, body: Fields): readonly Node[] {
  const list = (title: string, content: Child): HTMLElement => h('div', {}, h('h3', {}, title), content)
  const start = h(
    'button',
    { type: 'button', class: 'primary', onclick: () => void begin(scene, plan, body) },
    `Replay ${count(plan.toReplay)}…`,
  )
  return [
    h('h2', {}, 'What it would do'),
    h('p', { class: 'sentence' }, planSentence(plan)),
    h(
      'div',
      { class: 'columns' },
      plan.byPlugin.length > 0 && list('By plugin', countList(plan.byPlugin)),
      plan.byName.length > 0 && list('By name', countList(plan.byName)),
      plan.byError.length > 0 && list('By error', countList(plan.byError)),
      plan.leftOut.length > 0 && list('Left out', countList(plan.leftOut.map(([reason, value]) => [leftOutText(reason), value] as const))),
    ),
    plan.invalid.length > 0 &&
      list(
        'Payloads that do not fit',
        h(
          'ul',
          {},
          plan.invalid.map(({ id, what }) => h('li', {}, jobLink(id), ' ', what)),
        ),
      ),
    plan.unhandled.length > 0 &&
      list(
        'Nobody to run them',
        h(
          'ul',
          {},
          plan.unhandled.map((what) => h('li', {}, what)),
        ),
      ),
    plan.sample.length > 0 &&
      list(
        'The first of them',
        h(
          'ul',
          {},
          plan.sample.map(({ id, what }) => h('li', {}, jobLink(id), ' ', what)),
        ),
      ),
    plan.toReplay > 0 ? h('div', { class: 'buttons' }, start) : h('p', {}, 'There is nothing to start.'),
  ].filter((part) => part !== false)
}

function begin({ client, go, notify }: Scene, plan: Plan, body: Fields): Promise<boolean> {
  return ask({
    title: `Replay ${count(plan.toReplay)} jobs?`,
    text: 'What they did before may be done a second time. It can be paused and cancelled while it runs.',
    action: 'Start',
    dangerous: true,
    fields: [
      { name: 'name', label: 'Name', kind: 'text', hint: 'Two replays of one name cannot run at once.', maxLength: 200 },
      { name: 'reason', label: 'Reason', kind: 'text', hint: 'Kept in the log.', maxLength: 1000 },
    ],
    async submit(values) {
      const name = (values.get('name') ?? '').trim()
      const reason = (values.get('reason') ?? '').trim()
      if (name === '' || reason === '') throw new Error('Give it a name and a reason: others will ask.')
      const id = textOf(fieldsOf(await client.call('startReplay', { body: { ...body, name, reason } }))['replay_id'])
      notify('good', `Started the replay “${name}”.`)
      go({ view: 'replay', id })
    },
  })
}
