import L from 'leaflet';
import type { Channel, HealthState } from '#api/devices/schema.ts';
import type { PlanInfo, Place } from '#api/sites/schema.ts';

export interface MarkerSpec {
  readonly channel: Channel;
  readonly isSelected: boolean;
  /** Read out with the marker. */
  readonly label: string;
}

export interface PlanMapOptions {
  readonly onOpen: (channelId: string) => void;
  /** A marker was dropped at a point of the plan, px from its top left. */
  readonly onMove: (channelId: string, x: number, y: number) => void;
  /** The bare plan was clicked. */
  readonly onPoint: (x: number, y: number) => void;
}

/** Length of a drawn field of view, px of the plan, where nobody has measured the camera's reach. */
const sectorPx = 110;

/** Shapes differ, so that a state can be told without its colour. */
const shapes: Readonly<Record<HealthState, string>> = {
  online: '<circle cx="14" cy="14" r="9"/>',
  degraded: '<path d="M14 3 26 24H2z"/>',
  offline: '<path d="M4 4h20v20H4z"/><path class="cross" d="m9 9 10 10M19 9 9 19"/>',
  unknown: '<circle class="hollow" cx="14" cy="14" r="9"/>',
};

/**
 * A floor plan with its cameras on Leaflet, in plan pixels (y down). Leaflet's own axis points up, hence the sign in {@link toLatLng}.
 * Markers are kept between updates, so that a change of state neither flickers nor takes the keyboard focus away.
 */
export class PlanMap {
  readonly #map: L.Map;
  readonly #options: PlanMapOptions;
  readonly #markers = new Map<string, L.Marker>();
  readonly #sectors = L.layerGroup();
  readonly #areas = L.layerGroup();
  #overlay: L.ImageOverlay | undefined;
  #planUrl = '';

  constructor(element: HTMLElement, options: PlanMapOptions) {
    this.#options = options;
    this.#map = L.map(element, {
      crs: L.CRS.Simple,
      attributionControl: false,
      minZoom: -3,
      maxZoom: 3,
      zoomSnap: 0.25,
      zoomDelta: 0.5,
    });
    this.#areas.addTo(this.#map);
    this.#sectors.addTo(this.#map);
    this.#map.on('click', (event) => options.onPoint(event.latlng.lng, -event.latlng.lat));
  }

  close(): void {
    this.#map.remove();
  }

  /** Shows a plan; the view is fitted only when it is another one than before. */
  setPlan(plan: PlanInfo): void {
    if (plan.url === this.#planUrl) return;
    this.#planUrl = plan.url;
    this.#overlay?.remove();
    const bounds = L.latLngBounds([-plan.heightPx, 0], [0, plan.widthPx]);
    this.#overlay = L.imageOverlay(plan.url, bounds, { className: 'plan-image' }).addTo(this.#map);
    this.#map.setMaxBounds(bounds.pad(0.25));
    this.#map.fitBounds(bounds);
  }

  setAreas(areas: readonly Place[], nameOf: (place: Place) => string): void {
    this.#areas.clearLayers();
    for (const area of areas) {
      if (!area.outline) continue;
      const polygon = L.polygon(area.outline.map(toLatLng), { className: 'plan-area', interactive: false });
      polygon.addTo(this.#areas).getElement()?.setAttribute('aria-label', nameOf(area));
    }
  }

  setMarkers(specs: readonly MarkerSpec[], isEditable: boolean): void {
    const seen = new Set<string>();
    this.#sectors.clearLayers();
    for (const spec of specs) {
      const { channel } = spec;
      if (channel.planX === null || channel.planY === null) continue;
      seen.add(channel.id);
      const at = toLatLng({ x: channel.planX, y: channel.planY });
      const sector = sectorOf(channel);
      if (sector)
        L.polygon(sector.map(toLatLng), {
          className: `plan-sector ${channel.health}`,
          interactive: false,
        }).addTo(this.#sectors);
      const marker = this.#markers.get(channel.id) ?? this.#addMarker(channel.id, at);
      marker.setLatLng(at);
      if (isEditable) marker.dragging?.enable();
      else marker.dragging?.disable();
      paint(marker, spec);
    }
    for (const [id, marker] of this.#markers)
      if (!seen.has(id)) {
        marker.remove();
        this.#markers.delete(id);
      }
  }

  /** Brings a point into view, unless it is, without changing the zoom. */
  reveal(x: number, y: number): void {
    this.resize();
    const at = toLatLng({ x, y });
    if (!this.#map.getBounds().pad(-0.1).contains(at)) this.#map.panTo(at);
  }

  resize(): void {
    this.#map.invalidateSize();
  }

  #addMarker(channelId: string, at: L.LatLng): L.Marker {
    const icon = L.divIcon({ className: 'plan-marker', html: '', iconSize: [28, 28], iconAnchor: [14, 14] });
    const marker = L.marker(at, { icon, keyboard: true, draggable: true, autoPanOnFocus: false });
    marker.on('click', () => this.#options.onOpen(channelId));
    marker.on('keypress', (event) => {
      const { key } = event.originalEvent as KeyboardEvent;
      if (key === 'Enter' || key === ' ') this.#options.onOpen(channelId);
    });
    marker.on('dragend', () => {
      const { lng, lat } = marker.getLatLng();
      this.#options.onMove(channelId, Math.round(lng), Math.round(-lat));
    });
    marker.addTo(this.#map);
    this.#markers.set(channelId, marker);
    return marker;
  }
}

function paint(marker: L.Marker, { channel, isSelected, label }: MarkerSpec): void {
  const element = marker.getElement();
  if (!element) return;
  const look = `${channel.health} ${isSelected ? 'selected' : ''} ${channel.name}`;
  if (element.dataset.look === look) return;
  element.dataset.look = look;
  element.dataset.channel = channel.id;
  element.className = `leaflet-marker-icon leaflet-interactive plan-marker ${channel.health}${isSelected ? ' selected' : ''}`;
  element.setAttribute('aria-label', label);
  element.title = label;
  element.innerHTML = `<svg viewBox="0 0 28 28" aria-hidden="true">${shapes[channel.health]}</svg>`;
  const name = document.createElement('span');
  name.textContent = channel.name;
  element.append(name);
}

function toLatLng({ x, y }: { x: number; y: number }): L.LatLng {
  return L.latLng(-y, x);
}

/** The field of view as a fan on the plan; undefined where direction or angle is unknown. */
function sectorOf(channel: Channel): { x: number; y: number }[] | undefined {
  const { planX, planY, headingDeg, fovDeg } = channel;
  if (planX === null || planY === null || headingDeg === null || fovDeg === null) return undefined;
  const steps = Math.max(2, Math.ceil(fovDeg / 10));
  const rim = Array.from({ length: steps + 1 }, (_, at) => {
    const angle = ((headingDeg - fovDeg / 2 + (fovDeg * at) / steps) * Math.PI) / 180;
    return { x: planX + sectorPx * Math.sin(angle), y: planY - sectorPx * Math.cos(angle) };
  });
  return [{ x: planX, y: planY }, ...rim];
}
