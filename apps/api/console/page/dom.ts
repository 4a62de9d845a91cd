/**
 * Elements without a framework. Data becomes text nodes and attributes of the names below, never markup; the page's
 * `require-trusted-types-for` holds that in the browser too.
 */
export type Child = Node | string | number | null | undefined | false | readonly Child[]

interface Attributes {
  readonly class?: string | undefined
  readonly id?: string
  readonly title?: string | undefined
  /** Only what `hashOf` made. */
  readonly href?: `#${string}`
  readonly type?: 'button' | 'submit' | 'text' | 'password' | 'checkbox' | 'number'
  readonly name?: string
  readonly value?: string | number
  readonly max?: number
  readonly placeholder?: string | undefined
  readonly for?: string
  readonly list?: string
  readonly role?: string
  readonly scope?: 'col' | 'row'
  readonly datetime?: string
  readonly rows?: number
  readonly maxlength?: number
  readonly tabindex?: number
  readonly autocomplete?: 'off'
  readonly spellcheck?: 'false'
  readonly inputmode?: 'decimal' | 'numeric'
  readonly open?: boolean
  readonly checked?: boolean
  readonly selected?: boolean
  readonly disabled?: boolean
  readonly required?: boolean
  readonly 'aria-label'?: string
  readonly 'aria-current'?: 'page' | undefined
  readonly 'aria-describedby'?: string
  readonly 'aria-labelledby'?: string
  /** Which element it is among its siblings, over refreshes. */
  readonly 'data-key'?: string
  /** The name of the column, shown beside the cell on narrow screens. */
  readonly 'data-label'?: string
  /** The text is an age that goes on. */
  readonly 'data-live'?: boolean
}

/** A handler may be moved to the element that stays when a view is shown again: it asks the event for elements. */
interface Handlers {
  readonly onclick?: (event: MouseEvent) => void
  readonly onsubmit?: (event: SubmitEvent) => void
  readonly oninput?: (event: Event) => void
}

export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  props: Attributes & Handlers = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  const { onclick, onsubmit, oninput, ...attributes } = props
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, '')
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value))
  }
  element.onclick = onclick ?? null
  element.onsubmit = onsubmit ?? null
  element.oninput = oninput ?? null
  append(element, children)
  return element
}

function append(element: HTMLElement, children: readonly Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue
    if (child instanceof Node) element.append(child)
    else if (typeof child === 'object') append(element, child)
    else element.append(String(child))
  }
}

/**
 * Makes the children of `parent` like `next` and keeps every element that stays: focus, selection, scroll position, opened
 * details and what somebody typed survive a refresh. Siblings with a `data-key` are found by it, others by their place.
 */
export function morph(parent: Element, next: readonly Node[]): void {
  const old = [...parent.childNodes]
  const keyed = new Map(old.flatMap((node) => (keyOf(node) === null ? [] : [[keyOf(node), node] as const])))
  const unkeyed = old.filter((node) => keyOf(node) === null)
  let place = 0
  const kept = next.map((node) => {
    const key = keyOf(node)
    const match = key === null ? unkeyed[place++] : keyed.get(key)
    // Of two with one key the second is new.
    keyed.delete(key)
    return match === undefined ? node : patched(match, node)
  })
  const staying = new Set<Node>(kept)
  for (const node of old) if (!staying.has(node)) node.remove()
  kept.forEach((node, index) => {
    const there = parent.childNodes[index] ?? null
    if (there !== node) parent.insertBefore(node, there)
  })
}

function keyOf(node: Node): string | null {
  return node instanceof HTMLElement ? node.getAttribute('data-key') : null
}

/** The old node brought up to date, or the new one when they are of different kinds. */
function patched(old: Node, next: Node): Node {
  if (old instanceof Text && next instanceof Text) {
    if (old.data !== next.data) old.data = next.data
    return old
  }
  if (!(old instanceof HTMLElement && next instanceof HTMLElement) || old.tagName !== next.tagName) return next
  copyAttributes(old, next)
  old.onclick = next.onclick
  old.onsubmit = next.onsubmit
  old.oninput = next.oninput
  morph(old, [...next.childNodes])
  return old
}

function copyAttributes(old: HTMLElement, next: HTMLElement): void {
  // Whether details are open is the reader's.
  const own = (name: string): boolean => name === 'open' && old.tagName === 'DETAILS'
  for (const name of old.getAttributeNames()) if (!next.hasAttribute(name) && !own(name)) old.removeAttribute(name)
  for (const name of next.getAttributeNames()) {
    const value = next.getAttribute(name) ?? ''
    if (!own(name) && old.getAttribute(name) !== value) old.setAttribute(name, value)
  }
}

/** The element of index.html with this id. */
export function byId(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`index.html has no element with the id ${id}`)
  return found
}
