/** The key is kept for this tab only, and gone with it; a browser that forbids storage keeps it until the page is left. */
const NAME = 'xcore.console.key'

export interface KeyStore {
  get(): string | null
  set(key: string | null): void
}

export function createKeyStore(changed: (present: boolean) => void): KeyStore {
  let key = stored()
  changed(key !== null)
  return {
    get: () => key,
    set(next) {
      key = next
      try {
        if (next === null) sessionStorage.removeItem(NAME)
        else sessionStorage.setItem(NAME, next)
      } catch {
        // The variable has it.
      }
      changed(next !== null)
    },
  }
}

function stored(): string | null {
  try {
    return sessionStorage.getItem(NAME)
  } catch {
    return null
  }
}
