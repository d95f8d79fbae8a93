/** ONVIF service namespaces, by the short names the specifications use. Source: ONVIF Core specification, table of namespaces. */
export const NAMESPACES = {
  tds: 'http://www.onvif.org/ver10/device/wsdl',
  trt: 'http://www.onvif.org/ver10/media/wsdl',
  tr2: 'http://www.onvif.org/ver20/media/wsdl',
  tptz: 'http://www.onvif.org/ver20/ptz/wsdl',
  tev: 'http://www.onvif.org/ver10/events/wsdl',
  trc: 'http://www.onvif.org/ver10/recording/wsdl',
  tse: 'http://www.onvif.org/ver10/search/wsdl',
  trp: 'http://www.onvif.org/ver10/replay/wsdl',
  tt: 'http://www.onvif.org/ver10/schema',
} as const;

export type ServiceName =
  'device' | 'media1' | 'media2' | 'ptz' | 'events' | 'recording' | 'search' | 'replay';

/** The namespace prefix of each service. */
export const PREFIX_OF: Readonly<Record<ServiceName, Exclude<keyof typeof NAMESPACES, 'tt'>>> = {
  device: 'tds',
  media1: 'trt',
  media2: 'tr2',
  ptz: 'tptz',
  events: 'tev',
  recording: 'trc',
  search: 'tse',
  replay: 'trp',
};
