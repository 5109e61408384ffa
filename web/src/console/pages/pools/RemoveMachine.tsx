import { answer, client, type Schemas } from "../../../api/client";
import { Confirm } from "../../parts/Confirm";

/** Forgets a machine; it is the same thing as a desktop and as a machine. */
export function RemoveMachine({
  machine,
  onClose,
}: {
  machine: Pick<Schemas["Machine"], "id" | "name" | "connections">;
  onClose: () => void;
}) {
  const open = machine.connections;
  return (
    <Confirm
      title={`Remove ${machine.name}?`}
      verb="Remove machine"
      do={() => answer(client.DELETE("/api/v1/machines/{id}", { params: { path: { id: machine.id } } }))}
      touches={["desktops", "machines", "pools"]}
      good={() => `${machine.name} was removed`}
      onClose={onClose}
    >
      <p>
        Its address and what is kept to sign in there are forgotten.
        {open > 0 && ` ${open === 1 ? "The open connection ends" : `${open} open connections end`}.`}
      </p>
      <p>The machine itself stays as it is.</p>
    </Confirm>
  );
}
