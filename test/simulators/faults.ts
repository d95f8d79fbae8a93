/** What can be switched on a running device; several at once, each really done on the wire. */
export type Fault =
  | { kind: 'drop' } // HTTP and RTSP closed: connection refused
  | { kind: 'freeze' } // the same picture repeats, clock and counter included
  | { kind: 'black' } // picture all black, overlays too
  | { kind: 'white' }
  | { kind: 'blur' } // the lens out of focus; overlays stay sharp
  | { kind: 'covered' } // something over the lens; overlays stay
  | { kind: 'clockSkew'; skewMs: number } // the device's clock, in its answers and in the picture
  | { kind: 'refusePassword' } // the right password is refused, over HTTP and RTSP
  | { kind: 'lockout' } // the account is locked: SOAP fault says so, RTSP refuses
  | { kind: 'slow'; delayMs: number } // every HTTP answer and RTSP DESCRIBE waits
  | { kind: 'stall'; afterMs: number } // each stream gives RTP so long, then none; TCP stays open
  | { kind: 'noVideo' } // DESCRIBE, SETUP and PLAY succeed, no RTP comes
  | { kind: 'malformedSoap' } // 200 with XML cut off in the middle
  | { kind: 'changeAddress'; host: number }; // moves to another last address part; says Hello

export type FaultKind = Fault['kind'];

/** The device state that rtsp/server.py understands. */
export interface RtspState {
  online: boolean;
  address: string;
  refusePassword: boolean;
  freeze: boolean;
  picture: 'normal' | 'black' | 'white' | 'blur' | 'covered';
  clockSkewMs: number;
  stallAfterMs: number | null;
  slowMs: number;
}

/** A device's active faults: at most one of a kind, the last one set. */
export class FaultSet {
  readonly #byKind = new Map<FaultKind, Fault>();

  set(fault: Fault): void {
    this.#byKind.set(fault.kind, fault);
  }

  clear(kind?: FaultKind): void {
    if (kind === undefined) this.#byKind.clear();
    else this.#byKind.delete(kind);
  }

  has(kind: FaultKind): boolean {
    return this.#byKind.has(kind);
  }

  get<K extends FaultKind>(kind: K): Extract<Fault, { kind: K }> | undefined {
    return this.#byKind.get(kind) as Extract<Fault, { kind: K }> | undefined;
  }

  list(): Fault[] {
    return [...this.#byKind.values()];
  }
}
