/** Whose a GPU is at which hours of the week. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Choice, Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { ReasonButton } from "../../parts/ReasonButton";
import { gpuTurnsQuery, poolsQuery } from "../../queries";
import { useWhyNot } from "../../shell/me";
import { GPU_MODES } from "../../words";

type Gpu = Schemas["Gpu"];
type Mode = Schemas["GpuMode"];
type Turn = Schemas["GpuTurn"];

const MODES: Mode[] = ["vgpu", "whole", "vf", "shared"];

const stateOf = (turn: Turn) => (turn.ready ? ", now" : turn.now ? ", now: it is being made so" : "");

export function TimePlan({ gpu }: { gpu: Gpu }) {
  const turns = useQuery(gpuTurnsQuery);
  const locked = useWhyNot("gpus_write");
  const [adding, setAdding] = useState(false);
  const remove = useAct({
    do: (turn: Turn) =>
      answer(client.DELETE("/api/v1/gpu-turns/{id}", { params: { path: { id: turn.id } } })),
    touches: ["gpu-turns"],
    good: (_, turn) => `${gpu.address} is ${turn.pool.name}'s at ${turn.hours} no longer`,
    bad: (turn) => `The turn of ${turn.pool.name} stands`,
  });
  const own = turns.data?.filter((turn) => turn.gpu === gpu.address) ?? [];
  return (
    <section aria-label="Time plan" className="stack">
      <h3>Time plan</h3>
      {own.length === 0 ? (
        <p className="about">None: it is at any hour whoever's that comes first.</p>
      ) : (
        <ul>
          {own.map((turn) => (
            <li key={turn.id}>
              <strong>{turn.pool.name}</strong> {turn.hours}, {GPU_MODES[turn.mode].text.toLowerCase()}
              {turn.profile && ` ${turn.profile}`}
              {stateOf(turn)}{" "}
              <ReasonButton
                variant="link"
                isInline
                reason={locked || (remove.isPending ? "On its way" : "")}
                onClick={() => remove.mutate(turn)}
                aria-label={`Remove the turn of ${turn.pool.name}, ${turn.hours}`}
              >
                Remove
              </ReasonButton>
            </li>
          ))}
        </ul>
      )}
      <div>
        <ReasonButton
          variant="secondary"
          reason={locked}
          onClick={() => setAdding(true)}
          aria-label={`Give ${gpu.address} to a pool at some hours`}
        >
          Give to a pool…
        </ReasonButton>
      </div>
      {adding && <AddTurn gpu={gpu} onClose={() => setAdding(false)} />}
    </section>
  );
}

function AddTurn({ gpu, onClose }: { gpu: Gpu; onClose: () => void }) {
  const pools = useQuery(poolsQuery);
  const shared = pools.data?.filter((p) => (p.kind === "floating" || p.kind === "ephemeral") && p.gpu) ?? [];
  const [pool, setPool] = useState("");
  const [mode, setMode] = useState<Mode>(gpu.mode === "host" ? "vgpu" : gpu.mode);
  const [profile, setProfile] = useState(gpu.only_profile ?? "");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const [hours, setHours] = useState(`mon-fri 08:00-18:00 ${zone}`);
  const body = { gpu: gpu.address, pool, mode, hours, ...(mode === "vgpu" && profile ? { profile } : {}) };
  const add = useAct({
    do: () => answer(client.POST("/api/v1/gpu-turns", { body })),
    touches: ["gpu-turns", "gpus"],
    good: (turn) => `${gpu.address} is ${turn.pool.name}'s at ${turn.hours}`,
    after: onClose,
  });
  return (
    <FormModal
      title={`Give ${gpu.board} to a pool`}
      about="It is switched when the pool's turn begins, once nobody holds anything of it: before a turn ends its desktops are led out. Outside of its turns it gives nothing."
      verb="Give"
      reason={pool ? (hours.trim() ? "" : "Say at which hours") : "Choose a pool"}
      busy={add.isPending}
      error={add.error}
      onSend={() => add.mutate()}
      onClose={onClose}
    >
      <Choice
        label="Pool"
        value={pool}
        onChange={setPool}
        options={[["", "Choose a pool"], ...shared.map((p) => [p.id, p.name] as const)]}
      />
      <Field
        label="Hours"
        value={hours}
        onChange={setHours}
        help="Days, hours and time zone; others of this GPU are not at the same time"
        required
      />
      <Choice
        label="Mode"
        value={mode}
        onChange={(value) => setMode(value as Mode)}
        options={MODES.map((one) => [one, GPU_MODES[one].text] as const)}
      />
      {mode === "vgpu" && (
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
    </FormModal>
  );
}
