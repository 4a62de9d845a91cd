interface Waiting {
  readonly alone: boolean
  readonly admit: () => void
}

/** Lets many in together, or one alone. Those who wait are let in in the order they came. */
export class Gate {
  #inside = 0
  #aloneInside = false
  readonly #waiting: Waiting[] = []

  /** Resolves with the function to leave by, or with undefined when it took longer than `patienceMs`. */
  enter(alone: boolean, patienceMs: number): Promise<(() => void) | undefined> {
    return new Promise((resolve) => {
      const admit = () => {
        clearTimeout(timer)
        this.#inside += 1
        this.#aloneInside = alone
        resolve(once(() => this.#leave()))
      }
      const waiting: Waiting = { alone, admit }
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        resolve(undefined)
        this.#admitNext()
      }, patienceMs)
      if (this.#waiting.length === 0 && this.#mayEnter(alone)) admit()
      else this.#waiting.push(waiting)
    })
  }

  #mayEnter(alone: boolean): boolean {
    return !this.#aloneInside && (!alone || this.#inside === 0)
  }

  #leave(): void {
    this.#inside -= 1
    if (this.#inside === 0) this.#aloneInside = false
    this.#admitNext()
  }

  #admitNext(): void {
    for (let next = this.#waiting[0]; next !== undefined && this.#mayEnter(next.alone); next = this.#waiting[0]) {
      this.#waiting.shift()
      next.admit()
    }
  }
}

function once(work: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    work()
  }
}
