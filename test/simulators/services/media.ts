import type { SimDevice, SimStream } from '../device.ts';
import { noSuch } from '../soap.ts';
import { children, textAt, xml, Xml } from '../xml.ts';
import type { Handlers } from './handlers.ts';

/** Media1 knows no H.265 (tt:VideoEncoding is JPEG, MPEG4, H264), so it does not list such profiles. */
const media1Streams = (d: SimDevice): SimStream[] => d.streams.filter((s) => s.codec === 'H264');

function find(streams: readonly SimStream[], token: string | undefined): SimStream {
  const stream = streams.find((s) => s.token === token);
  if (!stream) throw noSuch('ter:NoProfile', `No profile ${token ?? ''}`);
  return stream;
}

const multicast = xml`<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address></tt:Address><tt:Port>0</tt:Port><tt:TTL>0</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast>`;

const bounds = (d: SimDevice): Xml =>
  xml`<tt:Bounds x="0" y="0" width="${d.mainSize.width}" height="${d.mainSize.height}"/>`;

const sourceConfiguration = (d: SimDevice, s: SimStream): Xml =>
  xml`<tt:Name>VSC_${s.channel.number}</tt:Name><tt:UseCount>2</tt:UseCount><tt:SourceToken>${s.sourceToken}</tt:SourceToken>${bounds(d)}`;

function encoder1(d: SimDevice, s: SimStream): Xml {
  const rate = d.spec.traits.noRateControl
    ? undefined
    : xml`<tt:RateControl><tt:FrameRateLimit>${s.fps}</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval><tt:BitrateLimit>${s.bitrateKbps}</tt:BitrateLimit></tt:RateControl>`;
  return xml`<tt:Name>${s.token}</tt:Name><tt:UseCount>1</tt:UseCount><tt:Encoding>H264</tt:Encoding><tt:Resolution><tt:Width>${s.width}</tt:Width><tt:Height>${s.height}</tt:Height></tt:Resolution><tt:Quality>4</tt:Quality>${rate}<tt:H264><tt:GovLength>${s.govLength}</tt:GovLength><tt:H264Profile>${s.channel.bFrames > 0 ? 'Main' : 'Baseline'}</tt:H264Profile></tt:H264>${multicast}<tt:SessionTimeout>PT60S</tt:SessionTimeout>`;
}

const audioSource = (s: SimStream): Xml =>
  xml`<tt:Name>ASC</tt:Name><tt:UseCount>1</tt:UseCount><tt:SourceToken>AudioSource_${s.channel.number}</tt:SourceToken>`;

function profile1(d: SimDevice, s: SimStream): Xml {
  const audio =
    s.audio &&
    xml`<tt:AudioEncoderConfiguration token="AEC_${s.channel.number}"><tt:Name>AEC</tt:Name><tt:UseCount>1</tt:UseCount><tt:Encoding>${s.audio}</tt:Encoding><tt:Bitrate>${s.audio === 'AAC' ? 32 : 64}</tt:Bitrate><tt:SampleRate>${s.audio === 'AAC' ? 16 : 8}</tt:SampleRate>${multicast}<tt:SessionTimeout>PT60S</tt:SessionTimeout></tt:AudioEncoderConfiguration>`;
  return xml`<tt:Name>${s.token}</tt:Name><tt:VideoSourceConfiguration token="VSC_${s.channel.number}">${sourceConfiguration(d, s)}</tt:VideoSourceConfiguration>${s.audio && xml`<tt:AudioSourceConfiguration token="ASC_${s.channel.number}">${audioSource(s)}</tt:AudioSourceConfiguration>`}<tt:VideoEncoderConfiguration token="VEC_${s.token}">${encoder1(d, s)}</tt:VideoEncoderConfiguration>${audio ?? undefined}${d.spec.traits.ptz && ptzConfiguration}`;
}

export const ptzConfiguration = xml`<tt:PTZConfiguration token="PTZ_1"><tt:Name>PTZ</tt:Name><tt:UseCount>2</tt:UseCount><tt:NodeToken>PTZNODE_1</tt:NodeToken><tt:DefaultContinuousPanTiltVelocitySpace>http://www.onvif.org/ver10/tptz/PanTiltSpaces/VelocityGenericSpace</tt:DefaultContinuousPanTiltVelocitySpace><tt:DefaultContinuousZoomVelocitySpace>http://www.onvif.org/ver10/tptz/ZoomSpaces/VelocityGenericSpace</tt:DefaultContinuousZoomVelocitySpace><tt:DefaultPTZTimeout>PT10S</tt:DefaultPTZTimeout></tt:PTZConfiguration>`;

const videoSources = (d: SimDevice): Xml[] =>
  d.spec.channels.map(
    (c) =>
      xml`<trt:VideoSources token="VideoSource_${c.number}"><tt:Framerate>${d.streams[0]!.fps}</tt:Framerate><tt:Resolution><tt:Width>${d.mainSize.width}</tt:Width><tt:Height>${d.mainSize.height}</tt:Height></tt:Resolution></trt:VideoSources>`,
  );

const mediaUri = (uri: string): Xml =>
  xml`<trt:MediaUri><tt:Uri>${uri}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect><tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri>`;

/** Media1. Source: ONVIF Media Service Specification §5 and media.wsdl. */
export const mediaHandlers: Handlers = {
  GetProfiles: ({ device }) =>
    xml`<trt:GetProfilesResponse>${media1Streams(device).map((s) => xml`<trt:Profiles token="${s.token}" fixed="true">${profile1(device, s)}</trt:Profiles>`)}</trt:GetProfilesResponse>`,
  GetProfile: ({ device, body }) => {
    const s = find(media1Streams(device), textAt(body, 'ProfileToken'));
    return xml`<trt:GetProfileResponse><trt:Profile token="${s.token}" fixed="true">${profile1(device, s)}</trt:Profile></trt:GetProfileResponse>`;
  },
  GetVideoSources: ({ device }) =>
    xml`<trt:GetVideoSourcesResponse>${videoSources(device)}</trt:GetVideoSourcesResponse>`,
  GetVideoEncoderConfigurations: ({ device }) =>
    xml`<trt:GetVideoEncoderConfigurationsResponse>${media1Streams(device).map((s) => xml`<trt:Configurations token="VEC_${s.token}">${encoder1(device, s)}</trt:Configurations>`)}</trt:GetVideoEncoderConfigurationsResponse>`,
  GetVideoEncoderConfiguration: ({ device, body }) => {
    const token = textAt(body, 'ConfigurationToken');
    const s = media1Streams(device).find((one) => `VEC_${one.token}` === token);
    if (!s) throw noSuch('ter:NoConfig', `No configuration ${token ?? ''}`);
    return xml`<trt:GetVideoEncoderConfigurationResponse><trt:Configuration token="VEC_${s.token}">${encoder1(device, s)}</trt:Configuration></trt:GetVideoEncoderConfigurationResponse>`;
  },
  GetStreamUri: ({ device, body }) => {
    const s = find(media1Streams(device), textAt(body, 'ProfileToken'));
    return xml`<trt:GetStreamUriResponse>${mediaUri(device.rtspUrl(s))}</trt:GetStreamUriResponse>`;
  },
  GetSnapshotUri: ({ device, body }) => {
    const s = find(media1Streams(device), textAt(body, 'ProfileToken'));
    return xml`<trt:GetSnapshotUriResponse>${mediaUri(device.snapshotUrl(s))}</trt:GetSnapshotUriResponse>`;
  },
};

function profile2(d: SimDevice, s: SimStream, types: readonly string[]): Xml {
  const wants = (type: string): boolean => types.includes('All') || types.includes(type);
  const parts = [
    wants('VideoSource') &&
      xml`<tr2:VideoSource token="VSC_${s.channel.number}">${sourceConfiguration(d, s)}</tr2:VideoSource>`,
    wants('AudioSource') &&
      s.audio &&
      xml`<tr2:AudioSource token="ASC_${s.channel.number}">${audioSource(s)}</tr2:AudioSource>`,
    wants('VideoEncoder') &&
      xml`<tr2:VideoEncoder token="VEC_${s.token}" GovLength="${s.govLength}" Profile="${s.codec === 'H265' ? 'Main' : s.channel.bFrames > 0 ? 'Main' : 'Baseline'}"><tt:Name>${s.token}</tt:Name><tt:UseCount>1</tt:UseCount><tt:Encoding>${s.codec}</tt:Encoding><tt:Resolution><tt:Width>${s.width}</tt:Width><tt:Height>${s.height}</tt:Height></tt:Resolution>${
        !d.spec.traits.noRateControl &&
        xml`<tt:RateControl ConstantBitRate="true"><tt:FrameRateLimit>${s.fps}</tt:FrameRateLimit><tt:BitrateLimit>${s.bitrateKbps}</tt:BitrateLimit></tt:RateControl>`
      }${multicast}<tt:Quality>4</tt:Quality></tr2:VideoEncoder>`,
    wants('AudioEncoder') &&
      s.audio &&
      xml`<tr2:AudioEncoder token="AEC_${s.channel.number}"><tt:Name>AEC</tt:Name><tt:UseCount>1</tt:UseCount><tt:Encoding>${s.audio === 'AAC' ? 'MP4A-LATM' : 'PCMA'}</tt:Encoding>${multicast}<tt:Bitrate>${s.audio === 'AAC' ? 32 : 64}</tt:Bitrate><tt:SampleRate>${s.audio === 'AAC' ? 16 : 8}</tt:SampleRate></tr2:AudioEncoder>`,
    wants('PTZ') &&
      d.spec.traits.ptz &&
      new Xml(ptzConfiguration.text.replaceAll('tt:PTZConfiguration', 'tr2:PTZ')),
  ].filter((part) => part instanceof Xml);
  return xml`<tr2:Profiles token="${s.token}" fixed="true"><tr2:Name>${s.token}</tr2:Name>${parts.length > 0 && xml`<tr2:Configurations>${parts}</tr2:Configurations>`}</tr2:Profiles>`;
}

/** Media2. Configurations come only when a Type asks for them. Source: ONVIF Media2 Service Specification §5.2 and media2.wsdl. */
export const media2Handlers: Handlers = {
  GetProfiles: ({ device, body }) => {
    const types = children(body, 'Type').map((node) => String(node['#text'] ?? ''));
    const token = textAt(body, 'Token');
    const streams = token === undefined ? device.streams : [find(device.streams, token)];
    return xml`<tr2:GetProfilesResponse>${streams.map((s) => profile2(device, s, types))}</tr2:GetProfilesResponse>`;
  },
  GetStreamUri: ({ device, body }) =>
    xml`<tr2:GetStreamUriResponse><tr2:Uri>${device.rtspUrl(find(device.streams, textAt(body, 'ProfileToken')))}</tr2:Uri></tr2:GetStreamUriResponse>`,
  GetSnapshotUri: ({ device, body }) =>
    xml`<tr2:GetSnapshotUriResponse><tr2:Uri>${device.snapshotUrl(find(device.streams, textAt(body, 'ProfileToken')))}</tr2:Uri></tr2:GetSnapshotUriResponse>`,
};
