const octet = '(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
/** An IPv4 block as 10.20.0.0/16: the form the server's schema asks for. */
const block = new RegExp(`^${octet}(\\.${octet}){3}/(3[0-2]|[12]?\\d)$`);

export interface ParsedNetworks {
  readonly networks: readonly string[];
  /** The first line that is no IPv4 block, as typed; undefined: all are. */
  readonly badLine: string | undefined;
}

/** Reads IPv4 blocks typed one a line or separated by commas; empty lines and repeats are dropped. */
export function parseNetworks(text: string): ParsedNetworks {
  const parts = text
    .split(/[\n,;\uff0c\uff1b]+/u) // also the full-width comma and semicolon of a Chinese keyboard
    .map((part) => part.trim())
    .filter((part) => part !== '');
  return {
    networks: [...new Set(parts)],
    badLine: parts.find((part) => !block.test(part)),
  };
}
