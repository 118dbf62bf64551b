import RecordingList from './RecordingList'
import Review from './Review'

/** The list of recordings, or the one in the address. */
export default function Recordings({ id }: { id: string }) {
  return id ? <Review key={id} id={id} /> : <RecordingList />
}
