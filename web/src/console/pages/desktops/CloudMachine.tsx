/** A desktop's machine on a cloud: its flavor, its host and its snapshots, and what an admin can do with them. */
import { Alert, Button, Form } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { sentence } from "../../../api/problem";
import { useAct } from "../../act";
import { isMoving } from "../../can";
import { Confirm } from "../../parts/Confirm";
import { Dialogue } from "../../parts/Dialogue";
import { Field } from "../../parts/Field";
import { Loaded } from "../../parts/Loaded";
import { ProblemAlert } from "../../parts/ProblemState";
import { ReasonButton } from "../../parts/ReasonButton";
import { When } from "../../parts/When";
import { desktopMachineQuery } from "../../queries";
import { bytes, nameFault } from "../../words";

type Desktop = Schemas["Desktop"];
type Ask = { is: "resize" | "revert" | "evacuate" } | { is: "restore"; snapshot: string };

const TOUCHES = ["desktop-machine", "desktops", "operations"];

export function CloudMachine({ desktop, onClose }: { desktop: Desktop; onClose: () => void }) {
  const machine = useQuery(desktopMachineQuery(desktop.id));
  const [ask, setAsk] = useState<Ask | null>(null);
  if (ask) return <Sure desktop={desktop} ask={ask} machine={machine.data} onClose={() => setAsk(null)} />;
  return (
    <Dialogue
      title={`${desktop.name} on its cloud`}
      about="Asked of the cloud at this moment. What is begun here is an operation."
      variant="medium"
      stack
      onClose={onClose}
      buttons={
        <Button variant="link" onClick={onClose}>
          Close
        </Button>
      }
    >
      <Loaded query={machine} bare>
        {(now) => <Inside desktop={desktop} machine={now} onAsk={setAsk} />}
      </Loaded>
    </Dialogue>
  );
}

function Inside({
  desktop,
  machine,
  onAsk,
}: {
  desktop: Desktop;
  machine: Schemas["DesktopMachine"];
  onAsk: (ask: Ask) => void;
}) {
  const [to, setTo] = useState("");
  const [name, setName] = useState("");
  const path = { id: desktop.id };
  const migrate = useAct({
    do: () =>
      answer(
        client.POST("/api/v1/desktops/{id}/migrate", {
          params: { path },
          body: to.trim() ? { to: to.trim() } : {},
        }),
      ),
    touches: TOUCHES,
    good: () => `${desktop.name} goes to another host`,
  });
  const confirm = useAct({
    do: () => answer(client.POST("/api/v1/desktops/{id}/resize/confirm", { params: { path } })),
    touches: TOUCHES,
    good: () => `${desktop.name} stays as it is`,
  });
  const keep = useAct({
    do: () => answer(client.POST("/api/v1/desktops/{id}/snapshots", { params: { path }, body: { name } })),
    touches: TOUCHES,
    good: () => `Snapshot ${name} of ${desktop.name} is being kept`,
    after: () => setName(""),
  });
  const drop = useAct({
    do: (snapshot: string) =>
      answer(
        client.DELETE("/api/v1/desktops/{id}/snapshots/{snapshot}", {
          params: { path: { id: desktop.id, snapshot } },
        }),
      ),
    touches: TOUCHES,
    good: (_, snapshot) => `Snapshot ${snapshot} of ${desktop.name} is being deleted`,
  });
  const waits = isMoving(desktop)
    ? "Wait until it is ready or off"
    : machine.state === "underway"
      ? "Its cloud is at it"
      : "";
  // What was to start, or to stop, there waits for that host.
  const hangs = desktop.state === "starting" || desktop.state === "stopping";
  const lost = machine.host_lost ? "The host under it does not answer to its cloud" : "";
  const open = machine.state === "unconfirmed" ? "Confirm or revert first" : "";
  const broken = machine.state === "broken" ? "It is in error: restart or recycle it" : "";
  const locked = waits || lost || open || broken;
  const fits = machine.pool_flavor === null || machine.pool_flavor === machine.flavor;
  return (
    <>
      <p>
        Flavor <strong>{machine.flavor}</strong>
        {machine.host ? (
          <>
            , on host <strong>{machine.host}</strong>
          </>
        ) : (
          ", on a host that its cloud does not name"
        )}
        .{machine.state === "underway" && ` The cloud is at it: ${machine.doing ?? "waiting"}.`}
      </p>
      {machine.state === "unconfirmed" && (
        <Alert variant="info" isInline title="It was resized or moved, and can still go back" component="h3">
          <ReasonButton variant="link" reason={waits} onClick={() => confirm.mutate()}>
            Confirm
          </ReasonButton>
          <ReasonButton variant="link" reason={waits} onClick={() => onAsk({ is: "revert" })}>
            Revert…
          </ReasonButton>
        </Alert>
      )}
      {machine.state === "broken" && (
        <Alert variant="danger" isInline title="Its cloud says that it broke" component="h3">
          {sentence(machine.doing ?? "it says nothing more")}
        </Alert>
      )}
      {lost && (
        <Alert variant="warning" isInline title={lost} component="h3">
          It is back when its host is. Or it can be made anew on another one.{" "}
          <ReasonButton variant="link" reason={hangs ? "" : waits} onClick={() => onAsk({ is: "evacuate" })}>
            Evacuate…
          </ReasonButton>
        </Alert>
      )}
      <Form onSubmit={(event) => event.preventDefault()}>
        <div>
          <ReasonButton
            variant="secondary"
            reason={locked || (fits ? "It has its pool's flavor" : "")}
            onClick={() => onAsk({ is: "resize" })}
          >
            {fits ? "Resize" : `Resize to ${machine.pool_flavor}…`}
          </ReasonButton>
        </div>
        <Field
          label="Migrate to host"
          value={to}
          onChange={setTo}
          help="Empty: its cloud chooses one. Only with credentials of an admin of the cloud"
        />
        <div>
          <ReasonButton variant="secondary" reason={locked} onClick={() => migrate.mutate()}>
            Migrate
          </ReasonButton>
        </div>
        <Field
          label="New snapshot"
          value={name}
          onChange={setName}
          fault={nameFault(name)}
          placeholder="before-the-update"
        />
        <div>
          <ReasonButton
            variant="secondary"
            reason={locked || nameFault(name) || (name ? "" : "Give it a name")}
            onClick={() => keep.mutate()}
          >
            Keep snapshot
          </ReasonButton>
        </div>
      </Form>
      <ProblemAlert error={migrate.error ?? confirm.error ?? keep.error ?? drop.error} />
      {machine.snapshots.length > 0 && (
        <ul aria-label="Snapshots">
          {machine.snapshots.map((one) => (
            <li key={one.name}>
              {one.name}{" "}
              <span className="about">
                {one.whole ? bytes(one.bytes) : "being kept"}, <When at={one.created_at} />
              </span>{" "}
              <ReasonButton
                variant="link"
                reason={
                  locked ||
                  (one.foreign ? "The desktop was made anew since" : "") ||
                  (one.whole ? "" : "It is not whole yet")
                }
                onClick={() => onAsk({ is: "restore", snapshot: one.name })}
              >
                Bring back…
              </ReasonButton>
              <ReasonButton variant="link" reason={waits} onClick={() => drop.mutate(one.name)}>
                Delete
              </ReasonButton>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** What takes something from whoever is there asks first. */
function Sure({
  desktop,
  ask,
  machine,
  onClose,
}: {
  desktop: Desktop;
  ask: Ask;
  machine: Schemas["DesktopMachine"] | undefined;
  onClose: () => void;
}) {
  const { name } = desktop;
  const path = { id: desktop.id };
  const open = desktop.connections > 0 ? " Open connections end." : "";
  switch (ask.is) {
    case "resize":
      return (
        <Confirm
          title={`Resize ${name} to ${machine?.pool_flavor ?? "its pool's flavor"}?`}
          verb="Resize desktop"
          do={() => answer(client.POST("/api/v1/desktops/{id}/resize", { params: { path } }))}
          touches={TOUCHES}
          good={() => `${name} is being resized`}
          onClose={onClose}
        >
          <p>It is switched off and on for that: what is not saved is lost.{open}</p>
        </Confirm>
      );
    case "revert":
      return (
        <Confirm
          title={`Bring ${name} back to what it was before?`}
          verb="Revert"
          do={() => answer(client.POST("/api/v1/desktops/{id}/resize/revert", { params: { path } }))}
          touches={TOUCHES}
          good={() => `${name} goes back`}
          onClose={onClose}
        >
          <p>
            It is switched off and on for that. What was written to its disk since may be lost, by the cloud's
            kind of disks.{open}
          </p>
        </Confirm>
      );
    case "evacuate":
      return (
        <Confirm
          title={`Make ${name} anew on another host?`}
          verb="Evacuate"
          do={() =>
            answer(
              client.POST("/api/v1/desktops/{id}/migrate", { params: { path }, body: { evacuate: true } }),
            )
          }
          touches={TOUCHES}
          good={() => `${name} is being made anew on another host`}
          onClose={onClose}
        >
          <p>
            <strong>What lay on the lost host's own disk is lost</strong>; disks that the cloud's hosts share,
            and volumes, are as they were.
          </p>
        </Confirm>
      );
    case "restore":
      return (
        <Confirm
          title={`Bring ${name} back to ${ask.snapshot}?`}
          verb="Bring back"
          do={() =>
            answer(
              client.POST("/api/v1/desktops/{id}/snapshots/{snapshot}/restore", {
                params: { path: { id: desktop.id, snapshot: ask.snapshot } },
              }),
            )
          }
          touches={TOUCHES}
          good={() => `${name} is being brought back to ${ask.snapshot}`}
          onClose={onClose}
        >
          <p>What was written to its disk since is lost.{open}</p>
        </Confirm>
      );
  }
}
