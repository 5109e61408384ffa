import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { FormModal } from "../../parts/FormModal";
import { ROLES } from "../../roles";
import { RoleChoice, type RoleDraft, roleBody, roleFault } from "./RoleChoice";

export function ChangeRole({ user, onClose }: { user: Schemas["User"]; onClose: () => void }) {
  const [draft, setDraft] = useState<RoleDraft>({
    role: user.role,
    pools: user.pools.map((pool) => pool.id),
  });
  const save = useAct({
    do: () =>
      answer(
        client.PATCH("/api/v1/users/{id}", { params: { path: { id: user.id } }, body: roleBody(draft) }),
      ),
    touches: ["users"],
    good: ({ user: changed }) => `${changed.name} has the role ${ROLES[changed.role].text.toLowerCase()} now`,
    after: onClose,
  });
  return (
    <FormModal
      title={`The role of ${user.name}`}
      about="They are signed out everywhere, and come back with it."
      verb="Save"
      reason={roleFault(draft)}
      busy={save.isPending}
      error={save.error}
      onSend={() => save.mutate()}
      onClose={onClose}
    >
      <RoleChoice value={draft} onChange={setDraft} />
    </FormModal>
  );
}
