import { pluginsOf, processResultsOf, type Plugin, type ProcessResult } from '../../model/answers.ts'
import type { CallName } from '../../model/calls.ts'
import { plural } from '../../model/format.ts'
import { fieldsOf } from '../../model/read.ts'
import { Refused } from '../client.ts'
import { ask } from '../dialog.ts'
import { h, type Child } from '../dom.ts'
import { badge, link, problemBox, table } from '../parts.ts'
import type { Scene, View } from '../view.ts'

/** Plugins as this process of the api has them, and commands that every process obeys. */
export function pluginsView(scene: Scene): View {
  return {
    title: 'Plugins',
    live: true,
    async load(signal) {
      const plugins = pluginsOf(await scene.client.call('plugins', { signal }))
      return [
        h('h1', { tabindex: -1 }, 'Plugins'),
        h('p', { class: 'hint' }, 'States are those of the process that answers; commands act in all processes.'),
        table(
          'Plugins',
          [{ name: 'Plugin' }, { name: 'State' }, { name: 'Mode' }, { name: 'Offers' }, { name: 'Last error' }, { name: '' }],
          plugins.map((plugin) => ({
            key: plugin.name,
            ...(plugin.state !== 'ready' && { tone: 'warn' as const }),
            cells: [
              h(
                'span',
                {},
                link({ view: 'jobs', filter: { plugin: plugin.name } }, plugin.name),
                ' ',
                h('small', {}, plugin.version ?? ''),
                h('br'),
                h('small', {}, plugin.description ?? ''),
              ),
              [badge(plugin.state), plugin.paused && [' ', badge('paused')]],
              mode(plugin),
              h(
                'small',
                { title: [...plugin.actions, ...plugin.subscriptions].join('\n') },
                `${plural(plugin.actions.length, 'action')}, ${plural(plugin.subscriptions.length, 'subscription')}`,
              ),
              plugin.lastError === null
                ? ''
                : h('span', { class: 'wide' }, h('code', {}, plugin.lastError.code), ' ', plugin.lastError.message),
              h('div', { class: 'buttons' }, ...buttons(scene, plugin)),
            ],
          })),
          'No plugins. They are folders below plugins.dir, each with a plugin.yaml.',
        ),
      ]
    },
  }
}

function mode({ mode, sandbox }: Plugin): Child {
  if (sandbox === null) return mode ?? ''
  const told = [
    plural(sandbox.restarts, 'restart'),
    ...(sandbox.memoryMb === null ? [] : [`${Math.round(sandbox.memoryMb)} MB`]),
    ...(sandbox.lastEnd === null ? [] : [`last end: ${sandbox.lastEnd}`]),
  ]
  return [
    `sandboxed (${sandbox.ring}) `,
    badge(sandbox.circuitOpen ? 'suspended' : sandbox.state, sandbox.state === 'stopped' && !sandbox.circuitOpen ? 'quiet' : undefined),
    h('br'),
    h('small', {}, told.join(' · ')),
  ]
}

interface Command {
  readonly call: CallName
  readonly word: string
  readonly text: string
  readonly dangerous: boolean
}

const PAUSE: Command = {
  call: 'pausePlugin',
  word: 'Pause',
  text: 'Its jobs wait, over restarts too, until it is resumed. It still accepts jobs and serves routes.',
  dangerous: true,
}
const RESUME: Command = {
  call: 'resumePlugin',
  word: 'Resume',
  text: 'Its waiting jobs run again. A suspended sandbox may start again.',
  dangerous: false,
}
const RELOAD: Command = {
  call: 'reloadPlugin',
  word: 'Reload',
  text: 'Its files are read anew in every process. If that fails, the present version serves on.',
  dangerous: true,
}
const LOAD: Command = {
  call: 'loadPlugin',
  word: 'Load',
  text: 'It is loaded in every process, and again at each start.',
  dangerous: false,
}

function buttons(scene: Scene, plugin: Plugin): readonly HTMLElement[] {
  const suspended = plugin.sandbox?.circuitOpen === true
  const commands =
    plugin.state === 'ready' ? [plugin.paused || suspended ? RESUME : PAUSE, RELOAD] : [LOAD, ...(plugin.paused ? [RESUME] : [])]
  return commands.map((command) =>
    h('button', { type: 'button', 'data-key': command.call, onclick: () => void run(scene, plugin, command) }, `${command.word}…`),
  )
}

function run({ client, notify, refresh }: Scene, { name }: Plugin, { call, word, text, dangerous }: Command): Promise<boolean> {
  return ask({
    title: `${word} the plugin ${name}?`,
    text,
    action: word,
    dangerous,
    async submit() {
      try {
        const results = processResultsOf(await client.call(call, { params: { name } }))
        notify('good', [`${word} of ${name}: done in ${plural(results.length, 'process', 'processes')}.`, resultList(results)])
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        const results = processResultsOf(fieldsOf(error.body)['details'])
        if (results.length === 0) throw error
        // Some processes may have done it: an answer to be read, not a form to be mended.
        notify('bad', [problemBox(error.problem), resultList(results)])
      }
      refresh()
    },
  })
}

function resultList(results: readonly ProcessResult[]): HTMLElement {
  return h(
    'ul',
    {},
    results.map(({ process, role, state, version, error }) =>
      h(
        'li',
        {},
        `${process} (${role}) `,
        error === null ? [badge(state ?? 'ready'), ' ', version] : [badge(error.code, 'bad'), ' ', error.message],
      ),
    ),
  )
}
