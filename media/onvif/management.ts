import { isFinal, type DeviceContext } from './context.ts';
import { normaliseMac } from './identity.ts';
import type { DeviceInformation, NetworkInterface } from './types.ts';
import { find, list, number, text, type XmlNode } from './xml.ts';

/** GetDeviceInformation, through node-onvif-ts where it suits. */
export async function readInformation(context: DeviceContext): Promise<DeviceInformation> {
  const answer = await context.askEither('device', { operation: 'GetDeviceInformation' }, '');
  return {
    manufacturer: text(answer, 'Manufacturer'),
    model: text(answer, 'Model'),
    firmwareVersion: text(answer, 'FirmwareVersion'),
    serialNumber: text(answer, 'SerialNumber'),
    hardwareId: text(answer, 'HardwareId'),
  };
}

/** GetNetworkInterfaces: those that tell a MAC or an address. */
export async function readNetwork(context: DeviceContext): Promise<NetworkInterface[]> {
  const answer = await context.ask('device', 'GetNetworkInterfaces');
  return list(answer, 'NetworkInterfaces')
    .slice(0, 64)
    .map((node) => ({
      name: text(node, 'Info', 'Name'),
      mac: normaliseMac(text(node, 'Info', 'HwAddress')),
      addresses: addressesOf(find(node, 'IPv4', 'Config')),
    }))
    .filter(({ mac, addresses }) => mac !== undefined || addresses.length > 0);
}

/** GetEndpointReference: the identifier the device also announces in discovery; undefined if it gives none. */
export async function readReference(context: DeviceContext): Promise<string | undefined> {
  return text(await context.ask('device', 'GetEndpointReference'), 'GUID');
}

/** The result of `read`, or undefined where the device lacks it. @throws what ends the conversation (log-in refused, no answer) */
export async function optional<T>(
  context: DeviceContext,
  what: string,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isFinal(error)) throw error;
    context.log.debug({ what, error: (error as Error).message }, 'the device does not tell this');
    return undefined;
  }
}

function addressesOf(config: XmlNode | undefined): NetworkInterface['addresses'] {
  const isDhcp = text(config, 'DHCP') === 'true';
  return [...list(config, 'Manual'), ...list(config, 'FromDHCP')].flatMap((node) => {
    const address = text(node, 'Address');
    return address === undefined ? [] : [{ address, prefixLength: number(node, 'PrefixLength'), isDhcp }];
  });
}
