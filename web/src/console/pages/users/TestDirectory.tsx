/** Asks a directory about somebody; changes nothing. */
import {
  Alert,
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
} from "@patternfly/react-core";
import { useState } from "react";
import { answer, client, type Schemas } from "../../../api/client";
import { useAct } from "../../act";
import { Field } from "../../parts/Field";
import { FormModal } from "../../parts/FormModal";
import { ROLES } from "../../roles";

export function TestDirectory({
  directory,
  onClose,
}: {
  directory: Schemas["Directory"];
  onClose: () => void;
}) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const byTemplate = Boolean(directory.settings.template);
  const test = useAct({
    do: () =>
      answer(
        client.POST("/api/v1/directories/{id}/test", {
          params: { path: { id: directory.id } },
          body: { name: name.trim(), password: password || undefined },
        }),
      ),
    touches: [],
  });
  const reason = !name.trim()
    ? "Say whom to ask about"
    : byTemplate && !password
      ? "Without a service account, only a person with their password can be asked about"
      : "";
  return (
    <FormModal
      title={`Test ${directory.name}`}
      about="Asks it who somebody is, and shows what would come of it here. Nothing is changed."
      verb="Test"
      reason={reason}
      busy={test.isPending}
      error={test.error}
      onSend={() => test.mutate()}
      onClose={onClose}
    >
      <Field label="Name" value={name} onChange={setName} required autoFocus />
      <Field
        label="Password"
        type="password"
        value={password}
        onChange={setPassword}
        autoComplete="new-password"
        help={byTemplate ? undefined : "Empty to ask only who they are"}
      />
      {test.data && <Said said={test.data} />}
    </FormModal>
  );
}

function Said({ said }: { said: Schemas["DirectoryAnswer"] }) {
  const { person } = said;
  if (!person) {
    return (
      <Alert
        isInline
        isLiveRegion
        variant="warning"
        title={
          said.password_right === false
            ? "That name and password do not go together"
            : "Nobody of that name is there"
        }
      />
    );
  }
  const wrong = said.password_right === false;
  const title = wrong
    ? "The password is wrong"
    : said.refused
      ? "They would not be let in"
      : said.password_right
        ? "They would be let in"
        : "They are known";
  return (
    <>
      <Alert isInline isLiveRegion variant={wrong || said.refused ? "warning" : "success"} title={title}>
        {said.refused}
      </Alert>
      <DescriptionList isCompact isHorizontal aria-label={`What the directory says of ${person.name}`}>
        <Row term="Name">{person.name}</Row>
        <Row term="Entry">{person.dn}</Row>
        <Row term="Role here">{said.role ? ROLES[said.role].text : "given here"}</Row>
        <Row term="Groups here">{said.groups.map((group) => group.name).join(", ") || "none"}</Row>
        <Row term="Groups there">
          {person.groups.length === 0
            ? "none"
            : person.groups.map((dn) => (
                <div key={dn} className="wrap">
                  {dn}
                </div>
              ))}
        </Row>
      </DescriptionList>
    </>
  );
}

function Row({ term, children }: { term: string; children: React.ReactNode }) {
  return (
    <DescriptionListGroup>
      <DescriptionListTerm>{term}</DescriptionListTerm>
      <DescriptionListDescription>{children}</DescriptionListDescription>
    </DescriptionListGroup>
  );
}
