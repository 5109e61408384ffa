/** The machine's buttons, and what came of the one that was pressed. */
import { Alert, Flex, FlexItem, Label } from "@patternfly/react-core";
import { useEffect, useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Confirm } from "../../parts/Confirm";
import { ProblemAlert } from "../../parts/ProblemState";
import { ReasonButton } from "../../parts/ReasonButton";
import { effect, type Press, type Pressed, presses, whyNotPress } from "./power";

interface Props {
  machine: { id: string; name: string };
  device: Pick<Schemas["Device"], "kind" | "actions" | "power">;
  /** Why this person presses none, or "". */
  locked: string;
}

const TONES = { waiting: "info", seen: "success", unseen: "warning", unknown: "info" } as const;

export function PowerPanel({ machine, device, locked }: Props) {
  const lights = device.power;
  const [sure, setSure] = useState<Press | null>(null);
  const [pressed, setPressed] = useState<Pressed | null>(null);
  const [now, setNow] = useState(() => Date.now());
  const press = useAct({
    do: ({ action }: Press) =>
      answer(
        client.POST("/api/v1/machines/{id}/device/power/{action}", {
          params: { path: { id: machine.id, action } },
        }),
      ),
    touches: ["device", "audit"],
    after: (_, one) => setPressed({ press: one, at: Date.now() }),
  });
  const came = pressed ? effect(pressed, lights, now) : null;
  const waits = came?.is === "waiting";
  useEffect(() => {
    if (!waits) return;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [waits]);
  // What was seen once stays seen, whatever the light does later.
  const seen = came?.is === "seen" || came?.is === "unknown" ? came : null;
  const [last, setLast] = useState<typeof came>(null);
  useEffect(() => {
    if (!seen) return;
    setLast(seen);
    setPressed(null);
  }, [seen]);
  const shown = came ?? last;

  if (!lights) return <p className="about">The device shows no power light.</p>;
  if (device.kind !== "pikvm" && !lights.enabled)
    return (
      <p className="about">
        The machine is {lights.on ? "on" : "off"}, and its BMC offers no power actions: its account may have
        too few rights there.
      </p>
    );
  return (
    <div className="stack">
      <Flex>
        <FlexItem>
          <Label color={lights.on ? "green" : "grey"}>{lights.on ? "Power on" : "Power off"}</Label>
        </FlexItem>
        {presses(device).map((one) => (
          <FlexItem key={one.action}>
            <ReasonButton
              variant="secondary"
              isDanger={one.action === "off_hard" || one.action === "reset_hard"}
              reason={locked || whyNotPress(lights, one.needs)}
              isDisabled={press.isPending}
              onClick={() => {
                setLast(null);
                if (one.loses) setSure(one);
                else press.mutate(one);
              }}
            >
              {one.text}
            </ReasonButton>
          </FlexItem>
        ))}
      </Flex>
      <div aria-live="polite">
        {shown && <Alert variant={TONES[shown.is]} isInline isPlain title={shown.text} component="p" />}
      </div>
      <ProblemAlert error={press.error} />
      {sure && (
        <Confirm
          title={`${sure.text}: ${machine.name}?`}
          verb={sure.text}
          do={() => press.mutateAsync(sure)}
          touches={["device"]}
          onClose={() => setSure(null)}
        >
          {sure.loses}
        </Confirm>
      )}
    </div>
  );
}
