import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { RoleChoice, type RoleDraft, roleBody, roleFault } from "./RoleChoice";

const NAME_CHARS_MAX = 64;

export function NewUser({
  onClose,
  onMade,
}: {
  onClose: () => void;
  onMade: (made: Schemas["UserMade"]) => void;
}) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<RoleDraft>({ role: "user", pools: [] });
  const make = useAct({
    do: () => answer(client.POST("/api/v1/users", { body: { name: name.trim(), ...roleBody(role) } })),
    touches: ["users"],
    good: (made) => `${made.user.name} was added`,
    after: onMade,
  });
  return (
    <FormModal
      title="New user"
      about="They get a one-time password, which you see once."
      verb="Add user"
      reason={
        name.trim() === ""
          ? "Give a name"
          : name.trim().length > NAME_CHARS_MAX
            ? `A name has at most ${NAME_CHARS_MAX} characters`
            : roleFault(role)
      }
      busy={make.isPending}
      error={make.error}
      onSend={() => make.mutate()}
      onClose={onClose}
    >
      <Field label="Name" value={name} onChange={setName} help="What they sign in with" required autoFocus />
      <RoleChoice value={role} onChange={setRole} />
    </FormModal>
  );
}
