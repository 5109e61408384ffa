import { Button } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Dialogue } from "../../parts/Dialogue";
import { Give } from "../../parts/Give";
import { usersQuery } from "../../queries";

/** Who is in a group. */
export function Members({ group, onClose }: { group: Schemas["Group"]; onClose: () => void }) {
  const users = useQuery(usersQuery);
  const path = (user_id: string) => ({ params: { path: { id: group.id, user_id } } });
  const join = useAct({
    do: (id: string) => answer(client.PUT("/api/v1/groups/{id}/members/{user_id}", path(id))),
    touches: ["groups", "users"],
  });
  const leave = useAct({
    do: (id: string) => answer(client.DELETE("/api/v1/groups/{id}/members/{user_id}", path(id))),
    touches: ["groups", "users"],
  });
  return (
    <Dialogue
      title={`Members of ${group.name}`}
      about="Whoever is taken out loses at once what only this group opened. Connections end that are under looser rules than hold then."
      stack
      onClose={onClose}
      buttons={
        <Button variant="primary" onClick={onClose}>
          Done
        </Button>
      }
    >
      <Give
        list="Members"
        has={group.members}
        all={users.data ?? []}
        label="Put in"
        verb="Put in"
        everyone="Everyone is in it already"
        take={{ text: "Take out", of: (name) => `Take ${name} out` }}
        busy={join.isPending}
        error={join.error ?? leave.error ?? users.error}
        onGive={(id) => join.mutate(id)}
        onTake={(id) => leave.mutate(id)}
      />
    </Dialogue>
  );
}
