import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Choice, Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";

const NAME_CHARS_MAX = 64;

export function NewUser({
  onClose,
  onMade,
}: {
  onClose: () => void;
  onMade: (made: Schemas["UserMade"]) => void;
}) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<Schemas["Role"]>("user");
  const make = useAct({
    do: () => answer(client.POST("/api/v1/users", { body: { name: name.trim(), role } })),
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
            : ""
      }
      busy={make.isPending}
      error={make.error}
      onSend={() => make.mutate()}
      onClose={onClose}
    >
      <Field label="Name" value={name} onChange={setName} help="What they sign in with" required autoFocus />
      <Choice
        label="Role"
        value={role}
        onChange={(value) => setRole(value as Schemas["Role"])}
        options={[
          ["user", "User: opens their own desktops"],
          ["admin", "Admin: everything"],
        ]}
      />
    </FormModal>
  );
}
