import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { en } from './en'
import { zh } from './zh'

type Tree = { [key: string]: string | Tree }

function leaves(tree: Tree, prefix = ''): Map<string, string> {
  const all = new Map<string, string>()
  for (const [key, value] of Object.entries(tree)) {
    if (typeof value === 'string') all.set(prefix + key, value)
    else for (const [inner, text] of leaves(value, `${prefix}${key}.`)) all.set(inner, text)
  }
  return all
}

const chinese = leaves(zh)
const english = leaves(en)
const holes = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map(match => match[1] ?? '').sort()

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'i18n' ? [] : sources(path)
    return /\.tsx?$/.test(entry.name) && !entry.name.endsWith('.test.ts') ? [readFileSync(path, 'utf8')] : []
  })
}

describe('words', () => {
  it('are the same in both languages', () => {
    expect([...english.keys()]).toEqual([...chinese.keys()])
  })

  it('have the same holes to fill', () => {
    for (const [key, text] of chinese) expect([key, holes(english.get(key) ?? '')]).toEqual([key, holes(text)])
  })

  it('are never empty, and English has no Chinese in it', () => {
    for (const [key, text] of chinese) expect(text.trim(), key).not.toBe('')
    for (const [key, text] of english)
      if (key !== 'app.chinese') expect(/[\u3000-\u9fff\uff00-\uffef]/.test(text), key).toBe(false)
  })

  it('keep to the house style: no 您, no 确定, full-width punctuation', () => {
    for (const [key, text] of chinese) {
      expect(/您|确定/.test(text), key).toBe(false)
      expect(/[\u4e00-\u9fff][,;:?!]/.test(text), key).toBe(false)
    }
  })

  it('have a space between Chinese and Latin letters or digits', () => {
    for (const [key, text] of chinese) {
      const plain = text.replace(/\{\{\w+\}\}/g, '1')
      expect(/[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]/.test(plain), `${key}: ${text}`).toBe(false)
    }
  })

  it('are all used, by whole key or by the group they belong to', () => {
    const code = sources(join(import.meta.dirname, '..')).join('\n')
    // Once through all of it, and not once for each of a thousand keys.
    const whole = new Set([...code.matchAll(/'([\w.]+)'/g)].map(match => match[1]))
    const groups = new Set([...code.matchAll(/`([\w.]+\.)\$\{/g)].map(match => match[1]))
    const unused = [...chinese.keys()].filter(key => {
      const group = key.slice(0, key.lastIndexOf('.') + 1)
      return !whole.has(key) && !groups.has(group)
    })
    expect(unused).toEqual([])
  })
})
