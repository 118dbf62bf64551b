const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** A ULID: 48 bits of milliseconds, 80 random bits, Crockford base 32. `random` holds at least 10 bytes. */
export function ulid(now: number, random: Uint8Array): string {
  let time = ''
  for (let rest = Math.floor(now), i = 0; i < 10; i += 1, rest = Math.floor(rest / 32)) {
    time = alphabet.charAt(rest % 32) + time
  }
  let tail = ''
  let bits = 0
  let held = 0
  for (const byte of random.slice(0, 10)) {
    held = (held << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      tail += alphabet.charAt((held >> bits) & 31)
      held &= (1 << bits) - 1
    }
  }
  return time + tail
}

export function isUlid(text: string): boolean {
  return /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text)
}
