/** The devices of a bedroom, as the world knows them: the taskflow does not. */
export interface Device {
  /** How long it takes to answer over its radio. */
  readonly latencyMs: number;
  /** How often it does not answer at all before it is awake. */
  readonly offlineTimes?: number;
}

export const DEVICES: Readonly<Record<string, Device>> = {
  "ceiling-light": { latencyMs: 450 },
  "reading-lamp": { latencyMs: 700 },
  "window-blind": { latencyMs: 650, offlineTimes: 2 },
  thermostat: { latencyMs: 950 },
  "door-sensor": { latencyMs: 550 },
  "motion-sensor": { latencyMs: 800 },
  "smart-plug": { latencyMs: 350 },
  speaker: { latencyMs: 1_100 },
  humidifier: { latencyMs: 900 },
  "alarm-clock": { latencyMs: 500 },
};

/** Any other device. */
export const USUAL: Device = { latencyMs: 300 };
