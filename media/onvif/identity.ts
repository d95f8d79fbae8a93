import type { DeviceInformation, NetworkInterface } from './types.ts';

/** What tells a device from every other one, whatever its address. */
export interface DeviceIdentity {
  /** The strongest key there is: `serial:<manufacturer>/<model>/<serial>`, else `mac:<mac>`, else `epr:<uuid>`. */
  key: string;
  kind: 'serial' | 'mac' | 'epr';
  /** All keys known, strongest first, so that a device once known only by a weaker one is still recognised. */
  keys: string[];
}

/** Texts that firmware ships where nobody set a value; as an identity they would merge unrelated cameras. */
const PLACEHOLDER =
  /^(?:[0\s:.\-_]*|none|null|nil|unknown|undefined|n\/?a|not ?(?:set|available|specified)|default|serial(?: ?number)?|(?:0?123456789?0?)|x+|f+)$/i;

/**
 * The identity of a device from what it tells, or undefined if it tells nothing that can be one.
 * Why this order: the serial number stays when a network card or the firmware's discovery identifier changes; manufacturer and model
 * are part of it because serials are unique only within them. A MAC is unique but belongs to the board. Some vendors derive the
 * endpoint reference anew at each factory reset.
 */
export function identityOf(facts: {
  information?: DeviceInformation;
  interfaces?: readonly NetworkInterface[];
  endpointReference?: string;
}): DeviceIdentity | undefined {
  const { serialNumber, manufacturer = '', model = '' } = facts.information ?? {};
  const found: { kind: DeviceIdentity['kind']; key: string }[] = [];
  if (isMeaningful(serialNumber))
    found.push({ kind: 'serial', key: `serial:${manufacturer}/${model}/${serialNumber}` });
  const macs = (facts.interfaces ?? []).map((item) => item.mac).filter((mac) => isMeaningful(mac));
  for (const mac of [...new Set(macs)].toSorted()) found.push({ kind: 'mac', key: `mac:${mac}` });
  const reference = facts.endpointReference && normaliseReference(facts.endpointReference);
  if (isMeaningful(reference)) found.push({ kind: 'epr', key: `epr:${reference}` });
  const [first] = found;
  return first && { ...first, keys: found.map(({ key }) => key) };
}

/** An endpoint reference without the prefixes that devices put on or leave out at will: `urn:uuid:ABC` and `uuid:abc` are `abc`. */
export function normaliseReference(reference: string): string {
  return reference
    .trim()
    .toLowerCase()
    .replace(/^(?:urn:)?(?:uuid:)?/, '')
    .replace(/^\{|\}$/g, '');
}

/** A MAC in lower case with colons, or undefined if `text` is none or is all zeros or ones. */
export function normaliseMac(text: string | undefined): string | undefined {
  const digits = text?.replace(/[:.\-\s]/g, '').toLowerCase() ?? '';
  if (!/^[0-9a-f]{12}$/.test(digits) || /^(0+|f+)$/.test(digits)) return undefined;
  return digits.match(/../g)?.join(':');
}

function isMeaningful(text: string | undefined): text is string {
  return text !== undefined && text.length >= 3 && text.length <= 200 && !PLACEHOLDER.test(text);
}
