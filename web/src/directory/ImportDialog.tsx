import { useQueryClient } from '@tanstack/react-query'
import { FileUp } from 'lucide-react'
import { useState } from 'react'
import { sentence } from '../app/command'
import { HubError, type Mistake } from '../hub/http'
import { language, useT } from '../i18n'
import { ProblemLine } from '../ui/controls'
import { ActDialog, say } from '../ui/overlay'
import { api, type Imported } from './api'
import { linesOf } from './directory.model'

type Outcome =
  | { at: 'reading' }
  | { at: 'fits'; found: Imported }
  | { at: 'wrong'; text: string; errors: readonly Mistake[] }

interface Chosen {
  name: string
  file: { type: string; data: ArrayBuffer }
}

const shown = 200

/** A file is tried first and changes nothing; then it is taken in as a whole, or every wrong row is named. */
export function ImportDialog({ onClose }: { onClose(): void }) {
  const t = useT()
  const queries = useQueryClient()
  const [chosen, setChosen] = useState<Chosen>()
  const [outcome, setOutcome] = useState<Outcome>()
  const [taking, setTaking] = useState(false)
  const ask = async (file: Chosen['file'], dryRun: boolean): Promise<Imported | undefined> => {
    try {
      return await api.take(file, dryRun)
    } catch (error) {
      setOutcome({ at: 'wrong', text: sentence(error), errors: error instanceof HubError ? error.errors : [] })
      return undefined
    }
  }
  const choose = async (file: File | undefined) => {
    if (!file) return
    setOutcome({ at: 'reading' })
    const type = /\.json$/i.test(file.name) ? 'application/json' : 'text/csv'
    const next = { name: file.name, file: { type, data: await file.arrayBuffer() } }
    setChosen(next)
    const found = await ask(next.file, true)
    if (found) setOutcome({ at: 'fits', found })
  }
  const take = async () => {
    if (!chosen) return
    setTaking(true)
    const found = await ask(chosen.file, false)
    setTaking(false)
    if (!found) return
    void queries.invalidateQueries({ queryKey: ['directory'] })
    say(t('directory.imported', counted(found)))
    onClose()
  }
  const fits = outcome?.at === 'fits' ? outcome.found : undefined
  const nothing = fits && counted(fits).created + counted(fits).changed === 0
  return (
    <ActDialog
      className="wide"
      title={t('directory.import')}
      act={t('directory.importAct')}
      pending={(taking || outcome?.at === 'reading') && t('directory.reading')}
      refused={!fits ? t('directory.importFirst') : nothing && t('directory.importNothing')}
      onAct={() => void take()}
      onClose={onClose}
      data-act="import-submit"
    >
      <label className="book-file">
        <FileUp size={20} />
        <span className="grow cut">{chosen?.name ?? t('directory.chooseFile')}</span>
        <input
          type="file"
          accept=".csv,.json,text/csv,application/json"
          className="sr"
          onChange={event => void choose(event.target.files?.[0])}
          data-testid="import-file"
        />
      </label>
      {fits && (
        <p role="status" data-testid="import-fits">
          {t('directory.importFits', { ...counted(fits), unchanged: fits.unchanged })}
        </p>
      )}
      {outcome?.at === 'wrong' && <Wrong text={outcome.text} errors={outcome.errors} />}
    </ActDialog>
  )
}

function counted(found: Imported): { created: number; changed: number } {
  const all = Object.values(found.entries)
  return {
    created: all.reduce((sum, one) => sum + one.created, 0),
    changed: all.reduce((sum, one) => sum + one.changed, 0),
  }
}

function Wrong({ text, errors }: { text: string; errors: readonly Mistake[] }) {
  const t = useT()
  const lines = linesOf(errors)
  return (
    <>
      <ProblemLine text={text} />
      <div className="book-wrong" data-testid="import-wrong">
        <table>
          <thead>
            <tr>
              <th>{t('directory.line')}</th>
              <th>{t('directory.column')}</th>
              <th>{t('directory.why')}</th>
            </tr>
          </thead>
          <tbody>
            {lines.slice(0, shown).flatMap(([line, mistakes]) =>
              mistakes.map(one => (
                <tr key={`${line} ${one.field} ${one.text}`}>
                  <td>{line || ''}</td>
                  <td>{one.field}</td>
                  <td>{(language() === 'zh' && one.text_zh) || one.text}</td>
                </tr>
              )),
            )}
          </tbody>
        </table>
      </div>
      {lines.length > shown && <p className="note">{t('directory.moreWrong', { count: lines.length - shown })}</p>}
    </>
  )
}
