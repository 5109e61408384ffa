/** The host's GPUs: what each is divided into and who holds it, what it could do and why it can't, and switching it. */
import {
  Card,
  CardBody,
  CardHeader,
  CardTitle,
  EmptyState,
  EmptyStateBody,
  Label,
} from "@patternfly/react-core";
import MicrochipIcon from "@patternfly/react-icons/dist/esm/icons/microchip-icon";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { Loaded } from "../parts/Loaded";
import { Only } from "../parts/Only";
import { ReasonButton } from "../parts/ReasonButton";
import { gpuFindingsQuery, gpusQuery } from "../queries";
import { useWhyNot } from "../shell/me";
import { PageHead } from "../shell/PageHead";
import { GPU_MODES, memory } from "../words";
import { Modes } from "./gpus/Modes";
import { Slots } from "./gpus/Slots";
import { SwitchMode } from "./gpus/SwitchMode";
import { TimePlan } from "./gpus/TimePlan";
import { Findings } from "./host/Findings";

type Gpu = Schemas["Gpu"];

export function Gpus() {
  return (
    <Only to="gpus_read" title="GPUs">
      <Inside />
    </Only>
  );
}

function Inside() {
  const gpus = useQuery(gpusQuery);
  const [switching, setSwitching] = useState<string | null>(null);
  const chosen = gpus.data?.find((gpu) => gpu.address === switching);
  return (
    <>
      <PageHead title="GPUs" about="What each GPU can do, why it can't, and which desktops hold it." />
      <Loaded query={gpus}>
        {(list) =>
          list.length === 0 ? (
            <EmptyState icon={MicrochipIcon} titleText="No GPU" headingLevel="h2">
              <EmptyStateBody>
                This host has no display, 3D or processing controller. Desktops draw in software.
              </EmptyStateBody>
            </EmptyState>
          ) : (
            <div className="stack">
              {list.map((gpu) => (
                <One key={gpu.address} gpu={gpu} onSwitch={() => setSwitching(gpu.address)} />
              ))}
            </div>
          )
        }
      </Loaded>
      {chosen && <SwitchMode gpu={chosen} onClose={() => setSwitching(null)} />}
    </>
  );
}

function One({ gpu, onSwitch }: { gpu: Gpu; onSwitch: () => void }) {
  const locked = useWhyNot("gpus_write");
  const findings = useQuery(gpuFindingsQuery(gpu.address));
  const mode = GPU_MODES[gpu.mode];
  return (
    <Card component="article" aria-label={`${gpu.board}, ${gpu.address}`}>
      <CardHeader
        actions={{
          actions: (
            <ReasonButton
              variant="secondary"
              reason={locked || (gpu.switching ? "Its mode is being changed" : "")}
              onClick={onSwitch}
              aria-label={`Switch the mode of ${gpu.address}`}
            >
              Switch mode…
            </ReasonButton>
          ),
        }}
      >
        <CardTitle component="h2">
          {gpu.vendor} {gpu.board}{" "}
          <Label isCompact color={mode.tone}>
            {mode.text}
          </Label>
          {gpu.only_profile && (
            <Label isCompact variant="outline">
              Only {gpu.only_profile}
            </Label>
          )}
          {gpu.boot_vga && (
            <Label isCompact variant="outline">
              Shows the host's console
            </Label>
          )}
        </CardTitle>
        <p className="about numbers">
          {gpu.address} · {gpu.name}
          {gpu.vram_mib !== null && ` · ${memory(gpu.vram_mib)}`}
          {gpu.numa_node !== null && ` · NUMA node ${gpu.numa_node}`}
          {gpu.iommu_group && ` · IOMMU group ${gpu.iommu_group.id}`}
          {` · ${gpu.driver ? `driver ${gpu.driver}` : "no driver"}`}
        </p>
      </CardHeader>
      <CardBody className="gpu-body">
        <section className="stack" aria-label="Use">
          {gpu.switching && (
            <p>
              Its mode is being changed.{" "}
              <Link to="/operations" search={{ id: gpu.switching }}>
                See how far it is
              </Link>
            </p>
          )}
          <Slots gpu={gpu} />
          <Modes gpu={gpu} />
          <TimePlan gpu={gpu} />
        </section>
        <section className="stack" aria-label="Findings">
          <Loaded query={findings} bare>
            {(list) => <Findings list={list} />}
          </Loaded>
        </section>
      </CardBody>
    </Card>
  );
}
