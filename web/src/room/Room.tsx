export default function Room(_: { id?: string }) {
  return null
}
