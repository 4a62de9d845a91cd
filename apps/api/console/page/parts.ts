import { hashOf, type Route } from '../model/address.ts'
import type { Fault } from '../model/answers.ts'
import { clock, count, pretty, relative, shortId } from '../model/format.ts'
import type { Problem } from '../model/problem.ts'
import { toneOf, type Tone } from '../model/tone.ts'
import { h, type Child } from './dom.ts'

/** What views are made of. */

export function link(route: Route, text: Child, title?: string): HTMLAnchorElement {
  return h('a', { href: addressOf(route), title }, text)
}

function addressOf(route: Route): `#${string}` {
  return `#${hashOf(route).slice(1)}`
}

export function badge(text: string, tone: Tone = toneOf(text)): HTMLElement {
  return h('span', { class: `badge ${tone}` }, text)
}

export function jobLink(id: string): HTMLElement {
  return h('code', {}, link({ view: 'job', id }, shortId(id), id))
}

/** How long ago, or in how long; goes on by itself. */
export function when(time: string | null, nowMs: number): Child {
  if (time === null || time === '') return '–'
  return h('time', { datetime: time, title: `${clock(time, nowMs)} (${time})`, 'data-live': true }, relative(time, nowMs))
}

export function tickTimes(within: Element, nowMs: number): void {
  for (const element of within.querySelectorAll('time[data-live]')) {
    const text = relative(element.getAttribute('datetime') ?? '', nowMs)
    if (element.textContent !== text) element.textContent = text
  }
}

export interface Column {
  readonly name: string
  /** Numbers stand to the right. */
  readonly numeric?: boolean
}

export interface Row {
  readonly key: string
  readonly cells: readonly Child[]
  readonly tone?: Tone
}

/** A table that becomes a list of cards on narrow screens. */
export function table(caption: string, columns: readonly Column[], rows: readonly Row[], empty: string): HTMLElement {
  if (rows.length === 0) return h('p', { class: 'empty' }, empty)
  return h(
    'table',
    {},
    h('caption', { class: 'unseen' }, caption),
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        columns.map(({ name, numeric }) => h('th', { scope: 'col', class: numeric === true ? 'number' : undefined }, name)),
      ),
    ),
    h(
      'tbody',
      {},
      rows.map(({ key, cells, tone }) =>
        h(
          'tr',
          { 'data-key': key, class: tone },
          cells.map((cell, index) => {
            const column = columns[index]
            const blank = cell === '' || cell === null || cell === undefined || cell === false
            return h(
              'td',
              { 'data-label': column?.name ?? '', class: column?.numeric === true ? 'number' : undefined },
              !blank && h('div', {}, cell),
            )
          }),
        ),
      ),
    ),
  )
}

/** Names and values; those without a value are left out. */
export function facts(entries: readonly (readonly [string, Child])[]): HTMLElement {
  return h(
    'dl',
    { class: 'facts' },
    entries
      .filter(([, value]) => value !== null && value !== '' && value !== undefined)
      .map(([name, value]) => h('div', { 'data-key': name }, h('dt', {}, name), h('dd', {}, value))),
  )
}

/** JSON under a heading that can be closed. */
export function jsonBlock(title: string, value: unknown, open = true): HTMLElement | null {
  if (value === null || value === undefined) return null
  return h('details', { 'data-key': title, open }, h('summary', {}, title), h('pre', { tabindex: 0, 'aria-label': title }, pretty(value)))
}

export function faultBox(fault: Fault): HTMLElement {
  return h('div', { class: 'problem' }, h('p', {}, badge(fault.code, 'bad'), ' ', fault.message), jsonBlock('Details', fault.details))
}

export function problemBox(problem: Problem): HTMLElement {
  return h(
    'div',
    { class: 'problem' },
    h('p', {}, problem.code !== '' && [badge(problem.code, 'bad'), ' '], problem.message),
    problem.notes.length > 0 &&
      h(
        'ul',
        {},
        problem.notes.map((note) => h('li', {}, note)),
      ),
  )
}

/** A number that matters, with what it counts. */
export function tile(name: string, value: Child, tone: Tone, note?: Child): HTMLElement {
  return h(
    'div',
    { class: `tile ${tone}`, 'data-key': name },
    h('span', { class: 'name' }, name),
    h('strong', {}, value),
    h('small', {}, note ?? ''),
  )
}

/** `timeout 120 · handler_error 7`, each leading somewhere. */
export function countList(entries: readonly (readonly [string, number])[], routeOf?: (name: string) => Route): HTMLElement {
  return h(
    'ul',
    { class: 'counts' },
    entries.map(([name, value]) =>
      h('li', { 'data-key': name }, routeOf === undefined ? name : link(routeOf(name), name), ' ', h('b', {}, count(value))),
    ),
  )
}
