import type { Filter } from '../../model/filters.ts'
import { h } from '../dom.ts'

/** A member of a filter. */
export function textField(filter: Filter, name: string, label: string, placeholder?: string): HTMLElement {
  const id = `field-${name}`
  return h(
    'div',
    { class: 'field' },
    h('label', { for: id }, label),
    h('input', { id, type: 'text', name, value: filter[name] ?? '', placeholder, autocomplete: 'off', spellcheck: 'false' }),
  )
}

export function choice(name: string, label: string, options: readonly string[], chosen: string | undefined): HTMLElement {
  const id = `field-${name}`
  return h(
    'div',
    { class: 'field' },
    h('label', { for: id }, label),
    h(
      'select',
      { id, name },
      h('option', { value: '' }, 'any'),
      options.map((option) => h('option', { value: option, selected: option === chosen }, option)),
    ),
  )
}
