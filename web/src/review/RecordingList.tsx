export default function RecordingList(_: { id?: string }) {
  return null
}
