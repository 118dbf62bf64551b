/** Where in a Chinese text a search in pinyin or initials hit: the hub finds, this only shows what it found. */

const collator = new Intl.Collator('zh-u-co-pinyin')
/** The first character of each initial in the order of pinyin; between two of them all begin alike. */
const bounds = [...'阿八嚓哒妸发旮哈讥咔垃妈拿噢妑七呥扨它穵夕丫帀']
const initials = 'abcdefghjklmnopqrstwxyz'
/** Characters of place names that are read in two ways; the order knows one. */
const others: Record<string, string> = {
  长: 'c',
  重: 'c',
  厦: 's',
  乐: 'y',
  行: 'h',
  朝: 'z',
  曾: 'c',
  会: 'k',
  调: 't',
  车: 'j',
  藏: 'z',
  降: 'x',
  石: 'd',
  莘: 's',
  盛: 'c',
  弹: 'd',
}
const han = /[\u3400-\u9fff]/
const known = new Map<string, string>()

/** The letters with which this character may begin when it is spelt. */
export function initialsOf(char: string): string {
  const had = known.get(char)
  if (had !== undefined) return had
  let letters = char.toLowerCase()
  if (han.test(char)) {
    letters = others[char] ?? ''
    for (let i = bounds.length - 1; i >= 0; i -= 1) {
      if (collator.compare(char, bounds[i] ?? '') < 0) continue
      letters = `${initials[i]}${letters}`
      break
    }
  }
  known.set(char, letters)
  return letters
}

const syllable =
  /^(?:[bpmfdtnlgkhjqxrzcsyw]|[zcs]h)?(?:i?ang|i?ong|eng|ing|i?an|[ue]n|in|un|uang|uan|i?ao|i?ou|[aeu]i|ui|ia|ie|iu|uo|ua|ue|er|[aeiouv])/

/** A spelling as syllables: `linjiang` → lin, jiang. Undefined when it is none, or longer than anybody types. */
export function syllables(spelt: string): string[] | undefined {
  if (spelt === '') return []
  // `xian` may be one or two: what is long could be read in thousands of ways.
  if (spelt.length > 40) return undefined
  // The longest syllable first; a shorter one when the rest cannot be read.
  const longest = syllable.exec(spelt)?.[0].length ?? 0
  for (let length = Math.min(6, Math.max(longest, 1)); length >= 1; length -= 1) {
    const head = spelt.slice(0, length)
    if (syllable.exec(head)?.[0] !== head) continue
    const rest = syllables(spelt.slice(length))
    if (rest) return [head, ...rest]
  }
  return undefined
}

export interface Hit {
  from: number
  to: number
}

/** Every place of `text` that one of the words of `q` means, in order, without overlaps. */
export function hits(text: string, q: string): Hit[] {
  const low = text.toLowerCase()
  const found: Hit[] = []
  for (const word of q.trim().toLowerCase().split(/\s+/)) {
    if (!word) continue
    const plain = occurrences(low, word)
    if (plain.length) found.push(...plain)
    else if (/^[a-z0-9]+$/.test(word)) found.push(...spelt(text, word))
  }
  found.sort((a, b) => a.from - b.from || b.to - a.to)
  return found.filter((hit, i) => !found.slice(0, i).some(before => before.to > hit.from))
}

function occurrences(low: string, word: string): Hit[] {
  const found: Hit[] = []
  for (let at = low.indexOf(word); at >= 0; at = low.indexOf(word, at + word.length))
    found.push({ from: at, to: at + word.length })
  return found
}

function spelt(text: string, word: string): Hit[] {
  const full = syllables(word)?.map(one => one[0] ?? '')
  for (const letters of [[...word], full]) {
    if (!letters) continue
    for (let from = 0; from + letters.length <= text.length; from += 1) {
      if (letters.every((letter, i) => initialsOf(text[from + i] ?? '').includes(letter)))
        return [{ from, to: from + letters.length }]
    }
  }
  return []
}
