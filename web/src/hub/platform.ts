/** What the hub's client needs of its surroundings. The page hands in the browser's; a test hands in its own. */

export interface HttpRequest {
  method: string
  headers: Record<string, string>
  body?: string | ArrayBuffer
}

export interface HttpResponse {
  status: number
  headers: { get(name: string): string | null }
  text(): Promise<string>
}

export interface Socket {
  send(text: string): void
  close(): void
}

export interface SocketHandlers {
  opened(): void
  message(text: string): void
  closed(): void
}

export interface Platform {
  /** Rejects only when no answer came at all. */
  fetch(url: string, request: HttpRequest): Promise<HttpResponse>
  openSocket(path: string, on: SocketHandlers): Socket
  /** Milliseconds since the epoch. */
  now(): number
  /** Runs `act` once after `ms`; the result cancels it. */
  after(ms: number, act: () => void): () => void
  randomBytes(count: number): Uint8Array
  /** BCP 47 tag of the language people read here. */
  language(): string
}
