/** Another mode for a GPU: what will be done is shown before it is done. */
import { Alert, Button, Form } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { sentence } from "../../../api/problem";
import { useAct } from "../../act";
import { Dialogue } from "../../parts/Dialogue";
import { Choice, Field, Tick } from "../../parts/Field";
import { Loaded } from "../../parts/Loaded";
import { ProblemAlert } from "../../parts/ProblemState";
import { ReasonButton } from "../../parts/ReasonButton";
import { GPU_MODES } from "../../words";

type Gpu = Schemas["Gpu"];
type Mode = Schemas["GpuMode"];
/** Its PCI vendor id. */
const NVIDIA = "10de";
const MODES: Mode[] = ["host", "shared", "vgpu", "vf", "whole"];

const counted = (text: string) => (/^[1-9]\d{0,2}$/.test(text) ? Number(text) : null);

export function SwitchMode({ gpu, onClose }: { gpu: Gpu; onClose: () => void }) {
  const [mode, setMode] = useState<Mode>(gpu.mode);
  const [profile, setProfile] = useState(gpu.only_profile ?? "");
  // Each mode counts something of its own: what was typed for one is not sent with another.
  const [slices, setSlices] = useState("");
  const [functions, setFunctions] = useState("");
  const [mixed, setMixed] = useState(false);
  const [force, setForce] = useState(false);
  const [drained, setDrained] = useState(false);
  const sliced = mode === "vgpu";
  const body = {
    mode,
    profile: sliced && profile ? profile : null,
    count: sliced ? (profile ? counted(slices) : null) : mode === "vf" ? counted(functions) : null,
    mixed: sliced && mixed,
    force,
    drained: false,
  };
  const asNow =
    mode === gpu.mode &&
    (!sliced || profile === (gpu.only_profile ?? "")) &&
    body.count === null &&
    !body.mixed;
  const path = { address: gpu.address };
  const plan = useQuery({
    queryKey: ["gpu-plan", gpu.address, body],
    queryFn: () => answer(client.POST("/api/v1/gpus/{address}/plan", { params: { path }, body })),
    enabled: !asNow,
    staleTime: 0,
  });
  const undrained = Boolean(plan.data?.needs_drain && plan.data.refused.length === 0);
  const act = useAct({
    do: () =>
      answer(
        client.POST("/api/v1/gpus/{address}/mode", {
          params: { path },
          body: { ...body, drained: undrained && drained },
        }),
      ),
    touches: ["gpus", "operations"],
    good: () => `${gpu.address} is being switched to ${GPU_MODES[mode].text.toLowerCase()}`,
    more: (operation) => (
      <Link to="/operations" search={{ id: operation.id }}>
        See how far it is
      </Link>
    ),
    after: onClose,
  });
  const reason = asNow
    ? "It is in this mode already"
    : plan.data?.refused.length
      ? "The plan says what is in the way"
      : !plan.data || plan.isFetching
        ? "The plan is being made"
        : undrained && !drained
          ? "Say first that nobody needs what exists of it"
          : "";
  return (
    <Dialogue
      title={`Switch ${gpu.board}`}
      about={`${gpu.address} is in mode ${GPU_MODES[gpu.mode].text.toLowerCase()}.`}
      variant="medium"
      stack
      onClose={onClose}
      buttons={
        <>
          <ReasonButton
            variant="primary"
            reason={act.isPending ? "" : reason}
            isLoading={act.isPending}
            isDisabled={act.isPending}
            onClick={() => act.mutate()}
          >
            Switch mode
          </ReasonButton>
          <Button variant="link" onClick={onClose}>
            Cancel
          </Button>
        </>
      }
    >
      <Form onSubmit={(event) => event.preventDefault()}>
        <Choice
          label="Mode"
          value={mode}
          onChange={(value) => setMode(value as Mode)}
          options={MODES.map((one) => [one, `${GPU_MODES[one].text}: ${GPU_MODES[one].about}`] as const)}
        />
        {mode === "vgpu" && gpu.modes.vgpu.profiles.length > 0 && (
          <Choice
            label="Profile"
            value={profile}
            onChange={setProfile}
            options={[
              ["", "Any that desktops ask for"],
              ...gpu.modes.vgpu.profiles.map((p) => [p.key, p.key] as const),
            ]}
          />
        )}
        {sliced && profile && (
          <Field
            label="Slices to make at once"
            type="number"
            min={1}
            value={slices}
            onChange={setSlices}
            help="Left empty, each is made when its desktop starts"
          />
        )}
        {sliced && gpu.vendor_id === NVIDIA && (
          <Tick
            label="Mixed sizes"
            help="Slices of several sizes beside each other, fewer of each"
            value={mixed}
            onChange={setMixed}
          />
        )}
        {mode === "vf" && (
          <Field
            label="Virtual functions"
            type="number"
            min={1}
            max={gpu.modes.vf.total}
            value={functions}
            onChange={setFunctions}
            help={`As many as there can be (${gpu.modes.vf.total}) when left empty`}
          />
        )}
        {gpu.boot_vga && (
          <Tick
            label="Force"
            help="Take it even though the host's console is on it, which goes dark"
            value={force}
            onChange={setForce}
          />
        )}
      </Form>
      {plan.isEnabled && (
        <Loaded query={plan} bare>
          {(made) => <Plan plan={made} />}
        </Loaded>
      )}
      {undrained && (
        <Tick
          label="Drained"
          help="No machine needs them any more: what exists of it is removed"
          value={drained}
          onChange={setDrained}
        />
      )}
      <ProblemAlert error={act.error} />
    </Dialogue>
  );
}

function Plan({ plan }: { plan: Schemas["GpuPlan"] }) {
  return (
    <>
      {plan.refused.map((refusal) => (
        <Alert key={refusal.code} variant="danger" isInline title="It cannot be switched" component="h3">
          {sentence(refusal.reason)}
        </Alert>
      ))}
      {plan.needs_drain && plan.refused.length === 0 && (
        <Alert
          variant="warning"
          isInline
          title="Slices or functions of it exist that machines may hold"
          component="h3"
        >
          Stop those machines first.
        </Alert>
      )}
      {plan.needs_reboot && (
        <Alert variant="warning" isInline title="The host must be started again for this" component="h3" />
      )}
      {plan.stops.length > 0 && (
        <Alert variant="warning" isInline title="What will stop working" component="h3">
          <ul>
            {plan.stops.map((stop) => (
              <li key={stop}>{sentence(stop)}</li>
            ))}
          </ul>
        </Alert>
      )}
      {plan.steps.length > 0 && (
        <section aria-label="Plan">
          <h3>What will be done</h3>
          <ol className="gpu-steps">
            {plan.steps.map((step) => (
              <li key={step.command}>
                {sentence(step.does)}
                <code>{step.command}</code>
              </li>
            ))}
          </ol>
          <p className="about">Each step is checked; when one fails, those before it are undone.</p>
        </section>
      )}
      {plan.steps.length === 0 && plan.refused.length === 0 && <p>Nothing has to be done for this.</p>}
    </>
  );
}
