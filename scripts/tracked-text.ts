export interface Finding {
  readonly file: string
  readonly line: number
  readonly what: string
}

// Written with character classes so that this file does not find itself.
const PATTERNS: readonly { readonly what: string; readonly pattern: RegExp }[] = [
  { what: 'path of one machine', pattern: /(?<![\w.-])\/(wor[k]|hom[e]\/\w+|User[s]\/\w+|roo[t])\/\w/ },
  { what: 'path of one machine', pattern: /\b[A-Z]:\\User[s]\\/ },
  { what: 'path outside the repository', pattern: /\.\.\/share[d]\b/ },
  { what: 'host of a package registry', pattern: /\bhttps?:\/\/[^/\s"']*(?:registr[y]|artifactor[y]|verdacci[o]|nexu[s])[^/\s"']*/ },
  { what: 'private key', pattern: /-----BEGI[N] [A-Z ]*PRIVATE KEY-----/ },
  {
    what: 'access token',
    pattern: /\b(gh[pousr]_[A-Za-z0-9]{36}|github_pa[t]_\w{22,}|xox[bap]-[\w-]{10,}|AKI[A][A-Z0-9]{16}|np[m]_[A-Za-z0-9]{36})\b/,
  },
  { what: 'credentials of a registry', pattern: /_auth(Token)?\s*[=]/ },
]

/** What must not be in a tracked file: paths of a machine, registry hosts, secrets. */
export function findings(file: string, text: string): Finding[] {
  return text
    .split('\n')
    .flatMap((content, index) =>
      PATTERNS.filter(({ pattern }) => pattern.test(content)).map(({ what }) => ({ file, line: index + 1, what })),
    )
}
