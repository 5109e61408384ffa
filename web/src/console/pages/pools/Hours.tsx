/** When a pool is busy, and what becomes of who does nothing: a guided part of its form that says what saving comes to. */
import { Button, ExpandableSection, Grid, GridItem, List, ListItem } from "@patternfly/react-core";
import { Field, Tick } from "../../parts/Field";
import * as hours from "./hours";
import type { SizeDraft } from "./Spares";

interface Props {
  value: hours.HoursDraft;
  onChange: (value: hours.HoursDraft) => void;
  /** Null for external machines: nothing is kept ready of them, and only those behind a device are shut down. */
  size: SizeDraft | null;
  /** Why it cannot be saved, or "". */
  fault: string;
}

export function Hours({ value, onChange, size, fault }: Props) {
  const set = (part: Partial<hours.HoursDraft>) => onChange({ ...value, ...part });
  const peaks = (change: (list: hours.PeakDraft[]) => hours.PeakDraft[]) =>
    set({ peaks: change(value.peaks) });
  const has = value.peaks.length > 0;
  const said = fault ? [] : hours.consequences(value, size);
  return (
    <ExpandableSection
      toggleText={`Hours and leaving: ${fault || (said.length === 1 ? said[0] : `${said.length} rules`)}`}
      isIndented
    >
      <div className="rules">
        {value.peaks.map((peak, place) => (
          <Peak
            // biome-ignore lint/suspicious/noArrayIndexKey: a peak has no name of its own, and its fields hold no state
            key={place}
            number={place + 1}
            value={peak}
            onChange={(to) => peaks((list) => list.map((one, at) => (at === place ? to : one)))}
            onRemove={() => peaks((list) => list.filter((_, at) => at !== place))}
          />
        ))}
        <Button variant="secondary" size="sm" onClick={() => peaks((list) => [...list, hours.freshPeak()])}>
          {has ? "Add another peak" : "Add a peak: hours at which the pool is busy"}
        </Button>
        {has && <OffPeak value={value} set={set} size={size} />}
        <Grid hasGutter sm={6}>
          <GridItem>
            <Field
              label="Disconnect after, in minutes"
              type="number"
              min={1}
              value={value.idle}
              onChange={(idle) => set({ idle })}
              fault={hours.idleFault(value.idle)}
              help="Without a key or a pointer; empty for never"
            />
          </GridItem>
          <GridItem>
            <Field
              label="Told before, in seconds"
              type="number"
              min={0}
              value={value.warn}
              onChange={(warn) => set({ warn })}
              fault={hours.warnFault(value.warn)}
              help="In the viewer; at most half of the time"
            />
          </GridItem>
          <GridItem>
            <Field
              label="Shut down after, in minutes"
              type="number"
              min={1}
              value={value.shutDown}
              onChange={(shutDown) => set({ shutDown })}
              fault={hours.shutDownFault(value.shutDown)}
              help={
                size
                  ? "Without a connection to somebody's desktop; empty for never"
                  : "Machines behind a device that somebody was connected to; empty for never"
              }
            />
          </GridItem>
        </Grid>
        {has && (
          <Tick
            label="Other times off peak"
            value={value.differs}
            onChange={(differs) => set({ differs })}
            help="For disconnecting and shutting down"
          />
        )}
        {has && value.differs && (
          <Grid hasGutter sm={6}>
            <GridItem>
              <Field
                label="Disconnect off peak after, in minutes"
                type="number"
                min={1}
                value={value.offIdle}
                onChange={(offIdle) => set({ offIdle })}
                fault={hours.idleFault(value.offIdle)}
                help="Empty for never"
              />
            </GridItem>
            <GridItem>
              <Field
                label="Shut down off peak after, in minutes"
                type="number"
                min={1}
                value={value.offShutDown}
                onChange={(offShutDown) => set({ offShutDown })}
                fault={hours.shutDownFault(value.offShutDown)}
                help="Empty for never"
              />
            </GridItem>
          </Grid>
        )}
        {said.length > 0 && (
          <div role="status">
            <strong>So:</strong>
            <List>
              {said.map((sentence) => (
                <ListItem key={sentence}>{sentence}</ListItem>
              ))}
            </List>
          </div>
        )}
      </div>
    </ExpandableSection>
  );
}

interface PeakProps {
  number: number;
  value: hours.PeakDraft;
  onChange: (value: hours.PeakDraft) => void;
  onRemove: () => void;
}

function Peak({ number, value, onChange, onRemove }: PeakProps) {
  const fault = hours.peakFault(value);
  const set = (part: Partial<hours.PeakDraft>) => onChange({ ...value, ...part });
  return (
    <fieldset>
      <legend>
        Peak {number}
        {fault ? `: ${fault}` : ""}{" "}
        <Button variant="link" isInline onClick={onRemove} aria-label={`Remove peak ${number}`}>
          Remove
        </Button>
      </legend>
      <div className="days">
        {hours.DAY_NAMES.map((name, day) => (
          <Tick
            key={name}
            label={name}
            value={value.days[day] ?? false}
            onChange={(on) => set({ days: value.days.map((was, at) => (at === day ? on : was)) })}
          />
        ))}
      </div>
      <Grid hasGutter sm={4}>
        <GridItem>
          <Field label="From" value={value.from} onChange={(from) => set({ from })} placeholder="08:00" />
        </GridItem>
        <GridItem>
          <Field
            label="To"
            value={value.to}
            onChange={(to) => set({ to })}
            placeholder="18:00"
            help="Earlier than From: until the next day"
          />
        </GridItem>
        <GridItem>
          <Field
            label="Time zone"
            value={value.zone}
            onChange={(zone) => set({ zone })}
            placeholder="Europe/Berlin"
          />
        </GridItem>
      </Grid>
    </fieldset>
  );
}

interface OffPeakProps {
  value: hours.HoursDraft;
  set: (part: Partial<hours.HoursDraft>) => void;
  size: SizeDraft | null;
}

function OffPeak({ value, set, size }: OffPeakProps) {
  return (
    <Grid hasGutter sm={6}>
      <GridItem>
        <Field
          label="Holidays"
          value={value.holidays}
          onChange={(holidays) => set({ holidays })}
          fault={hours.holidaysFault(value)}
          placeholder="2026-12-25 2027-01-01"
          help="Days on which no peak begins"
        />
      </GridItem>
      {size && (
        <>
          <GridItem>
            <Field
              label="Begin spares ahead of a peak, in minutes"
              type="number"
              min={0}
              value={value.ahead}
              onChange={(ahead) => set({ ahead })}
              fault={hours.aheadFault(value.ahead)}
            />
          </GridItem>
          <GridItem>
            <Field
              label="Running spares off peak"
              type="number"
              min={0}
              value={value.offRunning}
              onChange={(offRunning) => set({ offRunning })}
              fault={hours.countFault(value.offRunning)}
              help="Empty for as at peak"
            />
          </GridItem>
          <GridItem>
            <Field
              label="Stopped spares off peak"
              type="number"
              min={0}
              value={value.offStopped}
              onChange={(offStopped) => set({ offStopped })}
              fault={hours.countFault(value.offStopped)}
              help="Empty for as at peak"
            />
          </GridItem>
          <GridItem>
            <Field
              label="Least desktops off peak"
              type="number"
              min={0}
              value={value.offMin}
              onChange={(offMin) => set({ offMin })}
              fault={hours.countFault(value.offMin)}
              help="Empty for as at peak"
            />
          </GridItem>
        </>
      )}
      {size && size.kind !== "dedicated" && (
        <GridItem>
          <Field
            label="Waits for its person off peak, in minutes"
            type="number"
            min={0}
            value={value.offBack}
            onChange={(offBack) => set({ offBack })}
            fault={hours.countFault(value.offBack)}
            help="Empty for as at peak"
          />
        </GridItem>
      )}
    </Grid>
  );
}
