// WHIP and WHEP by hand: a page that knows RTCPeerConnection and fetch, nothing else.
const sessions = {};
async function begin(name, path, token, setUp) {
  const connection = new RTCPeerConnection({bundlePolicy: 'max-bundle'});
  const session = (sessions[name] = {connection, token, candidates: []});
  connection.ontrack = (event) => {
    const element = document.createElement(event.track.kind);
    element.srcObject = event.streams[0] ?? new MediaStream([event.track]);
    element.autoplay = true;
    document.body.append(element);
  };
  await setUp(connection);
  connection.onicecandidate = (event) => event.candidate && session.candidates.push(event.candidate);
  await connection.setLocalDescription();
  const answer = await fetch(path, {method: 'POST', body: connection.localDescription.sdp,
    headers: {'Content-Type': 'application/sdp', Authorization: `Bearer ${token}`}});
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  session.where = new URL(answer.headers.get('Location'), location.href).href;
  session.etag = answer.headers.get('ETag');
  await connection.setRemoteDescription({type: 'answer', sdp: await answer.text()});
}
const encode = (token) => begin('out', '/whip', token, async (connection) => {
  const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: {width: 1280, height: 720, frameRate: 15}});
  connection.addTransceiver(stream.getAudioTracks()[0], {direction: 'sendonly'});
  connection.addTransceiver(stream.getVideoTracks()[0], {direction: 'sendonly', sendEncodings: [
    {rid: 'low', scaleResolutionDownBy: 4, maxBitrate: 150000}, {rid: 'mid', scaleResolutionDownBy: 2, maxBitrate: 400000},
    {rid: 'high', maxBitrate: 1200000}].reverse()});
});
const play = (token, query) => begin('in', '/whep' + query, token, async (connection) => {
  connection.addTransceiver('audio', {direction: 'recvonly'});
  connection.addTransceiver('video', {direction: 'recvonly'});
});
function send(name, method, body, headers) {
  const {where, token} = sessions[name];
  return fetch(where, {method, body, headers: {Authorization: `Bearer ${token}`, ...headers,
    ...(body ? {'Content-Type': 'application/trickle-ice-sdpfrag'} : {})}});
}
async function trickle(name) {
  const lines = sessions[name].candidates.map((one) => `a=${one.candidate}`);
  const fragment = ['m=audio 9 UDP/TLS/RTP/SAVPF 0', 'a=mid:0', ...lines, 'a=end-of-candidates', ''].join('\r\n');
  return (await send(name, 'PATCH', fragment, {'If-Match': sessions[name].etag})).status;
}
// As RFC 9725 section 4.3.2 has it: the new credentials go out as a fragment, those that come back replace the answer's.
async function restart(name) {
  const session = sessions[name], {connection} = session;
  await connection.setLocalDescription(await connection.createOffer({iceRestart: true}));
  const kept = connection.localDescription.sdp.match(/a=ice-(ufrag|pwd):.*/g).slice(0, 2);
  const answer = await send(name, 'PATCH', [...kept, ''].join('\r\n'), {'If-Match': '*'});
  const text = await answer.text();
  session.etag = answer.headers.get('ETag');
  let sdp = connection.currentRemoteDescription.sdp;
  for (const what of ['ufrag', 'pwd']) {
    const line = new RegExp(`a=ice-${what}:.*`, 'g');
    sdp = sdp.replace(line, text.match(line)[0].trim());
  }
  await connection.setRemoteDescription({type: 'answer', sdp});
  return answer.status;
}
async function counts(name) {
  const found = {frames: 0, sound: 0, height: 0, frozen: 0, sent: {}};
  for (const report of (await sessions[name].connection.getStats()).values()) {
    if (report.type === 'inbound-rtp' && report.kind === 'video') {
      Object.assign(found, {frames: report.framesDecoded, height: report.frameHeight, frozen: report.freezeCount});
    } else if (report.type === 'inbound-rtp' && report.totalAudioEnergy > 0) found.sound = report.packetsReceived;
    else if (report.type === 'outbound-rtp' && report.rid) found.sent[report.rid] = report.framesEncoded;
  }
  return found;
}
