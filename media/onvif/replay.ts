import { MediaError } from '#media/errors.ts';
import type { DeviceContext } from './context.ts';
import { escapeXml, text } from './xml.ts';

/**
 * The RTSP address from which `recordingToken` is played back (RTSP with ONVIF replay headers), without credentials and with the host
 * corrected as for live streams. It is asked anew for each export: devices may bind it to a session.
 * @throws MediaError 'not-supported' without a replay service, 'rejected' for an unknown recording, 'protocol' without a usable address
 * Source: ONVIF Replay Control specification 5.2.
 */
export async function getReplayUri(context: DeviceContext, recordingToken: string): Promise<string> {
  const answer = await context.ask(
    'replay',
    'GetReplayUri',
    '<trp:StreamSetup><tt:Stream>RTP-Unicast</tt:Stream><tt:Transport><tt:Protocol>RTSP</tt:Protocol></tt:Transport></trp:StreamSetup>' +
      `<trp:RecordingToken>${escapeXml(recordingToken)}</trp:RecordingToken>`,
  );
  const announced = text(answer, 'Uri');
  const corrected = announced === undefined ? undefined : context.correct(announced, 'rtsp');
  if (!corrected) throw new MediaError('protocol', 'the device gave no usable replay address');
  if (corrected.replaced) context.log.info(corrected.replaced, 'replay address corrected');
  return corrected.uri;
}
