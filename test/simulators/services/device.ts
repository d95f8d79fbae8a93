import type { SimDevice } from '../device.ts';
import { NS } from '../soap.ts';
import { xml, Xml } from '../xml.ts';
import type { Handlers } from './handlers.ts';

interface Service {
  namespace: string;
  path: string;
  version: readonly [number, number];
}

const hasMedia1 = (d: SimDevice): boolean => d.media === 'media1' || d.media === 'both';
const hasMedia2 = (d: SimDevice): boolean => d.media === 'media2' || d.media === 'both';

/** The services a device has, with the path each answers on. */
export function servicesOf(d: SimDevice): Service[] {
  const list: Service[] = [{ namespace: NS.tds, path: '/onvif/device_service', version: [21, 6] }];
  if (hasMedia1(d)) list.push({ namespace: NS.trt, path: '/onvif/media_service', version: [21, 6] });
  if (hasMedia2(d)) list.push({ namespace: NS.tr2, path: '/onvif/media2_service', version: [21, 6] });
  if (d.media !== 'none') list.push({ namespace: NS.tev, path: '/onvif/event_service', version: [21, 6] });
  if (d.spec.traits.ptz) list.push({ namespace: NS.tptz, path: '/onvif/ptz_service', version: [20, 12] });
  if (d.spec.kind === 'nvr') {
    list.push({ namespace: NS.trc, path: '/onvif/recording_service', version: [21, 6] });
    list.push({ namespace: NS.tse, path: '/onvif/search_service', version: [21, 6] });
    list.push({ namespace: NS.trp, path: '/onvif/replay_service', version: [21, 6] });
  }
  return list;
}

function dateAndTime(prefix: string, at: Date): Xml {
  return xml`<tt:${prefix}DateTime><tt:Time><tt:Hour>${at.getUTCHours()}</tt:Hour><tt:Minute>${at.getUTCMinutes()}</tt:Minute><tt:Second>${at.getUTCSeconds()}</tt:Second></tt:Time><tt:Date><tt:Year>${at.getUTCFullYear()}</tt:Year><tt:Month>${at.getUTCMonth() + 1}</tt:Month><tt:Day>${at.getUTCDate()}</tt:Day></tt:Date></tt:${prefix}DateTime>`;
}

function capabilities(d: SimDevice): Xml {
  const address = (namespace: string): string | undefined => {
    const service = servicesOf(d).find((s) => s.namespace === namespace);
    return service && d.baseUrl + service.path;
  };
  const has = (namespace: string, make: (url: string) => Xml): Xml | undefined => {
    const url = address(namespace);
    return url === undefined ? undefined : make(url);
  };
  const extension = [
    has(
      NS.trc,
      (u) =>
        xml`<tt:Recording><tt:XAddr>${u}</tt:XAddr><tt:ReceiverSource>false</tt:ReceiverSource><tt:MediaProfileSource>true</tt:MediaProfileSource><tt:DynamicRecordings>false</tt:DynamicRecordings><tt:DynamicTracks>false</tt:DynamicTracks><tt:MaxStringLength>64</tt:MaxStringLength></tt:Recording>`,
    ),
    has(
      NS.tse,
      (u) =>
        xml`<tt:Search><tt:XAddr>${u}</tt:XAddr><tt:MetadataSearch>false</tt:MetadataSearch></tt:Search>`,
    ),
    has(NS.trp, (u) => xml`<tt:Replay><tt:XAddr>${u}</tt:XAddr></tt:Replay>`),
  ].filter((x) => x !== undefined);
  return xml`<tds:Capabilities><tt:Device><tt:XAddr>${address(NS.tds)}</tt:XAddr><tt:Network><tt:IPFilter>false</tt:IPFilter><tt:ZeroConfiguration>false</tt:ZeroConfiguration><tt:IPVersion6>false</tt:IPVersion6><tt:DynDNS>false</tt:DynDNS></tt:Network><tt:System><tt:DiscoveryResolve>false</tt:DiscoveryResolve><tt:DiscoveryBye>true</tt:DiscoveryBye><tt:RemoteDiscovery>false</tt:RemoteDiscovery><tt:SystemBackup>false</tt:SystemBackup><tt:SystemLogging>false</tt:SystemLogging><tt:FirmwareUpgrade>false</tt:FirmwareUpgrade><tt:SupportedVersions><tt:Major>21</tt:Major><tt:Minor>6</tt:Minor></tt:SupportedVersions></tt:System></tt:Device>${has(
    NS.tev,
    (u) =>
      xml`<tt:Events><tt:XAddr>${u}</tt:XAddr><tt:WSSubscriptionPolicySupport>false</tt:WSSubscriptionPolicySupport><tt:WSPullPointSupport>true</tt:WSPullPointSupport><tt:WSPausableSubscriptionManagerInterfaceSupport>false</tt:WSPausableSubscriptionManagerInterfaceSupport></tt:Events>`,
  )}${has(
    NS.trt,
    (u) =>
      xml`<tt:Media><tt:XAddr>${u}</tt:XAddr><tt:StreamingCapabilities><tt:RTPMulticast>false</tt:RTPMulticast><tt:RTP_TCP>true</tt:RTP_TCP><tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP></tt:StreamingCapabilities></tt:Media>`,
  )}${has(NS.tptz, (u) => xml`<tt:PTZ><tt:XAddr>${u}</tt:XAddr></tt:PTZ>`)}${extension.length > 0 && xml`<tt:Extension>${extension}</tt:Extension>`}</tds:Capabilities>`;
}

/** Device management. Source: ONVIF Core §8 and devicemgmt.wsdl. */
export const deviceHandlers: Handlers = {
  GetSystemDateAndTime: ({ device }) => {
    const utc = new Date(device.clockAt());
    const local = new Date(device.clockAt() + 8 * 3_600_000);
    return xml`<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>${device.clockIsRight() ? 'NTP' : 'Manual'}</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>CST-8</tt:TZ></tt:TimeZone>${dateAndTime('UTC', utc)}${dateAndTime('Local', local)}</tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>`;
  },
  GetDeviceInformation: ({ device: { spec } }) =>
    xml`<tds:GetDeviceInformationResponse><tds:Manufacturer>${spec.manufacturer}</tds:Manufacturer><tds:Model>${spec.model}</tds:Model><tds:FirmwareVersion>${spec.firmware}</tds:FirmwareVersion><tds:SerialNumber>${spec.serial}</tds:SerialNumber><tds:HardwareId>${spec.model}-A</tds:HardwareId>${spec.traits.proto && new Xml('<__proto__><polluted>yes</polluted></__proto__>')}</tds:GetDeviceInformationResponse>`,
  GetCapabilities: ({ device }) =>
    xml`<tds:GetCapabilitiesResponse>${capabilities(device)}</tds:GetCapabilitiesResponse>`,
  GetServices: ({ device }) =>
    xml`<tds:GetServicesResponse>${servicesOf(device).map(
      (s) =>
        xml`<tds:Service><tds:Namespace>${s.namespace}</tds:Namespace><tds:XAddr>${device.baseUrl + s.path}</tds:XAddr><tds:Version><tt:Major>${s.version[0]}</tt:Major><tt:Minor>${s.version[1]}</tt:Minor></tds:Version></tds:Service>`,
    )}</tds:GetServicesResponse>`,
  GetScopes: ({ device }) =>
    xml`<tds:GetScopesResponse>${device.scopes.map(
      (scope, i) =>
        xml`<tds:Scopes><tt:ScopeDef>${i < 3 ? 'Fixed' : 'Configurable'}</tt:ScopeDef><tt:ScopeItem>${scope}</tt:ScopeItem></tds:Scopes>`,
    )}</tds:GetScopesResponse>`,
  GetHostname: ({ device }) =>
    xml`<tds:GetHostnameResponse><tds:HostnameInformation><tt:FromDHCP>false</tt:FromDHCP><tt:Name>${device.spec.id}</tt:Name></tds:HostnameInformation></tds:GetHostnameResponse>`,
  GetNetworkInterfaces: ({ device }) =>
    xml`<tds:GetNetworkInterfacesResponse><tds:NetworkInterfaces token="eth0"><tt:Enabled>true</tt:Enabled><tt:Info><tt:Name>eth0</tt:Name><tt:HwAddress>${device.mac}</tt:HwAddress><tt:MTU>1500</tt:MTU></tt:Info><tt:IPv4><tt:Enabled>true</tt:Enabled><tt:Config><tt:Manual><tt:Address>${device.address}</tt:Address><tt:PrefixLength>24</tt:PrefixLength></tt:Manual><tt:DHCP>false</tt:DHCP></tt:Config></tt:IPv4></tds:NetworkInterfaces></tds:GetNetworkInterfacesResponse>`,
  GetNTP: () =>
    xml`<tds:GetNTPResponse><tds:NTPInformation><tt:FromDHCP>false</tt:FromDHCP><tt:NTPManual><tt:Type>IPv4</tt:Type><tt:IPv4Address>192.168.10.1</tt:IPv4Address></tt:NTPManual></tds:NTPInformation></tds:GetNTPResponse>`,
  GetUsers: ({ device }) =>
    xml`<tds:GetUsersResponse><tds:User><tt:Username>${device.spec.user}</tt:Username><tt:UserLevel>Administrator</tt:UserLevel></tds:User></tds:GetUsersResponse>`,
};
