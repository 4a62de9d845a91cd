import { routeOf, hashOf, type Route } from '../model/address.ts'
import type { Tone } from '../model/tone.ts'
import { createClient } from './client.ts'
import { ask } from './dialog.ts'
import { byId, h, type Child } from './dom.ts'
import { createKeyStore } from './key.ts'
import { createScreen } from './screen.ts'
import type { Scene, View } from './view.ts'
import { jobView } from './views/job.ts'
import { jobsView } from './views/jobs.ts'
import { newReplayView } from './views/new-replay.ts'
import { nowhereView } from './views/nowhere.ts'
import { overviewView } from './views/overview.ts'
import { pluginsView } from './views/plugins.ts'
import { replayView, replaysView } from './views/replays.ts'
import { schedulesView } from './views/schedules.ts'

const NOTICE_MS = 15_000
const MOST_NOTICES = 3

const content = byId('content')
const keys = createKeyStore((present) => (byId('forget').hidden = !present))
/** True: a key was asked for and none given, so the loop does not ask again. */
let declined = false
const client = createClient(keys, async (refused) => {
  if (declined) return null
  let given: string | null = null
  await ask({
    title: 'A key, please',
    text: [refused.message, ' ', 'It is kept in this tab only. The scope read shows everything, operate is for the buttons.'].join(''),
    action: 'Use this key',
    fields: [{ name: 'key', label: 'Key', kind: 'secret' }],
    async submit(values) {
      const key = (values.get('key') ?? '').trim()
      if (!/^[\x21-\x7e]+$/.test(key)) throw new Error('A key has letters, digits and signs, without spaces.')
      given = key
    },
  })
  declined = given === null
  return given
})

const screen = createScreen(content, client.now)

const scene: Scene = {
  client,
  go: (route) => {
    const hash = hashOf(route)
    if (location.hash === hash) open()
    else location.hash = hash
  },
  refresh: screen.refresh,
  notify,
}

function viewOf(route: Route): View {
  switch (route.view) {
    case 'overview':
      return overviewView(scene)
    case 'jobs':
      return jobsView(scene, route.filter)
    case 'job':
      return jobView(scene, route.id)
    case 'replays':
      return replaysView(scene)
    case 'replay':
      return replayView(scene, route.id)
    case 'new-replay':
      return newReplayView(scene, route.filter)
    case 'plugins':
      return pluginsView(scene)
    case 'schedules':
      return schedulesView(scene)
    case 'nowhere':
      return nowhereView(route.hash)
  }
}

/** Shows what the address says. */
function open(): void {
  const view = viewOf(routeOf(location.hash))
  document.title = `${view.title} · XCore`
  for (const anchor of byId('views').querySelectorAll('a')) {
    const at = anchor.getAttribute('href') ?? ''
    const current = at === '#/' ? /^(#\/?)?$/.test(location.hash) : location.hash.startsWith(at)
    if (current) anchor.setAttribute('aria-current', 'page')
    else anchor.removeAttribute('aria-current')
  }
  screen.show(view)
}

/** Good news goes by itself, bad news stays until it is closed. */
function notify(tone: Tone, text: Child): void {
  const close = h('button', { type: 'button', 'aria-label': 'Close', onclick: () => notice.remove() }, '×')
  const notice = h('div', { class: `notice ${tone}` }, h('div', {}, text), close)
  const notices = byId('notices')
  notices.append(notice)
  if (notices.childElementCount > MOST_NOTICES) notices.firstElementChild?.remove()
  if (tone === 'good') setTimeout(() => notice.remove(), NOTICE_MS)
}

byId('auto').onclick = () => byId('auto').setAttribute('aria-pressed', String(!screen.hold()))
byId('reload').onclick = screen.refresh
byId('forget').onclick = () => {
  keys.set(null)
  declined = false
  open()
}
byId('skip').onclick = (event) => {
  event.preventDefault()
  content.focus()
}
byId('enter-key').onclick = () => {
  declined = false
  open()
}
window.addEventListener('hashchange', () => {
  // A question about what is no longer shown.
  for (const dialog of document.querySelectorAll('dialog')) dialog.close()
  open()
})
open()
