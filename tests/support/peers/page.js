// One participant with livekit-client, in Chromium or Firefox. `verbs` are what every kind of client can be told
// (peer.py lists them); `events` is what the room said, in words that are the same for every kind of client.
const { Room, RoomEvent, Track, DisconnectReason, ConnectionState, ExternalE2EEKeyProvider } = LivekitClient;
// Firefox gathers no candidate but that of the default route until the page may use a camera or microphone.
const permitted = navigator.userAgent.includes('Firefox') ? navigator.mediaDevices.getUserMedia({ audio: true }) : Promise.resolve();
const lines = [];
const streams = [];
const views = new Map(); // track sid → element, for adaptive streams
const captured = new Map(); // source → { track, stop }
let room;

const say = (...words) => lines.push(words.map((word) => word ?? '-').join(' '));
const where = (publication) => publication?.source ?? 'unknown';
const who = (participant) => participant?.identity ?? '-';

// Event → what is noted of its arguments.
const NOTED = {
  Connected: () => [],
  Disconnected: (reason) => [reason === undefined ? '-' : DisconnectReason[reason]],
  SignalReconnecting: () => [],
  Reconnecting: () => [],
  Reconnected: () => [],
  Moved: (name) => [name],
  ParticipantConnected: (one) => [who(one)],
  ParticipantDisconnected: (one) => [who(one)],
  TrackPublished: (publication, one) => [who(one), where(publication)],
  TrackUnpublished: (publication, one) => [who(one), where(publication)],
  TrackSubscribed: (track, publication, one) => [who(one), where(publication)],
  TrackUnsubscribed: (track, publication, one) => [who(one), where(publication)],
  TrackSubscriptionFailed: (sid, one) => [who(one)],
  TrackSubscriptionPermissionChanged: (publication, status, one) => [who(one), where(publication), status],
  TrackMuted: (publication, one) => [who(one), where(publication)],
  TrackUnmuted: (publication, one) => [who(one), where(publication)],
  LocalTrackPublished: (publication) => [where(publication)],
  LocalTrackUnpublished: (publication) => [where(publication)],
  LocalTrackSubscribed: (publication) => [where(publication)],
  ParticipantMetadataChanged: (before, one) => [who(one), one.metadata],
  ParticipantNameChanged: (name, one) => [who(one), name],
  ParticipantAttributesChanged: (changed, one) => [who(one), JSON.stringify(changed, Object.keys(changed).sort())],
  ParticipantPermissionsChanged: (before, one) => [who(one)],
  ParticipantEncryptionStatusChanged: (on, one) => [who(one), on],
  RoomMetadataChanged: (metadata) => [metadata],
  RecordingStatusChanged: (on) => [on],
  ActiveSpeakersChanged: (speakers) => [speakers.map(who).sort().join(',') || '-'],
  ConnectionQualityChanged: (quality, one) => [who(one), quality],
  TrackStreamStateChanged: (publication, state, one) => [who(one), where(publication), state],
  DataReceived: (payload, one, kind, topic) => [who(one), kind === 0 ? 'reliable' : 'lossy', topic, new TextDecoder().decode(payload)],
};

function show(track, publication) {
  const element = track.attach();
  element.muted = track.kind === 'video';
  if (track.kind === 'video') element.style = 'width: 640px; height: 360px; display: block';
  document.body.append(element);
  views.set(publication.trackSid, element);
}

async function fingerprint(bytes) {
  const digest = await crypto.subtle.digest('SHA-256', bytes);
  return [...new Uint8Array(digest)].map((octet) => octet.toString(16).padStart(2, '0')).join('');
}

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

function picture(width, height, rate) {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [width, height];
  const brush = canvas.getContext('2d');
  let number = 0;
  const paint = () => {
    brush.fillStyle = '#223';
    brush.fillRect(0, 0, width, height);
    brush.fillStyle = `hsl(${(number * 7) % 360} 80% 60%)`;
    brush.fillRect((number * 8) % width, height / 4, width / 6, height / 2);
    number += 1;
  };
  paint();
  const timer = setInterval(paint, 1000 / rate);
  const [track] = canvas.captureStream(rate).getVideoTracks();
  return { track, stop: () => clearInterval(timer) };
}

function tone() {
  const context = new AudioContext();
  const oscillator = context.createOscillator();
  const loudness = context.createGain();
  loudness.gain.value = 0.3;
  const out = context.createMediaStreamDestination();
  oscillator.connect(loudness).connect(out);
  oscillator.start();
  context.resume();
  return { track: out.stream.getAudioTracks()[0], stop: () => context.close() };
}

const mine = (source) => room.localParticipant.getTrackPublication(source);
const theirs = (identity, source) => room.remoteParticipants.get(identity)?.getTrackPublication(source);

function tracksOf(participant) {
  const found = {};
  for (const one of participant.trackPublications.values()) {
    found[where(one)] = {
      sid: one.trackSid, name: one.trackName, kind: one.kind, muted: one.isMuted, subscribed: !!one.track,
      mime: (one.mimeType ?? '').toLowerCase(), simulcasted: !!one.simulcasted, encrypted: one.isEncrypted,
    };
  }
  return found;
}

const verbs = {
  async join({ url, token, single, passphrase, autoSubscribe = true, ...options }) {
    await permitted;
    if (passphrase) {
      const keyProvider = new ExternalE2EEKeyProvider();
      await keyProvider.setKey(passphrase);
      options.encryption = { keyProvider, worker: new Worker('livekit-client.e2ee.worker.js') };
    }
    room = new Room({ adaptiveStream: false, dynacast: true, singlePeerConnection: single, ...options });
    for (const [name, noted] of Object.entries(NOTED)) room.on(RoomEvent[name], (...args) => say(name, ...noted(...args)));
    room.on(RoomEvent.TrackSubscribed, show);
    room.on(RoomEvent.TrackUnsubscribed, (track, publication) => views.get(publication.trackSid)?.remove());
    room.registerTextStreamHandler('text', async (reader, from) => {
      try {
        const text = await reader.readAll();
        streams.push({ from: from.identity, text });
      } catch (error) {
        streams.push({ from: from.identity, error: String(error) });
      }
    });
    room.registerByteStreamHandler('bytes', async (reader, from) => {
      const parts = await reader.readAll();
      const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
      streams.push({ from: from.identity, size: bytes.length, sha256: await fingerprint(bytes), name: reader.info.name });
    });
    room.registerRpcMethod('echo', async (call) => `${call.callerIdentity}:${call.payload}`);
    room.registerRpcMethod('refuse', async () => { throw new LivekitClient.RpcError(4711, '不行', 'because'); });
    room.registerRpcMethod('never', () => new Promise(() => {}));
    if (passphrase) await room.setE2EEEnabled(true);
    await room.connect(url, token, { autoSubscribe });
  },

  async leave() {
    await room.disconnect();
    for (const one of captured.values()) one.stop();
  },

  // A tab that is closed: nothing is said to the server.
  async vanish() {
    room.engine.client.ws?.close?.();
  },

  async publish({ source, codec = 'vp8', simulcast = true, width = 640, height = 360, name, own = true, scalabilityMode }) {
    const sound = source === 'microphone' || source === 'screen_share_audio';
    const made = sound ? tone() : picture(width, height, 15);
    const publication = await room.localParticipant.publishTrack(made.track, {
      source, name, videoCodec: codec, simulcast: simulcast && !sound, backupCodec: false, red: false, dtx: false,
      ...(scalabilityMode ? { scalabilityMode } : {}),
      ...(source === 'screen_share' ? { screenShareEncoding: { maxBitrate: 800_000, maxFramerate: 15 }, screenShareSimulcastLayers: [] } : {}),
    });
    captured.set(source, made);
    return publication.trackSid;
  },

  async unpublish({ source }) {
    await room.localParticipant.unpublishTrack(mine(source).track);
    captured.get(source)?.stop();
  },

  async mute({ source, on }) {
    await (on ? mine(source).mute() : mine(source).unmute());
  },

  async subscribe({ identity, source, on }) {
    theirs(identity, source).setSubscribed(on);
  },

  async view({ identity, source, quality, enabled, width, height }) {
    const publication = theirs(identity, source);
    if (quality !== undefined) publication.setVideoQuality(quality);
    if (enabled !== undefined) publication.setEnabled(enabled);
    if (width !== undefined) views.get(publication.trackSid).style = `width: ${width}px; height: ${height}px; display: block`;
  },

  async encodings({ source }) {
    return mine(source).track.sender.getParameters().encodings.map((one) => one.active !== false);
  },

  async allow({ everybody, people = [] }) {
    room.localParticipant.setTrackSubscriptionPermissions(everybody, people.map((one) => ({
      participantIdentity: one.identity, allowAll: !!one.all, allowedTrackSids: one.sids ?? [],
    })));
  },

  async data({ text, reliable = true, topic, to = [] }) {
    await room.localParticipant.publishData(new TextEncoder().encode(text), { reliable, topic, destinationIdentities: to });
  },

  async text({ text, topic = 'text', to = [] }) {
    await room.localParticipant.sendText(text, { topic, destinationIdentities: to });
  },

  async bytes({ size, to = [] }) {
    const octets = noise(size);
    const writer = await room.localParticipant.streamBytes({
      name: 'noise', topic: 'bytes', totalSize: size, destinationIdentities: to, mimeType: 'application/octet-stream',
    });
    await writer.write(octets);
    await writer.close();
    return fingerprint(octets);
  },

  async rpc({ to, method, payload = '', timeout = 10 }) {
    return room.localParticipant.performRpc({ destinationIdentity: to, method, payload, responseTimeout: timeout * 1000 });
  },

  async describe({ name, metadata, attributes }) {
    if (name !== undefined) await room.localParticipant.setName(name);
    if (metadata !== undefined) await room.localParticipant.setMetadata(metadata);
    if (attributes !== undefined) await room.localParticipant.setAttributes(attributes);
  },

  async simulate({ scenario }) {
    await room.simulateScenario(scenario);
  },

  async state() {
    const people = (one) => ({
      name: one.name ?? '', metadata: one.metadata ?? '', attributes: { ...one.attributes }, tracks: tracksOf(one), sid: one.sid,
    });
    const others = {};
    for (const one of room.remoteParticipants.values()) others[one.identity] = people(one);
    const may = room.localParticipant.permissions;
    return {
      state: room.state, room: { name: room.name, metadata: room.metadata ?? '', recording: room.isRecording },
      me: { identity: room.localParticipant.identity, ...people(room.localParticipant) },
      may: may && { publish: may.canPublish, subscribe: may.canSubscribe, data: may.canPublishData },
      others, path: room.engine?.client?.ws?.url ?? '',
    };
  },

  // Pictures decoded and packets of sound of everybody, as the browser counts them.
  async received() {
    const counts = {};
    for (const participant of room.remoteParticipants.values()) {
      const mine = (counts[participant.identity] = {});
      for (const publication of participant.trackPublications.values()) {
        const stats = publication.track && (await publication.track.getRTCStatsReport());
        for (const report of stats ? stats.values() : []) {
          if (report.type !== 'inbound-rtp') continue;
          const video = report.kind === 'video';
          mine[where(publication)] = { count: (video ? report.framesDecoded : report.packetsReceived) ?? 0, height: report.frameHeight ?? 0 };
        }
      }
    }
    return counts;
  },

  async streams() {
    return streams;
  },

  async events() {
    return lines;
  },
};

async function told(verb, words) {
  try {
    return { value: (await verbs[verb](words)) ?? null };
  } catch (error) {
    return { error: { name: error?.name ?? 'Error', message: String(error?.message ?? error), code: error?.code ?? null, data: error?.data ?? '', reason: error?.reasonName ?? '' } };
  }
}
