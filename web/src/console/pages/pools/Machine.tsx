/** What a pool's machines are made of beyond their size. As usual is right for nearly everybody: it is folded away. */
import { ExpandableSection, Grid, GridItem } from "@patternfly/react-core";
import { useState } from "react";
import type { Schemas } from "../../../api/client";
import { Choice, Tick } from "../../parts/Field";

export type Hardware = Required<Schemas["Hardware"]>;

export const USUAL: Hardware = {
  firmware: "auto",
  tpm: false,
  hide_hypervisor: false,
  console: "beside",
  igd: "universal",
  vulkan: false,
  hugepages_mib: null,
  lock_memory: false,
  numa: "beside_card",
};

const FIRMWARE: Array<readonly [Hardware["firmware"], string]> = [
  ["auto", "As the GPU and the system need it"],
  ["bios", "BIOS"],
  ["uefi", "UEFI"],
  ["secure_uefi", "UEFI with Secure Boot"],
];
const CONSOLE: Array<readonly [Hardware["console"], string]> = [
  ["beside", "Beside the GPU: people see the machine start"],
  ["without", "None: the GPU is the only display"],
];
const IGD: Array<readonly [Hardware["igd"], string]> = [
  ["universal", "As a second display"],
  ["legacy", "As the only display: monitors at the host show the desktop"],
];
const NUMA: Array<readonly [Hardware["numa"], string]> = [
  ["beside_card", "Those beside the GPU"],
  ["anywhere", "Any"],
];
const PAGES = ["2", "1024"];

/** Without a GPU there is nothing to wish of it. */
export function fitting(hardware: Hardware, gpu: string): Hardware {
  if (gpu !== "none") return hardware;
  return { ...hardware, console: USUAL.console, igd: USUAL.igd, vulkan: USUAL.vulkan, numa: USUAL.numa };
}

interface MachineProps {
  value: Hardware;
  onChange: (value: Hardware) => void;
  /** `none`, or what the pool asks of a GPU. */
  gpu: string;
}

export function Machine({ value, onChange, gpu }: MachineProps) {
  const [open, setOpen] = useState(JSON.stringify(value) !== JSON.stringify(USUAL));
  const set = (part: Partial<Hardware>) => onChange({ ...value, ...part });
  const pages = value.hugepages_mib ? String(value.hugepages_mib) : "";
  const eleven = value.tpm && value.firmware === "secure_uefi";
  const sizes = pages && !PAGES.includes(pages) ? [...PAGES, pages] : PAGES;
  return (
    <ExpandableSection toggleText="Machine" isExpanded={open} onToggle={(_, to) => setOpen(to)}>
      <Grid hasGutter sm={6}>
        <GridItem sm={12}>
          <Tick
            label="For Windows 11"
            help="Secure Boot and a TPM 2.0"
            value={eleven}
            onChange={(on) => set({ tpm: on, firmware: on ? "secure_uefi" : "auto" })}
          />
        </GridItem>
        <GridItem>
          <Choice
            label="Firmware"
            value={value.firmware}
            onChange={(firmware) => set({ firmware: firmware as Hardware["firmware"] })}
            options={FIRMWARE}
          />
        </GridItem>
        <GridItem>
          <Choice
            label="Huge pages"
            value={pages}
            onChange={(size) => set({ hugepages_mib: size ? Number(size) : null })}
            options={[
              ["", "None"],
              ...sizes.map((size) => [size, size === "1024" ? "1 GiB" : `${size} MiB`] as const),
            ]}
            help="The host must have set them aside"
          />
        </GridItem>
        <GridItem sm={12} className="stack">
          <Tick label="TPM" help="An emulated TPM 2.0" value={value.tpm} onChange={(tpm) => set({ tpm })} />
          <Tick
            label="Hide the hypervisor"
            help="For NVIDIA's GeForce drivers before 465, which stop with code 43 in a virtual machine"
            value={value.hide_hypervisor}
            onChange={(hide_hypervisor) => set({ hide_hypervisor })}
          />
          <Tick
            label="Lock memory"
            help="Keeps all of the machine's memory in RAM; what a GPU reaches is pinned without it"
            value={value.lock_memory}
            onChange={(lock_memory) => set({ lock_memory })}
          />
          {gpu !== "none" && (
            <Tick
              label="Vulkan"
              help="Through a shared GPU, where the host has Linux 6.13 and virglrenderer 1.0"
              value={value.vulkan}
              onChange={(vulkan) => set({ vulkan })}
            />
          )}
        </GridItem>
        {gpu !== "none" && (
          <>
            <GridItem>
              <Choice
                label="Console"
                value={value.console}
                onChange={(to) => set({ console: to as Hardware["console"] })}
                options={CONSOLE}
              />
            </GridItem>
            <GridItem>
              <Choice
                label="Processors and memory"
                value={value.numa}
                onChange={(numa) => set({ numa: numa as Hardware["numa"] })}
                options={NUMA}
                help="On hosts with several NUMA nodes"
              />
            </GridItem>
            <GridItem sm={12}>
              <Choice
                label="An integrated Intel GPU, whole"
                value={value.igd}
                onChange={(igd) => set({ igd: igd as Hardware["igd"] })}
                options={IGD}
              />
            </GridItem>
          </>
        )}
      </Grid>
    </ExpandableSection>
  );
}
