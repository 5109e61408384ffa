import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Choice, Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { usersQuery } from "../../queries";
import { useMe } from "../../shell/me";
import { nameFault } from "../../words";

export function AddDesktop({ pool, onClose }: { pool: Schemas["Pool"]; onClose: () => void }) {
  const me = useMe();
  const users = useQuery(usersQuery);
  const [owner, setOwner] = useState(me.id);
  const [name, setName] = useState("");
  const people = (users.data ?? []).filter((u) => !u.disabled);
  const known = people.some((u) => u.id === owner);
  const add = useAct({
    do: () =>
      answer(
        client.POST("/api/v1/desktops", {
          body: { pool: pool.id, owner: owner || null, name: name || null },
        }),
      ),
    touches: ["desktops", "pools", "images"],
    good: (desktop) => `${desktop.name} is on its way`,
    more: () => (
      <Link to="/" search={owner === me.id ? {} : { all: true }}>
        Watch it start
      </Link>
    ),
    after: onClose,
  });

  return (
    <FormModal
      title={`Add a desktop from ${pool.name}`}
      verb="Add desktop"
      reason={nameFault(name)}
      busy={add.isPending}
      error={add.error ?? users.error}
      onSend={() => add.mutate()}
      onClose={onClose}
    >
      <Choice
        label="For"
        value={owner}
        onChange={setOwner}
        options={[
          ...(known ? [] : [[me.id, `${me.name} (you)`] as const]),
          ...people.map((u) => [u.id, u.id === me.id ? `${u.name} (you)` : u.name] as const),
          ["", "Nobody yet"],
        ]}
        help="It appears on their page at once"
      />
      <Field
        label="Name"
        value={name}
        onChange={setName}
        fault={nameFault(name)}
        placeholder={`${pool.name}-${pool.desktops + 1}`}
        help="Its host name; one is made from the pool's when left empty"
      />
    </FormModal>
  );
}
