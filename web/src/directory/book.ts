import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useMemo } from 'react'
import { useStore } from 'zustand'
import { createStore } from 'zustand/vanilla'
import { hub, useHub } from '../app/hub'
import type { Call } from '../calls/calls.model'
import { HubError } from '../hub/http'
import type { Page } from '../hub/types'
import { api } from './api'
import {
  administers,
  branchOf,
  type Contact,
  condensed,
  type Entry,
  noTree,
  type OrgTree,
  ofBranch,
  ofPerson,
  ofSeat,
  pathOf,
  personOf,
  recentOf,
  toggled,
  top,
  withBelow,
  withoutClosed,
  withSpeed,
} from './directory.model'

/** The tree stays as it was opened while one is on other pages. */
const tree = createStore<OrgTree>(() => noTree)

export function useTree(): OrgTree {
  return useStore(tree)
}

export async function loadBelow(of: string, more = false): Promise<void> {
  const before = tree.getState().below[of]
  const known = more && before?.state === 'ready' ? before : undefined
  if (!before) tree.setState(state => withBelow(state, of, { state: 'loading' }))
  try {
    const page = await api.branches(of || undefined, known?.next ?? undefined)
    const items = [...(known?.items ?? []), ...page.items]
    tree.setState(state => withBelow(state, of, { state: 'ready', items, next: page.next }))
    // The city alone says little: what is right below it is open from the start.
    const first = of === top && !before && items.length <= 3 ? items.filter(one => one.organisations > 0) : []
    for (const one of first) if (!tree.getState().open.has(one.id)) toggleBranch(one.id)
  } catch (error) {
    tree.setState(state => withBelow(state, of, { state: 'failed', error }))
  }
}

export function toggleBranch(org: string): void {
  tree.setState(state => toggled(state, org))
  if (tree.getState().open.has(org) && !tree.getState().below[org]) void loadBelow(org)
}

export function loadedBranch(org: string) {
  return branchOf(tree.getState(), org)
}

function reloadTree(): void {
  tree.setState(withoutClosed)
  for (const of of Object.keys(tree.getState().below)) void loadBelow(of)
}

/** Loads the top, and everything anew when the directory changes: once for many changes of an import. */
export function useLiveBook(): void {
  const queries = useQueryClient()
  const resyncs = useHub(state => state.resyncs)
  useEffect(() => {
    void resyncs
    if (tree.getState().below[top]) reloadTree()
    else void loadBelow(top)
  }, [resyncs])
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const end = hub.onEvents(event => {
      if ((event.type !== 'directory.changed' && event.type !== 'seat.state') || timer) return
      timer = setTimeout(() => {
        timer = undefined
        void queries.invalidateQueries({ queryKey: ['directory'] })
        reloadTree()
      }, 400)
    })
    return () => {
      end()
      clearTimeout(timer)
    }
  }, [queries])
}

/** What the list shows. */
export type Shelf = { at: 'org'; id: string; name: string } | { at: 'favourites' } | { at: 'recent' }

export interface Listed {
  entries: Entry[]
  loading: boolean
  error: unknown
  /** There is more; asked for when the end comes into sight. */
  more: (() => void) | undefined
  /** Of a search: there are others, ask with more letters. */
  cut: boolean
}

/** What a role does not reach is not there: seats are for who looks after the organisation. */
async function seatsOf(org: string) {
  try {
    return (await api.seats(org)).items
  } catch (error) {
    if (error instanceof HubError && (error.status === 403 || error.status === 404)) return []
    throw error
  }
}

export function useListed(shelf: Shelf, q: string): Listed {
  const resyncs = useHub(state => state.resyncs)
  const searching = q !== ''
  const org = shelf.at === 'org' && !searching ? shelf.id : ''
  const found = useQuery({
    queryKey: ['directory', 'search', q, resyncs],
    queryFn: () => api.search(q),
    enabled: searching,
    placeholderData: before => before,
  })
  const seats = useQuery({
    queryKey: ['directory', 'seats', org, resyncs],
    queryFn: () => seatsOf(org),
    enabled: org !== '',
  })
  const people = useInfiniteQuery({
    queryKey: ['directory', 'people', org, resyncs],
    queryFn: ({ pageParam }) => api.people(org, pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: page => page.next ?? undefined,
    enabled: org !== '',
    // Thousands of people that were loaded before are not compared with themselves for each page that comes.
    structuralSharing: false,
  })
  const kept = useContacts()
  const results = useMemo(
    () => withSpeed<Entry>(condensed(found.data?.items ?? []), kept.items, q),
    [found.data, kept.items, q],
  )
  const recent = useRecent(shelf.at === 'recent' && !searching)
  const branch = org ? loadedBranch(org) : undefined
  const ofOrg = useMemo(() => {
    const about = { id: org, name: branch?.name ?? '' }
    const persons = people.data?.pages.flatMap(page => page.items) ?? []
    return [...(seats.data ?? []).map(seat => ofSeat(seat, about)), ...persons.map(ofPerson)]
  }, [seats.data, people.data, org, branch?.name])
  const none = { more: undefined, cut: false }
  if (searching)
    return {
      ...none,
      entries: results,
      loading: found.isPending,
      error: found.error,
      cut: found.data?.more ?? false,
    }
  if (shelf.at === 'favourites') return { ...none, entries: kept.items, loading: kept.loading, error: kept.error }
  if (shelf.at === 'recent') return { ...none, ...recent }
  const more = people.hasNextPage && !people.isFetchingNextPage ? () => void people.fetchNextPage() : undefined
  return { entries: ofOrg, loading: people.isPending, error: people.error ?? seats.error, more, cut: false }
}

const noContacts: Contact[] = []

export function useContacts() {
  const query = useQuery({ queryKey: ['directory', 'contacts'], queryFn: api.contacts, staleTime: 60_000 })
  return { items: query.data?.items ?? noContacts, loading: query.isPending, error: query.error }
}

function useRecent(on: boolean) {
  const may = hub.can('call.list')
  const me = useHub(state => state.session?.person.id ?? '')
  const query = useQuery({
    queryKey: ['calls', 'recent'],
    queryFn: () => hub.http.request<Page<Call>>('GET', '/calls', { query: { mine: 'true', limit: '100' } }),
    enabled: on && may,
  })
  const entries = useMemo(() => recentOf(query.data?.items ?? [], me), [query.data, me])
  return { entries, loading: query.isPending && may, error: query.error }
}

/** Keeps presence of what is on the screen: an organisation as a whole, of lists the people in them. */
export function useShownPresence(shelf: Shelf, q: string, entries: readonly Entry[]) {
  const org = shelf.at === 'org' && q === '' ? shelf.id : ''
  const people = entries.flatMap(entry => (org && entry.kind === 'person' ? [] : (personOf(entry) ?? [])))
  const key = [...new Set(people)].slice(0, 150).join()
  useEffect(() => hub.terminal.watch({ orgs: org ? [org] : [], people: key ? key.split(',') : [] }), [org, key])
  return useHub(state => state.presence)
}

export function orgEntry(org: string): Entry | undefined {
  const branch = loadedBranch(org)
  return branch && ofBranch(branch)
}

/** Whether the person edits entries of this organisation. */
export function useAdministers(org: string): boolean {
  const state = useTree()
  const roles = useHub(now => now.session?.roles)
  return hub.can('directory.edit') && administers(roles ?? [], pathOf(state, org))
}
