import { Button } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Dialogue } from "../../parts/Dialogue";
import { Give } from "../../parts/Give";
import { groupsQuery, usersQuery } from "../../queries";

/** Who may use a pool: people, and groups' members. */
export function People({ pool, onClose }: { pool: Schemas["Pool"]; onClose: () => void }) {
  const users = useQuery(usersQuery);
  const groups = useQuery(groupsQuery);
  const of = (user_id: string) => ({ params: { path: { id: pool.id, user_id } } });
  const ofGroup = (group_id: string) => ({ params: { path: { id: pool.id, group_id } } });
  const touches = ["pools", "groups"];
  const give = useAct({
    do: (id: string) => answer(client.PUT("/api/v1/pools/{id}/users/{user_id}", of(id))),
    touches,
  });
  const take = useAct({
    do: (id: string) => answer(client.DELETE("/api/v1/pools/{id}/users/{user_id}", of(id))),
    touches,
  });
  const giveGroup = useAct({
    do: (id: string) => answer(client.PUT("/api/v1/pools/{id}/groups/{group_id}", ofGroup(id))),
    touches,
  });
  const takeGroup = useAct({
    do: (id: string) => answer(client.DELETE("/api/v1/pools/{id}/groups/{group_id}", ofGroup(id))),
    touches,
  });

  return (
    <Dialogue
      title={`People with access to ${pool.name}`}
      about="They may have desktops from this pool. Taking access away deletes nothing."
      stack
      onClose={onClose}
      buttons={
        <Button variant="primary" onClick={onClose}>
          Done
        </Button>
      }
    >
      <Give
        list="People with access"
        has={pool.users}
        all={(users.data ?? []).filter((user) => !user.disabled)}
        label="Give access to"
        verb="Give access"
        everyone="Everyone who can sign in has access already"
        take={{ text: "Take away", of: (name) => `Take access from ${name}` }}
        busy={give.isPending}
        error={give.error ?? take.error ?? users.error}
        onGive={(id) => give.mutate(id)}
        onTake={(id) => take.mutate(id)}
      />
      {((groups.data?.length ?? 0) > 0 || pool.groups.length > 0) && (
        <Give
          list="Groups with access"
          has={pool.groups}
          all={groups.data ?? []}
          label="Give access to the group"
          verb="Give the group access"
          everyone="Every group has access already"
          take={{ text: "Take away", of: (name) => `Take access from the group ${name}` }}
          busy={giveGroup.isPending}
          error={giveGroup.error ?? takeGroup.error ?? groups.error}
          onGive={(id) => giveGroup.mutate(id)}
          onTake={(id) => takeGroup.mutate(id)}
        />
      )}
    </Dialogue>
  );
}
