// A participant with @livekit/rtc-node. Lines of JSON come in ({id, verb, words}) and go out ({id, value | error}).
// The verbs and the words of the events are those of page.js.
import { createRequire } from 'node:module';
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';

const rtc = createRequire(`${process.argv[2]}/`)('@livekit/rtc-node');
const {
  AudioFrame, AudioSource, AudioStream, LocalAudioTrack, LocalVideoTrack, Room, RoomEvent, RpcError, TrackKind,
  TrackPublishOptions, TrackSource, VideoBufferType, VideoCodec, VideoFrame, VideoSource, VideoStream, DisconnectReason,
} = rtc;
const SOURCES = { 1: 'camera', 2: 'microphone', 3: 'screen_share', 4: 'screen_share_audio' };
const NUMBERS = Object.fromEntries(Object.entries(SOURCES).map(([number, name]) => [name, Number(number)]));
const QUALITIES = ['poor', 'good', 'excellent', 'lost'];
const SCENARIOS = {
  'signal-reconnect': 0, speaker: 1, 'node-failure': 2, 'server-leave': 3, migration: 4, 'force-tcp': 5, 'force-tls': 6,
  'full-reconnect': 7, 'disconnect-signal-on-resume': 8,
};
const where = (publication) => SOURCES[publication?.source] ?? 'unknown';
const who = (participant) => participant?.identity ?? '-';
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

const NOTED = {
  Disconnected: (reason) => [DisconnectReason[reason]],
  Reconnecting: () => [],
  Reconnected: () => [],
  Moved: () => [],
  TokenRefreshed: () => [],
  ParticipantConnected: (one) => [who(one)],
  ParticipantDisconnected: (one) => [who(one)],
  TrackPublished: (publication, one) => [who(one), where(publication)],
  TrackUnpublished: (publication, one) => [who(one), where(publication)],
  TrackSubscribed: (track, publication, one) => [who(one), where(publication)],
  TrackUnsubscribed: (track, publication, one) => [who(one), where(publication)],
  TrackSubscriptionFailed: (sid, one) => [who(one)],
  TrackMuted: (publication, one) => [who(one), where(publication)],
  TrackUnmuted: (publication, one) => [who(one), where(publication)],
  LocalTrackPublished: (publication) => [where(publication)],
  LocalTrackUnpublished: (publication) => [where(publication)],
  LocalTrackRepublished: (publication) => [where(publication)],
  LocalTrackSubscribed: () => [],
  ParticipantMetadataChanged: (metadata, one) => [who(one), metadata],
  ParticipantNameChanged: (name, one) => [who(one), name],
  ParticipantAttributesChanged: (changed, one) => [who(one), JSON.stringify(changed, Object.keys(changed).sort())],
  ParticipantEncryptionStatusChanged: (on, one) => [who(one), on],
  RoomMetadataChanged: (metadata) => [metadata],
  ActiveSpeakersChanged: (speakers) => [speakers.map(who).sort().join(',')],
  ConnectionQualityChanged: (quality, one) => [who(one), QUALITIES[quality]],
  DataReceived: (payload, one, kind, topic) => [who(one), kind === 1 ? 'reliable' : 'lossy', topic, new TextDecoder().decode(payload)],
};

const fingerprint = (bytes) => createHash('sha256').update(bytes).digest('hex');

function noise(size) { // nothing that compression would make small
  const octets = new Uint8Array(size);
  for (let at = 0, state = 1; at < size; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    octets[at] = state & 255;
  }
  return octets;
}

class Peer {
  lines = [];
  streams_ = [];
  counts = {};
  making = new Map();
  open = true;

  say(...words) {
    this.lines.push(words.map((word) => (word === undefined || word === null || word === '' ? '-' : word)).join(' '));
  }

  async join({ url, token, single, passphrase, autoSubscribe = true, dynacast = true }) {
    const room = (this.room = new Room());
    for (const [name, noted] of Object.entries(NOTED)) room.on(RoomEvent[name], (...args) => this.say(name, ...noted(...args)));
    room.on(RoomEvent.TrackSubscribed, (track, publication, one) => this.watch(track, publication, one));
    room.registerTextStreamHandler('text', async (reader, from) => {
      try {
        const text = await reader.readAll();
        this.streams_.push({ from: from.identity, text });
      } catch (error) {
        this.streams_.push({ from: from.identity, error: String(error) });
      }
    });
    room.registerByteStreamHandler('bytes', async (reader, from) => {
      const bytes = Buffer.concat(await reader.readAll());
      this.streams_.push({ from: from.identity, size: bytes.length, sha256: fingerprint(bytes), name: reader.info.name });
    });
    const options = { autoSubscribe, dynacast, singlePeerConnection: single };
    if (passphrase) options.encryption = { keyProviderOptions: { sharedKey: new TextEncoder().encode(passphrase) } };
    await room.connect(url, token, options);
    const me = room.localParticipant;
    me.registerRpcMethod('echo', async (call) => `${call.callerIdentity}:${call.payload}`);
    me.registerRpcMethod('refuse', async () => { throw new RpcError(4711, '不行', 'because'); });
    me.registerRpcMethod('never', () => new Promise(() => {}));
  }

  async leave() {
    this.open = false;
    for (const one of this.making.values()) one.on = false;
    await this.room.disconnect();
  }

  async watch(track, publication, one) {
    const mine = ((this.counts[one.identity] ??= {})[where(publication)] ??= { count: 0, height: 0 });
    if (track.kind === TrackKind.KIND_VIDEO) {
      for await (const event of new VideoStream(track)) {
        mine.count += 1;
        mine.height = event.frame.height;
      }
    } else {
      const stream = new AudioStream(track);
      for await (const _ of stream) mine.count += 1;
    }
  }

  mine(source) {
    return [...this.room.localParticipant.trackPublications.values()].find((one) => where(one) === source);
  }

  async publish({ source, codec = 'vp8', simulcast = true, width = 640, height = 360, name }) {
    const sound = source === 'microphone' || source === 'screen_share_audio';
    const made = { on: true };
    this.making.set(source, made);
    let track;
    if (sound) {
      const out = new AudioSource(48000, 1);
      track = LocalAudioTrack.createAudioTrack(name ?? source, out);
      this.speak(out, made);
    } else {
      const out = new VideoSource(width, height);
      track = LocalVideoTrack.createVideoTrack(name ?? source, out);
      this.paint(out, made, width, height);
    }
    const publication = await this.room.localParticipant.publishTrack(track, new TrackPublishOptions({
      source: NUMBERS[source], simulcast: simulcast && !sound, videoCodec: VideoCodec[codec.toUpperCase()], red: false, dtx: false,
    }));
    return publication.sid;
  }

  async paint(out, made, width, height) {
    const pixels = new Uint8Array(width * height * 4);
    for (let number = 0; made.on; number++) {
      pixels.fill(40);
      for (let row = 0; row < height; row += 2) pixels.fill(200, (row * width + ((number * 8) % (width - 40))) * 4, (row * width + ((number * 8) % (width - 40)) + 40) * 4);
      out.captureFrame(new VideoFrame(pixels, width, height, VideoBufferType.RGBA));
      await pause(66);
    }
  }

  async speak(out, made) {
    const tone = new Int16Array(480);
    for (let at = 0; at < 480; at++) tone[at] = Math.sin((at * 2 * Math.PI * 400) / 48000) * 9000;
    while (made.on) await out.captureFrame(new AudioFrame(tone, 48000, 1, 480));
  }

  async unpublish({ source }) {
    this.making.get(source).on = false;
    await this.room.localParticipant.unpublishTrack(this.mine(source).sid);
  }

  async subscribe({ identity, source, on }) {
    const tracks = [...this.room.remoteParticipants.get(identity).trackPublications.values()];
    tracks.find((one) => where(one) === source).setSubscribed(on);
  }

  async data({ text, reliable = true, topic, to = [] }) {
    await this.room.localParticipant.publishData(new TextEncoder().encode(text), { reliable, topic, destination_identities: to });
  }

  async text({ text, topic = 'text', to = [] }) {
    await this.room.localParticipant.sendText(text, { topic, destinationIdentities: to });
  }

  async bytes({ size, to = [] }) {
    const octets = noise(size);
    const writer = await this.room.localParticipant.streamBytes({ name: 'noise', topic: 'bytes', totalSize: size, destinationIdentities: to });
    await writer.write(octets);
    await writer.close();
    return fingerprint(octets);
  }

  async rpc({ to, method, payload = '', timeout = 10 }) {
    return this.room.localParticipant.performRpc({ destinationIdentity: to, method, payload, responseTimeout: timeout * 1000 });
  }

  async describe({ name, metadata, attributes }) {
    if (name !== undefined) await this.room.localParticipant.updateName(name);
    if (metadata !== undefined) await this.room.localParticipant.updateMetadata(metadata);
    if (attributes !== undefined) await this.room.localParticipant.setAttributes(attributes);
  }

  async simulate({ scenario }) {
    await this.room.simulateScenario(SCENARIOS[scenario]);
  }

  async state() {
    const people = (one) => ({
      name: one.name ?? '', metadata: one.metadata ?? '', attributes: { ...one.attributes }, sid: one.sid,
      tracks: Object.fromEntries([...one.trackPublications.values()].map((track) => [where(track), {
        sid: track.sid, name: track.name, kind: track.kind === TrackKind.KIND_VIDEO ? 'video' : 'audio', muted: !!track.muted,
        subscribed: !!track.track, mime: (track.mimeType ?? '').toLowerCase(), simulcasted: !!track.simulcasted,
        encrypted: !!track.encryptionType,
      }])),
    });
    const room = this.room;
    return {
      state: room.isConnected ? 'connected' : 'disconnected',
      room: { name: room.name, metadata: room.metadata ?? '', recording: room.isRecording },
      me: { identity: room.localParticipant.identity, ...people(room.localParticipant) },
      may: null, others: Object.fromEntries([...room.remoteParticipants.values()].map((one) => [one.identity, people(one)])), path: '',
    };
  }

  async received() {
    return this.counts;
  }

  async streams() {
    return this.streams_;
  }

  async events() {
    return this.lines;
  }
}

const one = new Peer();
const write = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
for await (const line of createInterface({ input: process.stdin })) {
  const { id, verb, words } = JSON.parse(line);
  if (typeof one[verb] !== 'function') {
    write({ id, error: { name: 'Unsupported', message: verb } });
    continue;
  }
  one[verb](words ?? {}).then(
    (value) => write({ id, value: value ?? null }),
    (error) => write({ id, error: { name: error?.name ?? 'Error', message: String(error?.message ?? error), code: error?.code ?? null, data: error?.data ?? '' } }),
  );
}
process.exit(0);
