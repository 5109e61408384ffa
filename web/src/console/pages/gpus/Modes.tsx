/** Each way of handing the card out: available, or why not; and the sizes of its slices. */
import { ExpandableSection, Label } from "@patternfly/react-core";
import { Table, Tbody, Td, Th, Thead, Tr } from "@patternfly/react-table";
import { useState } from "react";
import type { Schemas } from "../../../api/client";
import { sentence } from "../../../api/problem";
import { count, GPU_MODES, GPU_REGIMES, memory } from "../../words";

type Gpu = Schemas["Gpu"];

export function Modes({ gpu }: { gpu: Gpu }) {
  const { whole, vgpu, vf, shared } = gpu.modes;
  const more = {
    whole: "",
    vgpu: vgpu.available ? count(vgpu.profiles.length, "profile") : "",
    vf: vf.available ? `${vf.enabled} of ${vf.total} made` : "",
    shared: shared.render_node ?? "",
  };
  return (
    <>
      <ul className="gpu-modes" aria-label={`Modes of ${gpu.address}`}>
        {(
          [
            ["whole", whole],
            ["vgpu", vgpu],
            ["vf", vf],
            ["shared", shared],
          ] as const
        ).map(([mode, can]) => (
          <li key={mode}>
            <span>
              <Label
                isCompact
                color={can.available ? "green" : "grey"}
                variant={can.available ? "filled" : "outline"}
              >
                {GPU_MODES[mode].text}
              </Label>
            </span>
            <span>
              {can.available ? (
                <>
                  {GPU_MODES[mode].about} <span className="about">{more[mode]}</span>
                </>
              ) : (
                can.reasons.map((reason) => <p key={reason}>{sentence(reason)}</p>)
              )}
            </span>
          </li>
        ))}
      </ul>
      {vgpu.profiles.length > 0 && <Profiles gpu={gpu} />}
    </>
  );
}

function Profiles({ gpu }: { gpu: Gpu }) {
  const [open, setOpen] = useState(false);
  const { profiles, regime } = gpu.modes.vgpu;
  return (
    <ExpandableSection
      toggleText={`${count(profiles.length, "profile")}${regime ? `, ${GPU_REGIMES[regime]}` : ""}`}
      toggleAriaLabel={`Profiles of ${gpu.address}`}
      isExpanded={open}
      onToggle={(_, to) => setOpen(to)}
    >
      <Table aria-label={`Profiles of ${gpu.address}`} variant="compact">
        <Thead>
          <Tr>
            <Th>Profile</Th>
            <Th>Framebuffer</Th>
            <Th>Free now</Th>
            <Th>Screens</Th>
            <Th>Frames</Th>
            <Th>Licence</Th>
          </Tr>
        </Thead>
        <Tbody>
          {profiles.map((p) => (
            <Tr key={p.key}>
              <Td dataLabel="Profile">
                <strong>{p.key}</strong>
              </Td>
              <Td dataLabel="Framebuffer">{memory(p.framebuffer_mib)}</Td>
              <Td dataLabel="Free now" className="numbers">
                {p.free} <span className="about">of {p.max_per_gpu}</span>
              </Td>
              <Td dataLabel="Screens">
                {p.heads > 0 && `${p.heads} × ${p.max_resolution.replace("x", " × ")}`}
              </Td>
              <Td dataLabel="Frames">{p.frame_rate_limit ? `${p.frame_rate_limit} /s` : "no limit"}</Td>
              <Td dataLabel="Licence">{p.license ?? "none"}</Td>
            </Tr>
          ))}
        </Tbody>
      </Table>
    </ExpandableSection>
  );
}
