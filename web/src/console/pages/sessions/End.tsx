import { answer, client, type Schemas } from "../../../api/client";
import { Confirm } from "../../parts/Confirm";

interface Props {
  session: Schemas["Session"];
  onClose: () => void;
}

/** Its person is disconnected; what runs goes on. */
export function End({ session, onClose }: Props) {
  return (
    <Confirm
      title={`End the connection of ${session.user.name}?`}
      verb="End connection"
      do={() => answer(client.DELETE("/api/v1/sessions/{id}", { params: { path: { id: session.id } } }))}
      touches={["sessions", "session", "desktops"]}
      good={() => `The connection of ${session.user.name} was ended`}
      onClose={onClose}
    >
      <p>
        {session.user.name} is disconnected from {session.desktop.name} at once. The desktop and what runs in
        it stay; they may connect again.
      </p>
    </Confirm>
  );
}
