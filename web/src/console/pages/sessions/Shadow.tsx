import { Button } from "@patternfly/react-core";
import type { Schemas } from "../../../api/client";
import { Dialogue } from "../../parts/Dialogue";

/** By the pool's policy the person is asked in their viewer, or told. */
export function Shadow({ session, onClose }: { session: Schemas["Session"]; onClose: () => void }) {
  const open = (control: boolean) => {
    const more = control ? "&control" : "";
    const address = `/viewer/?shadow=${encodeURIComponent(session.id)}&kind=${session.kind}${more}`;
    window.open(address, "_blank", "noopener");
    onClose();
  };
  return (
    <Dialogue
      title={`Look on at ${session.user.name}’s ${session.desktop.name}?`}
      onClose={onClose}
      buttons={
        <>
          <Button onClick={() => open(false)}>Watch</Button>
          <Button variant="secondary" onClick={() => open(true)}>
            Watch and control
          </Button>
          <Button variant="link" onClick={onClose}>
            Cancel
          </Button>
        </>
      }
    >
      <p>
        {session.user.name} sees your name as long as you look on. Where the pool says so they are asked
        first, and you come in when they say yes.
      </p>
    </Dialogue>
  );
}
