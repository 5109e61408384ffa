/** Where desktops stand, and how much of each card is in use. */
import { Label, Progress, ProgressSize } from "@patternfly/react-core";
import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../../api/client";
import { sentence } from "../../../api/problem";
import { STATES } from "../../dashboard";
import { When } from "../../parts/When";
import { count, GPU_MODES } from "../../words";

export function Places({ hosts }: { hosts: Schemas["DashboardHost"][] }) {
  return (
    <ul className="dash-failures" aria-label="Hosts and clouds">
      {hosts.map((host) => (
        <li key={`${host.kind} ${host.name}`}>
          <div className="reconciler-head">
            <strong>
              <Link to={host.kind === "host" ? "/host" : "/clouds"}>{host.name}</Link>
            </strong>
            <Label isCompact color={STATES[host.state].tone}>
              {STATES[host.state].text}
            </Label>
          </div>
          <p className="about wrap">
            {host.kind === "cloud" && "Cloud. "}
            {sentence(host.reason)}
            {host.looked_at && (
              <>
                {" "}
                Looked at <When at={host.looked_at} />.
              </>
            )}
          </p>
        </li>
      ))}
    </ul>
  );
}

export function Cards({ gpus }: { gpus: Schemas["DashboardGpu"][] }) {
  return (
    <ul className="dash-cards" aria-label="GPUs in use">
      {gpus.map((gpu) => (
        <li key={gpu.address}>
          <Progress
            size={ProgressSize.sm}
            title={`${gpu.name}, ${GPU_MODES[gpu.mode].text.toLowerCase()}`}
            aria-label={`${gpu.name} at ${gpu.address}`}
            value={gpu.used}
            max={Math.max(1, gpu.slots)}
            measureLocation="top"
            label={gpu.slots > 0 ? `${gpu.used} of ${gpu.slots}` : " "}
            helperText={count(gpu.desktops, "desktop")}
          />
        </li>
      ))}
    </ul>
  );
}
