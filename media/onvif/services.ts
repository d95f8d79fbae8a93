import { isFinal, type DeviceContext } from './context.ts';
import { NAMESPACES, PREFIX_OF, type ServiceName } from './namespaces.ts';
import type { Services } from './types.ts';
import { find, list, text, type XmlNode } from './xml.ts';

/**
 * The services a device offers: GetServices, or GetCapabilities where it lacks that (before ONVIF 2.1). A device that answers neither
 * still has its device service.
 * @throws MediaError when the device refuses the log-in or does not answer
 */
export async function readServices(context: DeviceContext): Promise<Services> {
  try {
    const answer = await context.ask(
      'device',
      'GetServices',
      '<tds:IncludeCapability>false</tds:IncludeCapability>',
    );
    const found = fromServices(answer, context);
    if (Object.keys(found).length > 1) return found;
    context.log.debug({}, 'GetServices lists nothing of use, asking GetCapabilities');
  } catch (error) {
    if (isFinal(error)) throw error;
    context.log.debug({ error: (error as Error).message }, 'GetServices failed, asking GetCapabilities');
  }
  try {
    return fromCapabilities(
      await context.ask('device', 'GetCapabilities', '<tds:Category>All</tds:Category>'),
      context,
    );
  } catch (error) {
    if (isFinal(error)) throw error;
    context.log.warn({ error: (error as Error).message }, 'the device does not list its services');
    return { device: context.xaddr };
  }
}

const SERVICE_NAMES = Object.keys(PREFIX_OF) as ServiceName[];

function fromServices(answer: XmlNode, context: DeviceContext): Services {
  const services: Services = { device: context.xaddr };
  for (const service of list(answer, 'Service')) {
    const namespace = text(service, 'Namespace')?.replace(/\/+$/, '');
    const name = SERVICE_NAMES.find((known) => NAMESPACES[PREFIX_OF[known]] === namespace);
    if (name && name !== 'device') add(services, name, text(service, 'XAddr'), context);
  }
  return services;
}

/** Source: ONVIF device.wsdl, tt:Capabilities: Profile G services and Media2 are outside its fixed part; Media2 is never there. */
function fromCapabilities(answer: XmlNode, context: DeviceContext): Services {
  const services: Services = { device: context.xaddr };
  const root = find(answer, 'Capabilities');
  const extension = find(root, 'Extension');
  add(services, 'media1', text(root, 'Media', 'XAddr'), context);
  add(services, 'ptz', text(root, 'PTZ', 'XAddr'), context);
  add(services, 'events', text(root, 'Events', 'XAddr'), context);
  add(services, 'recording', text(extension, 'Recording', 'XAddr'), context);
  add(services, 'search', text(extension, 'Search', 'XAddr'), context);
  add(services, 'replay', text(extension, 'Replay', 'XAddr'), context);
  return services;
}

function add(services: Services, name: ServiceName, xaddr: string | undefined, context: DeviceContext): void {
  const corrected = xaddr === undefined ? undefined : context.correct(xaddr, 'http');
  if (!corrected) return;
  if (corrected.replaced)
    context.log.debug({ service: name, ...corrected.replaced }, 'service address corrected');
  services[name] ??= corrected.uri;
}
