/** Which GPU a pool's desktops get, and from which cards. */
import { ExpandableSection, FormGroup, Grid, GridItem } from "@patternfly/react-core";
import { useState } from "react";
import type { Schemas } from "../../../api/client";
import { Choice, Field, Tick } from "../../parts/Field";
import { faultOf, type GpuDraft, NO_GPU, profileOf } from "./gpu-request";

const VENDORS: Array<readonly [string, string]> = [
  ["", "Any"],
  ["nvidia", "NVIDIA"],
  ["amd", "AMD"],
  ["intel", "Intel"],
];
const WHERE: Array<readonly [string, string]> = [
  ["", "As the server's configuration says"],
  ["density", "Density: fill one card after the other"],
  ["performance", "Performance: few neighbours on a card"],
  ["cards", "Only these cards, in this order"],
];

/** What the host's cards give, and what the pool asks for already. */
function kinds(gpus: Schemas["Gpu"][], now: string) {
  const options: Array<readonly [string, string]> = [
    ["none", "None: desktops draw in software"],
    ["auto", "Any: shared before sliced before whole"],
    ["shared", "Shared: the host draws for many"],
    ["vf", "A virtual function"],
    ["whole", "A whole card"],
    ["vgpu", "A slice of any profile"],
  ];
  const keys = new Set(gpus.flatMap((gpu) => gpu.modes.vgpu.profiles.map((p) => p.key)));
  for (const key of keys) options.push([`vgpu ${key}`, `A slice: ${key}`]);
  if (!options.some(([value]) => value === now)) options.push([now, now]);
  return options;
}

interface GpuChoiceProps {
  value: GpuDraft;
  onChange: (value: GpuDraft) => void;
  gpus: Schemas["Gpu"][];
}

export function GpuChoice({ value, onChange, gpus }: GpuChoiceProps) {
  const plain = JSON.stringify({ ...NO_GPU, kind: value.kind }) === JSON.stringify(value);
  const [open, setOpen] = useState(!plain);
  const set = (part: Partial<GpuDraft>) => onChange({ ...value, ...part });
  const vendors =
    value.vendor && !VENDORS.some(([word]) => word === value.vendor)
      ? [...VENDORS, [value.vendor, value.vendor] as const]
      : VENDORS;
  return (
    <>
      <Choice
        label="GPU"
        value={value.kind}
        onChange={(kind) => set({ kind })}
        options={kinds(gpus, value.kind)}
        help="Held while a desktop runs"
      />
      {value.kind !== "none" && (
        <ExpandableSection toggleText="Which cards" isExpanded={open} onToggle={(_, to) => setOpen(to)}>
          <Grid hasGutter sm={6}>
            <GridItem>
              <Field
                label="GPUs of one desktop"
                type="number"
                min={1}
                max={16}
                value={value.count}
                onChange={(count) => set({ count })}
                fault={faultOf({ ...value, where: "", framebuffer: "" })}
                help="All of one kind, on one host"
              />
            </GridItem>
            <GridItem>
              <Choice
                label="Vendor"
                value={value.vendor}
                onChange={(vendor) => set({ vendor })}
                options={vendors}
              />
            </GridItem>
            {!profileOf(value) && (
              <GridItem sm={12}>
                <Field
                  label="Least graphics memory, in MiB"
                  type="number"
                  min={1}
                  value={value.framebuffer}
                  onChange={(framebuffer) => set({ framebuffer })}
                  fault={faultOf({ ...value, where: "", count: "1" })}
                  placeholder="Any"
                />
              </GridItem>
            )}
            <GridItem sm={12}>
              <Choice
                label="Placement"
                value={value.where}
                onChange={(where) => set({ where, cards: where === "cards" ? value.cards : [] })}
                options={WHERE}
              />
            </GridItem>
            {value.where === "cards" && (
              <GridItem sm={12}>
                <Cards value={value.cards} onChange={(cards) => set({ cards })} gpus={gpus} />
              </GridItem>
            )}
          </Grid>
        </ExpandableSection>
      )}
    </>
  );
}

interface CardsProps {
  value: string[];
  onChange: (value: string[]) => void;
  gpus: Schemas["Gpu"][];
}

/** The first ticked is tried first. A card that the pool names and the host has no more is shown: only people take it off. */
function Cards({ value, onChange, gpus }: CardsProps) {
  const gone = value.filter((address) => !gpus.some((gpu) => gpu.address === address));
  const rows = [
    ...gpus.map((gpu) => [gpu.address, `${gpu.vendor} ${gpu.board}`] as const),
    ...gone.map((address) => [address, "not in the host now"] as const),
  ];
  return (
    <FormGroup label="Cards" role="group" className="stack">
      {rows.length === 0 && "The host has no GPU."}
      {rows.map(([address, name]) => {
        const at = value.indexOf(address);
        return (
          <Tick
            key={address}
            label={`${name}, ${address}`}
            help={at >= 0 && value.length > 1 ? `Tried ${at + 1} of ${value.length}` : undefined}
            value={at >= 0}
            onChange={(on) => onChange(on ? [...value, address] : value.filter((one) => one !== address))}
          />
        );
      })}
    </FormGroup>
  );
}
