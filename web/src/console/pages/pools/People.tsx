import { Button } from "@patternfly/react-core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Dialogue } from "../../parts/Dialogue";
import { Choice } from "../../parts/Field";
import { ProblemAlert } from "../../parts/ProblemState";
import { ReasonButton } from "../../parts/ReasonButton";
import { usersQuery } from "../../queries";

/** Who may use a pool. */
export function People({ pool, onClose }: { pool: Schemas["Pool"]; onClose: () => void }) {
  const users = useQuery(usersQuery);
  const [picked, setPicked] = useState("");
  const others = (users.data ?? []).filter((u) => !u.disabled && !pool.users.some((has) => has.id === u.id));
  const user = others.some((u) => u.id === picked) ? picked : (others[0]?.id ?? "");
  const path = (user_id: string) => ({ params: { path: { id: pool.id, user_id } } });
  const give = useAct({
    do: () => answer(client.PUT("/api/v1/pools/{id}/users/{user_id}", path(user))),
    touches: ["pools"],
    after: () => setPicked(""),
  });
  const take = useAct({
    do: (of: Schemas["Named"]) => answer(client.DELETE("/api/v1/pools/{id}/users/{user_id}", path(of.id))),
    touches: ["pools"],
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
      {pool.users.length === 0 ? (
        <p className="about">Nobody yet.</p>
      ) : (
        <ul className="people" aria-label="People with access">
          {pool.users.map((has) => (
            <li key={has.id}>
              <span>{has.name}</span>
              <Button
                variant="link"
                isDanger
                size="sm"
                onClick={() => take.mutate(has)}
                aria-label={`Take access from ${has.name}`}
              >
                Take away
              </Button>
            </li>
          ))}
        </ul>
      )}
      <ProblemAlert error={give.error ?? take.error ?? users.error} />
      <div className="give">
        <Choice
          label="Give access to"
          value={user}
          onChange={setPicked}
          options={others.length ? others.map((u) => [u.id, u.name] as const) : [["", "everyone has it"]]}
        />
        <ReasonButton
          variant="secondary"
          reason={user ? "" : "Everyone who can sign in has access already"}
          isLoading={give.isPending}
          onClick={() => give.mutate()}
        >
          Give access
        </ReasonButton>
      </div>
    </Dialogue>
  );
}
