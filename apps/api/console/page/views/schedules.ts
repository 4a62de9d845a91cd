import { schedulesOf, type Schedule } from '../../model/answers.ts'
import { ask } from '../dialog.ts'
import { h } from '../dom.ts'
import { badge, link, table, when } from '../parts.ts'
import type { Scene, View } from '../view.ts'

/** Schedules of all plugins. */
export function schedulesView(scene: Scene): View {
  return {
    title: 'Schedules',
    live: true,
    async load(signal) {
      const schedules = schedulesOf(await scene.client.call('schedules', { signal }))
      const nowMs = scene.client.now()
      return [
        h('h1', { tabindex: -1 }, 'Schedules'),
        table(
          'Schedules',
          [{ name: 'Schedule' }, { name: 'Plugin' }, { name: 'When' }, { name: 'Next' }, { name: 'Last' }, { name: 'State' }, { name: '' }],
          schedules.map((schedule) => ({
            key: `${schedule.plugin}/${schedule.id}`,
            cells: [
              link({ view: 'jobs', filter: { plugin: schedule.plugin, kind: 'schedule', name: schedule.id } }, schedule.id),
              schedule.plugin,
              schedule.description,
              schedule.paused ? '–' : when(schedule.nextRun, nowMs),
              when(schedule.lastRun, nowMs),
              badge(schedule.paused ? 'paused' : 'active'),
              button(scene, schedule),
            ],
          })),
          'No plugin has a schedule.',
        ),
      ]
    },
  }
}

function button({ client, notify, refresh }: Scene, { plugin, id, paused }: Schedule): HTMLElement {
  const word = paused ? 'Resume' : 'Pause'
  const change = (): void => {
    void ask({
      title: `${word} the schedule ${id} of ${plugin}?`,
      text: paused ? 'It fires again; what it missed is treated as its definition says.' : 'It does not fire until it is resumed.',
      action: word,
      dangerous: !paused,
      async submit() {
        await client.call(paused ? 'resumeSchedule' : 'pauseSchedule', { params: { plugin, id } })
        notify('good', `${word}: done for ${plugin}/${id}.`)
        refresh()
      },
    })
  }
  return h('button', { type: 'button', onclick: change }, `${word}…`)
}
