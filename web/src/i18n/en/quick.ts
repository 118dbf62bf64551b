import type { quick as words } from '../zh/quick'

export const quick: typeof words = {
  quick: {
    title: 'Quick search',
    hint: 'Find consultations, groups, people, organisations, cameras',
    kind: { consultation: 'Consultations', group: 'Groups', entry: 'Address book', camera: 'Cameras' },
    act: { join: 'Join', talk: 'Talk in it', call: 'Call', open: 'Open' },
    leaves: 'This leaves the consultation you are in: Enter once more',
    keys: '↑ ↓ choose, Enter does it, Shift Enter only opens, Esc closes',
  },
}
